"""The one file that imports ccxt, and only when a client is made.

A client is ccxt's own class with five things added: it counts and fences what leaves, records
what comes back, waits for its turn in our budget instead of ccxt's, never follows a redirect
with anything but a question, and outlives its own stream handlers' mistakes.
"""

import asyncio
import contextvars
import gc
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from typing import Any

import msgspec

from exchanges.capabilities import Capability
from exchanges.ccxt_guard import check_way, guard, is_guarded
from exchanges.outcomes import Evidence, evidence_of
from exchanges.rate_budget import RateBudget, Urgency
from exchanges.responses import Response, response_of
from messages.errors import VenueRefused

DEFAULT_RECV_WINDOW_MS = 2_500
"""Short, because absence is proof only when it is over; long enough for a slow round trip."""
DEFAULT_TIMEOUT_MS = 10_000
KEPT_ORDERS = KEPT_TRADES = 256
"""What ccxt remembers of the account's stream; more than one burst of ours (see `RateBudget`).

Beyond that nobody here looks, and at ccxt's own 1,000 each they came to ten megabytes. What falls
out unread, REST shows at the next comparison.
"""
KEPT_BARS = 16
"""Per symbol; ccxt would remember 1,000, and fill them for 17 hours."""


class CcxtSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to make a client. `config` goes to ccxt's constructor: urls, options, proxies, cafile."""

    exchange: str
    api_key: str = ""
    """Without key and secret it is a client for public data."""
    secret: str = ""
    password: str = ""
    """Some exchanges have a third secret."""
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    recv_window_ms: int = DEFAULT_RECV_WINDOW_MS
    config: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Say which exchange it is, and no secret."""
        return f"CcxtSettings(exchange={self.exchange!r})"


class Call:
    """What one call of ours did on the wire: filled in while it runs."""

    __slots__ = (
        "before_send",
        "bytes_left",
        "cost_ms",
        "is_cleared",
        "only_to",
        "requests",
        "response",
        "urgency",
    )

    def __init__(
        self,
        urgency: Urgency,
        before_send: Callable[[], None] | None = None,
        only_to: str = "",
    ) -> None:
        self.urgency = urgency
        self.only_to = only_to
        """How the path of every request must end; one that ends otherwise does not leave."""
        self.before_send = before_send
        self.is_cleared = before_send is None
        """Whether nothing stops it, or what might have has let it pass."""
        self.cost_ms = 0.0
        """What its turns have taken from the budget."""
        self.requests = 0
        self.bytes_left = False
        self.response: Response | None = None

    def clear(self) -> None:
        """Pass the fence; what it raises stops the request."""
        if self.before_send is not None:
            self.before_send()
        self.is_cleared = True

    @property
    def has_answer(self) -> bool:
        """Whether the last reply was JSON with something in it.

        Of HTML, of nothing and of ``{}`` ccxt makes an empty answer: no orders, no balances.
        """
        return self.response is not None and self.response.has_json

    @property
    def is_page(self) -> bool:
        """Whether the last reply was a page of HTML."""
        return self.response is not None and self.response.is_page

    def evidence(self, error: BaseException) -> Evidence:
        """Put the exception and the records together."""
        seen = self.response
        return evidence_of(
            error,
            http_status=seen.http_status if seen else None,
            code=seen.code if seen else None,
            retry_after_ms=seen.retry_after_ms if seen else None,
            requests=self.requests,
            bytes_left=self.bytes_left,
        )


_CALL: contextvars.ContextVar[Call | None] = contextvars.ContextVar("call", default=None)


@contextmanager
def recorded(
    urgency: Urgency = Urgency.DATA,
    before_send: Callable[[], None] | None = None,
    only_to: str = "",
) -> Iterator[Call]:
    """Record what the client does within the block, in this task and those it starts.

    A request that is signed and has a connection passes `before_send` and leaves: nothing is
    awaited in between. What it raises stops it. A request whose path does not end with `only_to`
    is `Misrouted`: it does not leave, by whatever way.
    """
    call = Call(urgency, before_send, only_to)
    token = _CALL.set(call)
    try:
        yield call
    finally:
        _CALL.reset(token)


class Unguarded(Exception):
    """An order was about to leave unasked: a mistake of ours, or a new way of aiohttp's."""


class Redirected(Exception):
    """An order was answered with "ask elsewhere": it is not sent there a second time."""


def open_client(settings: CcxtSettings, capability: Capability | None, budget: RateBudget) -> Any:
    """Make a ccxt.pro client of the exchange, on the running loop. Nothing is sent.

    Raises:
        VenueRefused: ccxt is not installed, does not know the exchange, or was given a setting
            with which it would send an order by itself or believe anybody.
    """
    pro = import_ccxt()
    kind = getattr(pro, settings.exchange, None)
    if settings.exchange not in pro.exchanges or kind is None:
        near = get_close_matches(settings.exchange, pro.exchanges, 1)
        hint = f"did you mean {near[0]!r}? Correct" if near else "correct"
        raise VenueRefused(f"ccxt has no exchange {settings.exchange!r}: {hint} venue.exchange")
    _refuse_retries(settings.config)
    _check_trust(settings.config)
    _refuse_verbose(settings.config)
    client = _recording(kind)(_ccxt_config(settings, capability))
    client.budget = budget
    client.hidden = tuple(filter(None, (settings.api_key, settings.secret, settings.password)))
    # It asks for more rights than trading needs; currencies follow from the markets.
    client.has["fetchCurrencies"] = False
    if "urls" in settings.config:
        _judge_as_if_at_home(client)
    return client


