"""One request on its way through the exchange, whatever the venue and the transport."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from exchanges.local.exchange import LocalExchange
from exchanges.local.faults import Fault, Plan
from exchanges.local.request_log import Request

BEFORE = frozenset(
    {
        Fault.HANG_BEFORE,
        Fault.RESET_BEFORE,
        Fault.CLOSE_BEFORE,
        Fault.SERVER_ERROR_BEFORE,
        Fault.GATEWAY_TIMEOUT_BEFORE,
        Fault.TIMEOUT_CODE_BEFORE,
        Fault.UNEXPECTED_RESPONSE_BEFORE,
        Fault.DISCONNECTED_BEFORE,
        Fault.SERVER_BUSY,
        Fault.TOO_MANY_REQUESTS,
        Fault.TOO_MANY_ORDERS,
        Fault.IP_BANNED,
        Fault.FIREWALL,
        Fault.KEY_REVOKED,
        Fault.MAINTENANCE,
        Fault.CLOCK_REFUSED,
    }
)
"""The engine never sees the request."""


TRADING = frozenset({"place", "test_order", "cancel", "cancel_replace", "cancel_all"})
"""What a key that may only read may not do."""


class ApiError(Exception):
    """The venue answers with an error. `why` goes to the request log."""

    def __init__(self, status: int, body: Any, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.body = body
        self.why = why


class Reply(msgspec.Struct, kw_only=True):
    """What goes back: JSON, or text for a page of HTML."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = {}


class Call(msgspec.Struct, kw_only=True):
    """One request: what was asked, and how to know that the account asked it."""

    operation: str
    params: dict[str, str]
    payload: str
    """The exact text that the signature covers."""
    headers: Mapping[str, str]
    transport: str = "rest"
    method: str = ""
    path: str = ""


class Api(Protocol):
    """A venue's way of authenticating, of speaking, and of failing."""

    def client_order_id(self, call: Call) -> str | None:
        """Give the client id that a request is about, if it says one."""
        ...

    def authenticate(self, call: Call) -> None:
        """Check key, signature and time.

        Raises:
            ApiError: the account did not ask this, or not now.
        """
        ...

    def run(self, call: Call, plan: Plan | None) -> tuple[Any, list[int]]:
        """Do it, and give the answer's body and the orders that were made or ended.

        Raises:
            ApiError: it was refused; nothing happened.
        """
        ...

    def failure(self, plan: Plan) -> Reply:
        """Give the answer that a fault prescribes."""
        ...

    def closed(self) -> Reply:
        """Give the answer of an exchange under maintenance."""
        ...


async def serve(
    exchange: LocalExchange, api: Api, call: Call, request: Request, plan: Plan | None
) -> Reply:
    """Take one request from the door to its answer; the transport harms the answer later."""
    reply = await _served(exchange, api, call, request, plan)
    if plan and (plan.fault is Fault.DELAYED_REPLY or _answers_late(plan)):
        await asyncio.sleep(plan.delay_s)
    return reply


def _answers_late(plan: Plan) -> bool:
    others = (Fault.DELAYED_DELIVERY, Fault.DELAYED_ENGINE, Fault.STALE_READ, Fault.LAGGING_READ)
    return plan.delay_ms is not None and plan.fault not in others


async def _served(
    exchange: LocalExchange, api: Api, call: Call, request: Request, plan: Plan | None
) -> Reply:
    fault = plan.fault if plan else None
    if plan and fault is Fault.DELAYED_DELIVERY:
        await asyncio.sleep(plan.delay_s)
    if exchange.is_under_maintenance:
        return api.closed()
    if exchange.page_status is not None:
        body = "<html><body><h1>We will be back soon</h1></body></html>"
        headers = {"Content-Type": "text/html"}
        return Reply(status=exchange.page_status, body=body, headers=headers)
    if plan and fault in BEFORE:
        return api.failure(plan)
    try:
        api.authenticate(call)
        if plan and fault is Fault.DELAYED_ENGINE:
            await asyncio.sleep(plan.delay_s)
            api.authenticate(call)
    except ApiError as error:
        request.engine = f"not authorised: {error.why}"
        return Reply(status=error.status, body=error.body)
    reply = _run(exchange, api, call, request, plan)
    if fault is Fault.DELIVERED_TWICE:
        _run(exchange, api, call, request, plan)
    return reply


def _run(
    exchange: LocalExchange, api: Api, call: Call, request: Request, plan: Plan | None
) -> Reply:
    request.ts_engine_ns = exchange.clock.machine_ns()
    try:
        body, order_ids = api.run(call, plan)
    except ApiError as error:
        if request.engine != "done":
            request.engine = f"refused: {error.why}"
        return Reply(status=error.status, body=error.body)
    request.engine = "done"
    request.order_ids = [*request.order_ids, *order_ids]
    return Reply(body=body)


def begin(exchange: LocalExchange, api: Api, call: Call) -> tuple[Request, Plan | None]:
    """Write a request down, and find the fault that strikes it."""
    client_order_id = api.client_order_id(call)
    with exchange.lock:
        request = exchange.log.begin(
            ts_ns=exchange.clock.machine_ns(),
            transport=call.transport,
            method=call.method,
            path=call.path,
            operation=call.operation,
            params={key: value for key, value in call.params.items() if key != "signature"},
            client_order_id=client_order_id,
        )
        plan = exchange.faults.strike(call.operation, client_order_id)
    request.fault = plan.fault if plan else None
    return request, plan
