"""What our client has beyond ccxt's own class, whichever exchange's it is: seven things.

It counts and fences what leaves, records what comes back, waits for its turn in our budget instead
of ccxt's, never follows a redirect with anything but a question, outlives its own stream handlers'
mistakes, tells whether a stream's subscription has been sent, and leaves no socket to be connected
when nobody wants it any more.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from exchanges.ccxt_call import check_current_way, current_call
from exchanges.ccxt_guard import is_guarded
from exchanges.ccxt_session import watch
from exchanges.outcomes import THROTTLES
from exchanges.rate_budget import RateBudget, Urgency
from exchanges.responses import Response, response_of
from exchanges.venue_loop import faults_of

_ERRORS_FROM, _TOO_FAST = 400, 429
"""What HTTP says of it, for those who say it in a 200: Kraken and HTX."""
_TOO_FAST_WORDS = frozenset({"api-request-too-many-requests"})
"""For which ccxt has no class."""
_ON_ITS_WAY_OUT = ("throttle", "send")
"""What a message of ours to a stream passes: ccxt calls one right after the other."""
_Exchange: Any = object
"""Stands for the class of an exchange, which a client puts here: ccxt's, without types."""


class Additions(_Exchange):  # type: ignore[misc]  # ccxt has no types
    """Comes before the exchange's class in a client's bases, so that the client is watched."""

    budget: RateBudget
    hidden: tuple[str, ...] = ()
    """What an exchange may repeat in the text of an error, and nobody may read."""
    may_call: Callable[[], None] | None = None
    """Asked before any request leaves; what it raises stops it."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.opened: list[Any] = []
        """The sockets opened since all were last closed, with those that ended by themselves."""

    async def throttle(self, cost: float | None = None) -> None:
        """Wait for a turn in our budget, as urgent as the call that runs."""
        call = current_call()
        urgency = call.urgency if call is not None else Urgency.DATA
        cost_ms = self.rateLimit * (1 if cost is None else cost)
        await self.budget.acquire(cost_ms, urgency)
        if call is not None:
            call.cost_ms = cost_ms

    async def fetch(
        self, url: str, method: str = "GET", headers: Any = None, body: Any = None
    ) -> Any:
        """Send a request where its call lets it go, and count it; an error shows no key."""
        call = current_call()
        check_current_way(url)
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
            if call is not None and _too_fast(error, call.response):
                self.budget.heard(_TOO_FAST, None)
            _hide(error, self.hidden)
            raise

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, headers: Any, body: str, *more: Any
    ) -> Any:
        """Record an answer, and let the budget hear what it says of our pace."""
        seen = response_of(code, headers, body)
        call = current_call()
        if call is not None:
            call.response = seen
        self.budget.heard(seen.http_status, seen.retry_after_ms)
        return super().on_rest_response(code, reason, url, method, headers, body, *more)

    def open(self, lazy: bool = False) -> None:
        """Make what requests need, and watch the session."""
        fresh = self.session is None
        super().open(lazy)
        if fresh and self.session is not None:
            watch(self.session)

    def get_socks_proxy_session(self, proxy: str) -> Any:
        """Give a proxy's session, watched too."""
        session = super().get_socks_proxy_session(proxy)
        if not is_guarded(session):
            watch(session)
        return session

    def client(self, url: str) -> Any:
        """Give the socket of a stream, and remember it until it is closed."""
        check_current_way(url)  # a socket may carry anything
        is_new = url not in (self.clients or {})
        socket = super().client(url)
        if is_new:
            self.opened.append(socket)
            socket.reject = partial(_reject, socket, socket.reject)
            socket.open, socket.opening = partial(_opening, socket, socket.open), None
            socket.unsent = 0
            for name in _ON_ITS_WAY_OUT:
                setattr(socket, name, partial(_counted, socket, getattr(socket, name)))
        return socket

    async def close_ws_clients(self) -> None:
        """Close all sockets of streams, and leave none for the cycle collector."""
        closed, self.opened = self.opened, []
        await _end_opening(closed)
        await super().close_ws_clients()
        for socket in closed:
            _let_go(socket)

    def handle_message(self, client: Any, message: Any) -> None:
        """Hand on a message; whoever waits is told that its handler failed."""
        # Raised from here it would end ccxt's receive loop without a word: a silent stall.
        try:
            super().handle_message(client, message)
        except Exception as error:  # noqa: BLE001 - whoever waits is told, and reconnects
            client.reject(pro_error(error))


def _reject(
    socket: Any, reject: Callable[..., Any], error: Any, message_hash: str | None = None
) -> Any:
    """Reject what waits for a message, and see to it that each of them was looked at.

    For its subscriptions ccxt makes futures that nobody awaits. That they failed too is no error of
    the loop, to be told at each attempt to connect: who follows the stream is told of it.
    """
    waiting = (
        [*socket.futures.values()] if message_hash is None else [socket.futures.get(message_hash)]
    )
    result = reject(error, message_hash)
    faults_of(one for one in waiting if one is not None)
    return result


def _opening(socket: Any, connect: Callable[..., Any], *given: Any) -> "asyncio.Future[None]":
    """Begin to connect a socket, and remember what does it: ccxt could not end it."""
    socket.opening = asyncio.ensure_future(connect(*given))
    return socket.opening  # type: ignore[no-any-return]  # ccxt has no types


async def _end_opening(sockets: Sequence[Any]) -> None:
    """End what is still being connected: it would stay open, with nobody to close it."""
    tasks = [one.opening for one in sockets if one.opening is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _counted(socket: Any, act: Callable[..., Any], *given: Any) -> Any:
    """Count, at a socket, what waits for its turn to be sent or is being sent."""
    socket.unsent += 1
    try:
        return await act(*given)
    finally:
        socket.unsent -= 1


def _let_go(socket: Any) -> None:
    """Cut the rings in a closed socket, which hold its buffers: a third of a megabyte and more.

    What ended it holds the frames that it passed, and they hold the socket. A pass of the cycle
    collector would find that, but it counts objects and not their bytes: it comes hours later.
    """
    socket.ping_looper = socket.opening = None
    for name in ("reject", "open", *_ON_ITS_WAY_OUT):
        vars(socket).pop(name, None)
    error = socket.connection.exception() if socket.connection is not None else None
    if error is not None:
        error.__traceback__ = error.__context__ = None


def _too_fast(error: Exception, seen: Response | None) -> bool:
    """Whether a reply that looks well says that we ask too often."""
    if seen is None or seen.http_status >= _ERRORS_FROM:
        return False
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return not THROTTLES.isdisjoint(kinds) or seen.code in _TOO_FAST_WORDS


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