def import_ccxt() -> Any:
    """Import ccxt, which takes a second or more the first time, and give its live half.

    Raises:
        VenueRefused: it is not installed.
    """
    try:
        with _without_a_pass():
            import ccxt.pro
    except ImportError as error:
        raise VenueRefused("ccxt is not installed: pip install 'watchkeeper[exchange]'") from error
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


def _ccxt_config(settings: CcxtSettings, capability: Capability | None) -> dict[str, Any]:
    config = dict(settings.config)
    options = {
        "maxRetriesOnFailure": 0,
        "fetchMarkets": {"types": ["spot"]},
        "fetchMargins": False,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
        "ordersLimit": KEPT_ORDERS,
        "OHLCVLimit": KEPT_BARS,
        # Of a market (no capability) 1,000 may come at once; the feed empties it as it reads.
        **({} if capability is None else {"tradesLimit": KEPT_TRADES}),
    } | config.get("options", {})
    if capability is not None and capability.recv_window_parameter is not None:
        options["recvWindow"] = settings.recv_window_ms
    config |= _stream_proxy(config)
    keys = {"apiKey": settings.api_key, "secret": settings.secret, "password": settings.password}
    return {
        **config,
        **{name: key for name, key in keys.items() if key},
        "number": str,
        "enableRateLimit": True,
        "timeout": settings.timeout_ms,
        "options": options,
    }


def _refuse_retries(config: dict[str, Any]) -> None:
    """Refuse what makes ccxt send a lost order again, for all paths or for one of them."""
    options = config.get("options", {})
    places = [options, *(inner for inner in options.values() if isinstance(inner, dict))]
    if any(place.get("maxRetriesOnFailure") for place in places):
        raise VenueRefused(
            "maxRetriesOnFailure makes ccxt send a lost order a second time: remove it from"
            " [venue.ccxt]"
        )


def _check_trust(config: dict[str, Any]) -> None:
    """Refuse to take an answer from whoever gives one, and certificates that cannot be read."""
    if config.get("verify", True) is not True:
        raise VenueRefused(
            "verify = false lets anybody on the way answer for the exchange: remove it, and name"
            " the certificate to be trusted as cafile in [venue.ccxt]"
        )
    file = config.get("cafile")
    try:
        if file is not None:
            ssl.create_default_context(cafile=file)
    except (OSError, TypeError) as error:  # an SSLError is an OSError
        raise VenueRefused(
            f"cafile in [venue.ccxt] is {file!r}, and no certificate can be read from it"
            f" ({type(error).__name__}): give the path of a PEM file"
        ) from error


def _refuse_verbose(config: dict[str, Any]) -> None:
    """Refuse to print every request with its headers, of which one is the key."""
    if config.get("verbose"):
        raise VenueRefused(
            "verbose = true makes ccxt print the key with each request: remove it from [venue.ccxt]"
        )


_STREAM_PROXIES = {
    ("httpsProxy", "https_proxy", "httpProxy", "http_proxy"): "wssProxy",
    ("socksProxy", "socks_proxy"): "wsSocksProxy",
}
_OWN_STREAM_PROXIES = frozenset(
    {"wsProxy", "ws_proxy", "wssProxy", "wss_proxy", "wsSocksProxy", "ws_socks_proxy"}
)


def _stream_proxy(config: dict[str, Any]) -> dict[str, Any]:
    """Lead streams through the proxy of the requests, unless they have one: ccxt does not."""
    if not _OWN_STREAM_PROXIES.isdisjoint(config):
        return {}
    for names, own in _STREAM_PROXIES.items():
        for name in names:
            if config.get(name):
                return {own: config[name]}
    return {}


def _judge_as_if_at_home(client: Any) -> None:
    """Give the client its exchange's own table of errors under other addresses too.

    ccxt picks the table by the address; elsewhere 216 of 299 of Binance's spot codes would
    change their class, and an unknown outcome could look like something else.
    """
    spot = client.exceptions.get("spot")
    if isinstance(spot, dict):
        tables = {kind: spot[kind] for kind in ("exact", "broad") if kind in spot}
        client.exceptions = client.deep_extend(client.exceptions, tables)


