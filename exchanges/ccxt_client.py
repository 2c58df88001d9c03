"""The one file that imports ccxt, and only when a client is made.

A client is ccxt's own class behind our `Additions`, made by our `CcxtSettings`.
"""

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

from exchanges.capabilities import Capability
from exchanges.ccxt_additions import Additions
from exchanges.ccxt_config import constructor_config
from exchanges.ccxt_packages import without_exchanges
from exchanges.ccxt_settings import CcxtSettings, refuse_unsafe
from exchanges.ccxt_shapes import refuse_misshapen
from exchanges.rate_budget import RateBudget
from messages.errors import VenueRefused
from messages.extras import how_to_install

_IN_PROTOBUF = frozenset({"mexc"})


def open_client(settings: CcxtSettings, capability: Capability | None, budget: RateBudget) -> Any:
    """Make a ccxt.pro client of the exchange, on the running loop. Nothing is sent.

    Raises:
        VenueRefused: ccxt is not installed, does not know the exchange, or was given a setting
            that it cannot use, or with which it would send an order by itself or believe anybody.
    """
    pro = import_ccxt(settings.exchange)
    kind = getattr(pro, settings.exchange, None)
    if settings.exchange not in pro.exchanges or kind is None:
        near = get_close_matches(settings.exchange, pro.exchanges, 1)
        hint = f"did you mean {near[0]!r}? Correct" if near else "correct"
        text = f"ccxt has no exchange {settings.exchange!r}: {hint} --exchange, or venue.exchange"
        raise VenueRefused(f"{text} where a file says it")
    refuse_misshapen(settings.config, kind)
    refuse_unsafe(settings.config)
    client = _made(kind, constructor_config(settings, capability))
    client.budget = budget
    client.hidden = tuple(filter(None, (settings.api_key, settings.secret, settings.password)))
    # It asks for more rights than trading needs; currencies follow from the markets.
    client.has["fetchCurrencies"] = False
    if "urls" in settings.config:
        _judge_as_if_at_home(client)
    return client


def _made(kind: Any, config: dict[str, Any]) -> Any:
    try:
        return _with_additions(kind)(config)
    except Exception as error:  # ccxt looks at nothing that it is given
        text = f"ccxt cannot be made with what [venue.ccxt] gives it ({type(error).__name__})"
        raise VenueRefused(f"{text}: correct it, or remove it") from error


def check_decoder(exchange: str) -> None:
    """Refuse a stream that could not be read: ccxt would connect it again and again.

    Raises:
        VenueRefused: what reads it is not installed.
    """
    if exchange in _IN_PROTOBUF and not _has_protobuf():
        raise VenueRefused(
            f"{exchange} streams in protobuf, which is not installed: pip install protobuf==5.29.5"
        )


def _has_protobuf() -> bool:
    try:
        return find_spec("google.protobuf") is not None
    except ModuleNotFoundError:  # there is not even a package `google`
        return False


def import_ccxt(exchange: str = "") -> Any:
    """Import ccxt, which takes half a second the first time, and give its live half.

    With the class of an exchange, which otherwise is imported when it is asked for.

    Raises:
        VenueRefused: it is not installed.
    """
    try:
        with _without_a_pass(), without_exchanges():
            import ccxt.pro

            getattr(ccxt.pro, exchange, None)
    except ImportError as error:
        raise VenueRefused(f"ccxt is not installed: {how_to_install('exchange')}") from error
    return ccxt.pro


@contextmanager
def _without_a_pass() -> Iterator[None]:
    """Keep the cycle collector out of the first import: it looks again and again at what stays.

    That was a third of the import's time. What is made is left out of later passes too.
    """
    if "ccxt.pro" in sys.modules:
        yield
        return
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def _with_additions(kind: Any) -> Any:
    """Give a new class each time: ccxt writes into the one of a client that it makes."""
    return type("Client", (Additions, kind), {})


def _judge_as_if_at_home(client: Any) -> None:
    """Give the client its exchange's own table of errors under other addresses too.

    ccxt picks the table by the address; elsewhere 216 of 299 of Binance's spot codes would
    change their class, and an unknown outcome could look like something else.
    """
    spot = client.exceptions.get("spot")
    if isinstance(spot, dict):
        tables = {kind: spot[kind] for kind in ("exact", "broad") if kind in spot}
        client.exceptions = client.deep_extend(client.exceptions, tables)


async def close_client(client: Any, limit_s: float = 5.0) -> None:
    """Close sockets and sessions; what does not close in time is left to the process's end."""
    client.timeout_on_exit = 0
    with suppress(Exception):
        async with asyncio.timeout(limit_s):
            await client.close()
