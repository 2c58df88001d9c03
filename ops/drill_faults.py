"""The crash rehearsal's faults as plans of the local exchange. Needs the extra `exchange`."""

from decisions.drill import RESTART, Case
from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import USER, StreamFault, StreamPlan
from exchanges.local.server import RunningExchange
from messages.ids import ClientOrderId

INSIDE_MS, OUTSIDE_MS = 1_500, 2_600
"""How late a request arrives: after its sender gave up, within its window or after it."""
LAG_MS = 1_000
"""How old a state the questions see."""

_PLANS: dict[str, tuple[Plan, ...]] = {
    "none": (),
    "late_inside": (Plan(fault=Fault.DELAYED_DELIVERY, delay_ms=INSIDE_MS),),
    "late_outside": (Plan(fault=Fault.DELAYED_DELIVERY, delay_ms=OUTSIDE_MS),),
    "stale_read": (
        Plan(fault=Fault.RESET_AFTER),
        *(
            Plan(fault=Fault.STALE_READ, operation=operation, delay_ms=LAG_MS, times=None)
            for operation in ("query", "open_orders", "all_orders", "my_trades")
        ),
    ),
    "query_reset": (
        Plan(fault=Fault.RESET_AFTER),
        Plan(fault=Fault.RESET_BEFORE, operation="query", times=2),
    ),
    "query_html": (
        Plan(fault=Fault.RESET_AFTER),
        Plan(fault=Fault.HTML_BODY, operation="query", times=2),
    ),
    "query_429": (
        Plan(fault=Fault.RESET_AFTER),
        Plan(fault=Fault.TOO_MANY_REQUESTS, operation="query", retry_after_s=1),
    ),
    "streamed": (Plan(fault=Fault.RESET_AFTER),),
    "too_many_requests": (Plan(fault=Fault.TOO_MANY_REQUESTS, retry_after_s=1),),
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
    return Plan(
        fault=plan.fault,
        operation=operation if plan.operation == "place" else plan.operation,
        times=plan.times,
        client_order_id=name,
        delay_ms=plan.delay_ms,
        retry_after_s=plan.retry_after_s,
    )


def arm(run: RunningExchange, case: Case, client_order_id: ClientOrderId) -> None:
    """Arm a case's fault. Where REST must settle, the account's stream tells nothing of orders."""
    for plan in plans_of(case.fault, client_order_id):
        run.exchange.arm(plan)
    if case.fault not in ("none", "streamed") or case.point in RESTART:
        silence(run)


def silence(run: RunningExchange) -> None:
    """Let the account's stream tell nothing of orders."""
    run.exchange.arm_stream(StreamPlan(fault=StreamFault.DROPPED_EVENT, stream=USER, times=None))
