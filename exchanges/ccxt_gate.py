"""The gate: what must be true before a real order may leave, checked one after the other."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from exchanges.away import is_away, is_passing
from exchanges.capabilities import Capability
from exchanges.ccxt_account import questions_of
from exchanges.ccxt_call import Call, recorded
from exchanges.ccxt_numbers import Unclear
from exchanges.ccxt_parse import market_of
from exchanges.ccxt_settings import CcxtSettings
from exchanges.facts import MarketFacts, VenueFacts
from exchanges.outcomes import Evidence
from exchanges.skew import Skew
from messages.errors import VenueAway, VenueRefused
from messages.ids import NS_PER_MS, Symbol

T = TypeVar("T")

_AUTHENTICATION = frozenset({"AuthenticationError", "PermissionDenied", "AccountNotEnabled"})
_DISTRUST = frozenset({"ClientConnectorCertificateError", "SSLCertVerificationError"})
_OF_A_PROGRAM = (AttributeError, LookupError, TypeError)
"""What ccxt stumbles over by itself, before an answer or in one."""
_AUTHENTICATION_CODES = frozenset({"-2014", "-2015", "-1022"})


class GateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How far things may be off. Binance takes no request from more than 1 s ahead of it."""

    skew_ms: int = 500
    unseen_ms: int = 500
    """How much more the clocks may differ than was seen; `decisions.lease` allows for no more."""


def check_settings(
    settings: CcxtSettings, symbols: Sequence[Symbol], *, wants_password: bool = False
) -> None:
    """Refuse what needs no network to be refused.

    Raises:
        VenueRefused: no key, or not all of it, or nothing to trade.
    """
    if not (settings.api_key and settings.secret):
        raise VenueRefused(
            f"there is no key for {settings.exchange}: set the environment variables that"
            " venue.api_key_env and venue.api_secret_env name"
        )
    if wants_password and not settings.password:
        raise VenueRefused(
            f"a key of {settings.exchange} has a passphrase: set the environment variable that"
            " venue.api_password_env names"
        )
    if not symbols:
        raise VenueRefused("there is no symbol to trade: name one in a [[strategy]]")


async def pass_gate(
    client: Any,
    settings: CcxtSettings,
    symbols: Sequence[Symbol],
    capability: Capability,
    limits: GateLimits,
    skew: Callable[[], Awaitable[Skew]],
    *,
    to_trade: bool = True,
) -> VenueFacts:
    """Ask the venue for its markets, its clock and our account.

    A client that was given the markets is not asked for them. Where nothing is to be traded, a
    symbol may be blocked or gone, as long as one is left.

    Raises:
        VenueRefused: one sentence that says what is wrong and what to do.
    """
    name = settings.exchange
    # This comes first, since ccxt itself asks Bitget when it loads the markets.
    for ask in questions_of(client, name):
        with refusing(name, "tell what kind of account it is"):
            await ask(client)
    if not client.markets:
        with refusing(name, "list its markets"):
            await client.load_markets()
    find = _to_trade if to_trade else _to_look_at
    markets = find(client, name, symbols)
    with refusing(name, "tell its time"):
        measured = await skew()
    _check_clock(name, measured, limits)
    with refusing(name, "show the account"):
        account = await client.fetch_balance()
    _check_permission(name, account)
    return VenueFacts(
        exchange=name,
        skew_ns=measured.skew_ns,
        round_trip_ns=measured.round_trip_ns,
        markets=markets,
        capability=capability,
        recv_window_ms=settings.recv_window_ms,
    )


def check_answer(call: Call) -> None:
    """Pass a call whose reply was an answer at all.

    Raises:
        Unclear: HTML, nothing, or ``{}``, of which ccxt makes an empty answer.
    """
    if not call.has_answer:
        raise Unclear("the reply is empty or no JSON")


def _to_trade(client: Any, name: str, symbols: Sequence[Symbol]) -> dict[Symbol, MarketFacts]:
    found = {symbol: _market(client, name, symbol) for symbol in symbols}
    for symbol in symbols:
        if client.markets[symbol].get("active") is False:
            raise VenueRefused(f"{name} does not trade {symbol} now: wait, or take another symbol")
    return found


def _to_look_at(client: Any, name: str, symbols: Sequence[Symbol]) -> dict[Symbol, MarketFacts]:
    found: dict[Symbol, MarketFacts] = {}
    refused: list[VenueRefused] = []
    for symbol in symbols:
        try:
            found[symbol] = _market(client, name, symbol)
        except VenueRefused as error:
            refused.append(error)
    if not found:
        raise refused[0]
    return found


def _market(client: Any, name: str, symbol: Symbol) -> MarketFacts:
    market = (client.markets or {}).get(symbol)
    if market is None or not market.get("spot"):
        raise VenueRefused(f"{name} has no spot market {symbol}: correct the strategy's symbol")
    try:
        return market_of(market)
    except (Unclear, KeyError) as error:
        raise VenueRefused(f"{name} does not say how {symbol} is to be rounded: {error}") from error