def _recording(base: Any) -> Any:
    class Recording(base):  # type: ignore[misc]  # ccxt has no types
        """The exchange's class, watched."""

        budget: RateBudget
        hidden: tuple[str, ...] = ()
        """What an exchange may give back in the text of an error, and nobody is to read."""
        may_call: Callable[[], None] | None = None
        """Asked before any request leaves; what it raises stops it."""

        def __init__(self, config: dict[str, Any]) -> None:
            super().__init__(config)
            self.opened: list[Any] = []
            """The sockets since all were closed last, with those that ended by themselves."""

        async def throttle(self, cost: float | None = None) -> None:
            call = _CALL.get()
            urgency = call.urgency if call is not None else Urgency.DATA
            cost_ms = self.rateLimit * (1 if cost is None else cost)
            await self.budget.acquire(cost_ms, urgency)
            if call is not None:
                call.cost_ms = cost_ms

        async def fetch(
            self, url: str, method: str = "GET", headers: Any = None, body: Any = None
        ) -> Any:
            call = _CALL.get()
            _check_way(url)
            if self.may_call is not None and (call is None or call.before_send is None):
                self.may_call()  # what sends an order asks its own fence, which is stricter
            if call is not None and self.session is not None and not is_guarded(self.session):
                call.clear()  # a session of somebody else's
            if call is not None:
                call.requests += 1
                call.response = None
            try:
                return await super().fetch(url, method, headers, body)
            except Exception as error:
                _hide(error, self.hidden)
                raise

        def on_rest_response(
            self, code: int, reason: str, url: str, method: str, headers: Any, body: str, *more: Any
        ) -> Any:
            seen = response_of(code, headers, body)
            call = _CALL.get()
            if call is not None:
                call.response = seen
            self.budget.heard(seen.http_status, seen.retry_after_ms)
            return super().on_rest_response(code, reason, url, method, headers, body, *more)

        def open(self, lazy: bool = False) -> None:
            fresh = self.session is None
            super().open(lazy)
            if fresh and self.session is not None:
                self.session.trace_configs.append(_trace())
                guard(self.session, _clear)

        def get_socks_proxy_session(self, proxy: str) -> Any:
            session = super().get_socks_proxy_session(proxy)
            if not is_guarded(session):
                session.trace_configs.append(_trace())
                guard(session, _clear)
            return session

        def client(self, url: str) -> Any:
            _check_way(url)  # a socket may carry anything
            is_new = url not in (self.clients or {})
            socket = super().client(url)
            if is_new:
                self.opened.append(socket)
            return socket

        async def close_ws_clients(self) -> None:
            closed, self.opened = self.opened, []
            await super().close_ws_clients()
            for socket in closed:
                _let_go(socket)

        def handle_message(self, client: Any, message: Any) -> None:
            # Raised from here it would end ccxt's receive loop without a word: a silent stall.
            try:
                super().handle_message(client, message)
            except Exception as error:  # noqa: BLE001 - whoever waits is told, and reconnects
                client.reject(pro_error(error))

    return Recording


def _let_go(socket: Any) -> None:
    """Cut the rings in a closed socket, which hold its buffers: a third of a megabyte and more.

    What ended it holds the frames that it passed, and they hold the socket. A pass of the cycle
    collector would find that, but it counts objects and not their bytes: it comes hours later.
    """
    socket.ping_looper = None
    error = socket.connection.exception() if socket.connection is not None else None
    if error is not None:
        error.__traceback__ = error.__context__ = None


def _hide(error: Exception, secrets: tuple[str, ...]) -> None:
    """Take the keys out of an error's text, before anybody writes it down."""
    texts = [text for text in error.args if isinstance(text, str)]
    if any(secret in text for secret in secrets for text in texts):
        shown = list(error.args)
        for secret in secrets:
            shown = [a.replace(secret, "***") if isinstance(a, str) else a for a in shown]
        error.args = tuple(shown)


def pro_error(error: Exception) -> Exception:
    """Say that ccxt's own handler of a stream message failed."""
    return RuntimeError(f"a stream message broke its handler: {type(error).__name__}: {error}")


def _clear() -> None:
    call = _CALL.get()
    if call is not None:
        call.clear()


def _check_way(url: str) -> None:
    call = _CALL.get()
    if call is not None:
        check_way(url, call.only_to)


def _trace() -> Any:
    """See the first bytes of a request leave, and stop redirects of what is no question."""
    import aiohttp

    async def headers_sent(_session: Any, _context: Any, params: Any) -> None:
        call = _CALL.get()
        _check_way(str(params.url))
        if call is not None and not call.is_cleared:  # aiohttp asks this before it writes
            raise Unguarded("a request had a connection without having passed its fence")
        if call is not None:
            call.bytes_left = True

    async def redirect(_session: Any, _context: Any, params: Any) -> None:
        if params.method not in ("GET", "HEAD"):
            raise Redirected(f"{params.method} {params.url.path} was redirected")

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(headers_sent)
    trace.on_request_redirect.append(redirect)
    trace.freeze()
    return trace


async def close_client(client: Any, limit_s: float = 5.0) -> None:
    """Close sockets and sessions; what does not close in time is left to the process's end."""
    client.timeout_on_exit = 0
    with suppress(Exception):
        await asyncio.wait_for(client.close(), limit_s)
