"""One call of ours, and what it did on the wire: whoever calls and the client both see it."""

import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exchanges.ccxt_guard import check_way
from exchanges.outcomes import Evidence, evidence_of
from exchanges.rate_budget import Urgency
from exchanges.responses import Response


def _nothing() -> None:
    pass


class Call:
    """What one call of ours did on the wire: filled in while it runs."""

    __slots__ = (
        "before_send",
        "bytes_left",
        "cost_ms",
        "is_cleared",
        "leaving",
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
        """Whether nothing could stop it, or what could has let it pass."""
        self.leaving: Callable[[], object] = _nothing
        """Called where a request has its turn and its connection, and nothing stops it any more."""
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
        self.leaving()

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


_CURRENT: contextvars.ContextVar[Call | None] = contextvars.ContextVar("call", default=None)


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
    token = _CURRENT.set(call)
    try:
        yield call
    finally:
        _CURRENT.reset(token)


def current_call() -> Call | None:
    """Give the call that a request belongs to; None outside of `recorded`."""
    return _CURRENT.get()


def clear_current() -> None:
    """Pass the fence of the call that a request belongs to; what it raises stops the request."""
    call = _CURRENT.get()
    if call is not None:
        call.clear()


def check_current_way(url: str) -> None:
    """Hold an address against where the call that a request belongs to lets it go.

    Raises:
        Misrouted: it would go elsewhere.
    """
    call = _CURRENT.get()
    if call is not None:
        check_way(url, call.only_to)