def difference_of(name: str, measured: Skew, limits: GateLimits) -> str:
    """Say how our clock and the venue's differ, and what to do, if by too much; else nothing."""
    if abs(measured.skew_ns) <= limits.skew_ms * NS_PER_MS + measured.doubt_ns:
        return ""
    way = "behind" if measured.skew_ns > 0 else "ahead of"
    return (
        f"this clock is {abs(measured.skew_ns) // NS_PER_MS} ms {way} {name}'s, more than"
        f" {limits.skew_ms}: set it with NTP"
    )


def vagueness_of(name: str, measured: Skew, limits: GateLimits) -> str:
    """Say that an answer took too long to show that the clocks agree; nothing where it does.

    The venue read its clock at some moment of the round trip, perhaps at its very end.
    """
    most_ns = (limits.skew_ms + limits.unseen_ms) * NS_PER_MS
    if abs(measured.skew_ns) + measured.doubt_ns <= most_ns:
        return ""
    return (
        f"{name} took {measured.round_trip_ns // NS_PER_MS} ms to tell its time, too long to"
        " compare this clock with it: check the network, try again"
    )


def _check_clock(name: str, measured: Skew, limits: GateLimits) -> None:
    if difference := difference_of(name, measured, limits):
        raise VenueRefused(difference)
    if vagueness := vagueness_of(name, measured, limits):
        raise VenueAway(vagueness)


def _check_permission(name: str, account: Any) -> None:
    """Refuse a key that may not trade, where the exchange says so at all."""
    told = account.get("info") if isinstance(account, dict) else None
    if isinstance(told, dict) and told.get("canTrade") is False:
        raise VenueRefused(
            f"the key may not trade at {name}: enable spot trading for it, and only that"
        )


@contextmanager
def refusing(name: str, what: str) -> Iterator[None]:
    """Make every failure of a question one sentence that says what to do, a `VenueRefused`."""
    with recorded() as call:
        try:
            yield
            check_answer(call)
        except VenueRefused:
            raise
        except Exception as error:
            raise _refusal(name, what, error, call) from error


def _refusal(name: str, what: str, error: Exception, call: Call) -> VenueRefused:
    evidence = call.evidence(error)
    said = ", ".join(
        part
        for part in (
            f"HTTP {evidence.http_status}" if evidence.http_status else "",
            f"code {evidence.code}" if evidence.code else "",
        )
        if part
    )
    if _is_of_the_key(evidence):
        text = (
            f"{name} refuses the key ({said or evidence.error}): check key, secret, the addresses"
            " it is allowed from, and that it may trade"
        )
    elif evidence.error == "NotSupported":
        text = f"{name} cannot {what} through ccxt: take another exchange"
    elif "ClientHttpProxyError" in evidence.causes:
        text = (
            f"the proxy on the way to {name} opens no tunnel ({_proxy_said(error)}): check its"
            " address, its login and that it lets this host through"
        )
    elif not _DISTRUST.isdisjoint(evidence.causes):
        text = (
            f"the certificate that answers for {name} is not trusted: if a proxy opens connections"
            " on this network, name the file of its certificate as cafile in [venue.ccxt]"
        )
    elif isinstance(error, _OF_A_PROGRAM):
        text = (
            f"ccxt could not ask {name} to {what} ({evidence.error}): correct what [venue.ccxt]"
            " gives it, or take another version of ccxt"
        )
    elif evidence.http_status is None:
        text = f"{name} cannot be reached ({evidence.error}): check the network, the proxy and urls"
    else:
        text = f"{name} could not {what} ({said}): {evidence.text or evidence.error}; try again"
    kind = VenueAway if _is_away(evidence, error) else VenueRefused
    return kind(
        text,
        http_status=evidence.http_status,
        code=evidence.code,
        retry_after_ms=evidence.retry_after_ms,
    )


def _is_of_the_key(evidence: Evidence) -> bool:
    return evidence.error in _AUTHENTICATION or evidence.code in _AUTHENTICATION_CODES


def _is_away(evidence: Evidence, error: Exception) -> bool:
    """Whether nothing is to be mended here: a proxy, too, may find no exchange behind it now."""
    if _is_of_the_key(evidence):
        return False
    if "ClientHttpProxyError" in evidence.causes:
        return is_passing(_proxy_status(error))
    return is_away(evidence)


def _proxy_said(error: Exception) -> str:
    """Give the status with which a proxy refused; its own words may hold a login."""
    return f"HTTP {_proxy_status(error) or 'unknown'}"


def _proxy_status(error: Exception) -> int | None:
    status: int | None = getattr(error.__cause__, "status", None)
    return status
