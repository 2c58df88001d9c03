"""The crash rehearsal's faults as plans of the local exchange. Needs the extra `exchange`."""

from collections.abc import Iterator

from msgspec.structs import replace

from decisions.drill import RESTART, Case
from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import USER, StreamFault, StreamPlan
from exchanges.local.server import RunningExchange
from messages.ids import ClientOrderId

INSIDE_MS, OUTSIDE_MS = 1_500, 2_600
"""How late a request arrives: after its sender gave up, within its window or after it."""
LAG_MS = 1_000
"""How old a state the questions see."""

_LOST = Plan(fault=Fault.RESET_AFTER)
_QUESTIONS: dict[str, Plan] = {
    "query_reset": Plan(fault=Fault.RESET_BEFORE, times=2),
    "query_html": Plan(fault=Fault.HTML_BODY, times=2),
    "query_429": Plan(fault=Fault.TOO_MANY_REQUESTS, retry_after_s=1),
    "query_hang": Plan(fault=Fault.HANG_BEFORE, times=2),
    "query_close": Plan(fault=Fault.CLOSE_BEFORE, times=2),
    "query_empty": Plan(fault=Fault.EMPTY_OBJECT, times=2),
    "query_half": Plan(fault=Fault.HALF_JSON, times=2),
    "query_truncated": Plan(fault=Fault.TRUNCATED_CHUNKED, times=2),
    "query_502": Plan(fault=Fault.SERVER_ERROR_BEFORE, status=502, times=2),
    "query_504": Plan(fault=Fault.GATEWAY_TIMEOUT_BEFORE, times=2),
    "query_busy": Plan(fault=Fault.SERVER_BUSY, times=2),
    "query_unknown_code": Plan(fault=Fault.UNKNOWN_CODE_AFTER, times=2),
    "query_firewall": Plan(fault=Fault.FIREWALL, times=2),
    "query_maintenance": Plan(fault=Fault.MAINTENANCE, times=2),
    "query_banned": Plan(fault=Fault.IP_BANNED, retry_after_s=1),
    "query_clock": Plan(fault=Fault.CLOCK_REFUSED, times=2),
    "query_revoked": Plan(fault=Fault.KEY_REVOKED),
    "query_delayed": Plan(fault=Fault.DELAYED_REPLY, delay_ms=INSIDE_MS, times=2),
}
"""What becomes of the first questions for an order whose answer is lost."""


def _asked_in_vain() -> dict[str, tuple[Plan, ...]]:
    return {name: (_LOST, replace(plan, operation="query")) for name, plan in _QUESTIONS.items()}


def _reads(fault: Fault) -> Iterator[Plan]:
    """Let all that is asked see too old a state, for ever."""
    for operation in ("query", "open_orders", "all_orders", "my_trades"):
        yield Plan(fault=fault, operation=operation, delay_ms=LAG_MS, times=None)


_PLANS: dict[str, tuple[Plan, ...]] = {
    "none": (),
    "late_inside": (Plan(fault=Fault.DELAYED_DELIVERY, delay_ms=INSIDE_MS),),
    "late_outside": (Plan(fault=Fault.DELAYED_DELIVERY, delay_ms=OUTSIDE_MS),),
    "stale_read": (_LOST, *_reads(Fault.STALE_READ)),
    "query_lagging": (_LOST, *_reads(Fault.LAGGING_READ)),
    **_asked_in_vain(),
    "streamed": (_LOST,),
    "connection_refused": (),  # no exchange hears of it: see `ops.drill_refusal`
    "too_many_requests": (Plan(fault=Fault.TOO_MANY_REQUESTS, retry_after_s=1),),
    "ip_banned": (Plan(fault=Fault.IP_BANNED, retry_after_s=1),),
    "delayed_engine": (Plan(fault=Fault.DELAYED_ENGINE, delay_ms=INSIDE_MS),),
    "delayed_engine_outside": (Plan(fault=Fault.DELAYED_ENGINE, delay_ms=OUTSIDE_MS),),
    "delayed_reply": (Plan(fault=Fault.DELAYED_REPLY, delay_ms=INSIDE_MS),),
}
_LISTS = frozenset({"open_orders", "all_orders", "my_trades"})


def plans_of(fault: str, client_order_id: ClientOrderId, operation: str = "place") -> list[Plan]:
    """Give the plans of a fault that strikes one operation on one order."""
    plans = _PLANS.get(fault)
    if plans is None:
        plans = (Plan(fault=Fault(fault)),)
    return [_aimed(plan, client_order_id, operation) for plan in plans]


def _aimed(plan: Plan, client_order_id: ClientOrderId, operation: str) -> Plan:
    # A list names no order.
    name = None if plan.operation in _LISTS else client_order_id
    own = plan.operation == "place"
    return replace(plan, operation=operation if own else plan.operation, client_order_id=name)


def arm(run: RunningExchange, case: Case, client_order_id: ClientOrderId) -> None:
    """Arm a case's fault. Where REST must settle, the account's stream tells nothing of orders."""
    for plan in plans_of(case.fault, client_order_id):
        run.exchange.arm(plan)
    if case.fault not in ("none", "streamed") or case.point in RESTART:
        silence(run)


def silence(run: RunningExchange) -> None:
    """Let the account's stream tell nothing of orders."""
    run.exchange.arm_stream(StreamPlan(fault=StreamFault.DROPPED_EVENT, stream=USER, times=None))
