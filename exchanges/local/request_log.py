"""The ground truth: every request that arrived, when, and what the engine did with it."""

from collections import deque

import msgspec

KEPT = 100_000


class Request(msgspec.Struct, kw_only=True):
    """One request as the exchange saw it. Times are the machine's, never skewed."""

    number: int
    ts_received_ns: int
    transport: str
    """``rest`` or ``ws``."""
    method: str
    path: str
    operation: str
    params: dict[str, str]
    """As sent, without the signature."""
    client_order_id: str | None = None
    fault: str | None = None
    engine: str = "not reached"
    """``done``, ``refused: WHY``, ``not reached``, or ``not authorised: WHY``."""
    ts_engine_ns: int | None = None
    order_ids: list[int] = []
    """Orders that this request made or ended."""
    http_status: int | None = None
    """None while unanswered, and where no answer was sent."""
    ts_replied_ns: int | None = None


class RequestLog:
    """The last hundred thousand requests."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque(maxlen=KEPT)
        self._last = 0

    def begin(
        self,
        *,
        ts_ns: int,
        transport: str,
        method: str,
        path: str,
        operation: str,
        params: dict[str, str],
        client_order_id: str | None,
    ) -> Request:
        """Write down that a request arrived."""
        self._last += 1
        request = Request(
            number=self._last,
            ts_received_ns=ts_ns,
            transport=transport,
            method=method,
            path=path,
            operation=operation,
            params=params,
            client_order_id=client_order_id,
        )
        self._requests.append(request)
        return request

    def select(
        self, *, operation: str | None = None, client_order_id: str | None = None
    ) -> list[Request]:
        """Give what arrived, oldest first."""
        return [
            msgspec.structs.replace(one)
            for one in self._requests
            if operation in (None, one.operation) and client_order_id in (None, one.client_order_id)
        ]
