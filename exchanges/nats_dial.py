"""The one file that imports nats-py, and only when a connection is made: how one is let in.

A connection that breaks is over: nats-py's own reconnects stay off, for who uses one must say that
it is lost. Where `tls://` is asked for, nothing is sent before the connection is encrypted: nats-py
alone would let the server decide, and show the login to whoever stands between.
"""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from exchanges.bus_address import BusAddress
from exchanges.nats_credentials import signing_with
from exchanges.nats_ending import let_go, that_ends
from exchanges.nats_hearing import that_hears
from exchanges.nats_reading import BusLost, NotLetIn, NotThere
from exchanges.outcomes import cut
from messages.errors import VenueRefused
from messages.extras import how_to_install

_NEVER_MET_S = 0.2
"""How long the end of a connection is waited for that never was one."""
_NO_TLS = "it speaks no TLS: ask for nats://, or give the server a certificate"


def import_nats() -> Any:
    """Import nats-py.

    Raises:
        VenueRefused: it is not installed.
    """
    try:
        import nats.aio.client
    except ImportError as error:
        text = f"nats-py is not installed: {how_to_install('nats')}"
        raise VenueRefused(text) from error
    return nats.aio.client


async def dial(
    address: BusAddress,
    name: str,
    limit_s: float,
    on_error: Callable[[Exception], Awaitable[None]],
    on_closed: Callable[[], Awaitable[None]],
) -> Any:
    """Connect once, and give nats-py's client.

    Raises:
        VenueRefused: a library is not installed.
        BusLost: there was no server, or it did not let us in; the text says why.
    """
    heard: list[Exception] = []

    async def failed(error: Exception) -> None:
        heard.append(error)
        await on_error(error)

    kind, login = that_ends(that_hears(import_nats().Client)), _login(address)
    client = _encrypted(kind)() if address.is_encrypted else kind()
    try:
        async with asyncio.timeout(limit_s):
            await heeding(
                client.connect(
                    address.url,
                    name=name,
                    allow_reconnect=False,
                    connect_timeout=max(1, int(limit_s)),
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    ping_interval=2,
                    max_outstanding_pings=2,
                    error_cb=failed,
                    closed_cb=on_closed,
                    **login,
                )
            )
    except TimeoutError:
        await let_go(client, _NEVER_MET_S)
        raise NotThere(f"it did not answer within {limit_s:.0f} s") from None
    except Exception as error:
        await let_go(client, _NEVER_MET_S)
        raise _lost(client, address, heard[-1] if heard else error) from error
    except BaseException:  # cancelled in the middle
        await let_go(client, _NEVER_MET_S)
        raise
    return client


async def heeding(asked: Awaitable[Any]) -> Any:
    """Wait for the library, which may swallow that its caller is cancelled, as we are to end.

    It does so itself while it flushes; and so does `asyncio.wait_for`, before Python 3.12, where
    the answer comes at the same moment.

    Raises:
        CancelledError: it was cancelled meanwhile.
    """
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    try:
        return await asked
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError


def _lost(client: Any, address: BusAddress, error: Exception) -> BusLost:
    """Say why we were not let in.

    A server that refuses a login says so and ends the connection; which of it arrives is chance.
    """
    is_cut = isinstance(error, ConnectionError | EOFError) or "authorization" in str(error).lower()
    if is_cut and client._server_info.get("auth_required"):
        has_login = address.user or address.token or address.credentials
        wants = "it does not take this login" if has_login else "it wants a login, none is named"
        return NotLetIn(wants)
    return _kind_of(error)(problem_of(error))


def _kind_of(error: Exception) -> type[BusLost]:
    if isinstance(error, ssl.SSLError):  # an OSError too
        return NotLetIn
    return NotThere if isinstance(error, OSError) else BusLost


def _login(address: BusAddress) -> dict[str, Any]:
    """Give what lets us in, and whom we let be the server.

    Raises:
        NotLetIn: the certificates or the credentials cannot be read.
    """
    given = {
        "user": address.user,
        "password": address.password,
        "token": address.token,
        "tls": trusting(address.ca_file) if address.is_encrypted else None,
    }
    signing = signing_with(address.credentials) if address.credentials else {}
    return {key: value for key, value in given.items() if value} | signing


def trusting(ca_file: str) -> ssl.SSLContext:
    """Give what holds a server's certificate against these, or the system's where none are named.

    Raises:
        NotLetIn: they cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except ssl.SSLError:
        raise NotLetIn(f"there are no certificates in {ca_file}") from None
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise NotLetIn(f"the certificates in {ca_file} cannot be read: {why}") from error


def _encrypted(kind: Any) -> Any:
    """Give a kind of client that begins TLS whatever the server says that it needs."""

    class Encrypted(kind):  # type: ignore[misc]  # nats-py has no types where it is not installed
        async def _process_info(self, info: dict[str, Any], **more: Any) -> None:
            info["tls_required"] = True
            await super()._process_info(info, **more)

    return Encrypted


def problem_of(error: BaseException) -> str:
    """Say in one line what is wrong, without the library's own prefix and without a secret."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return _NO_TLS
    if isinstance(error, OSError) and (error.errno or 0) > 0:
        return os.strerror(error.errno or 0).lower()
    first = next(iter(str(error).splitlines()), "")
    return cut(first.removeprefix("nats: ") or type(error).__name__)
