"""The faults of the rehearsal's cancels, at the local exchange. Needs the extra `exchange`."""

from decimal import Decimal

from msgspec.structs import replace

from exchanges.local.exchange import LocalExchange
from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import USER, StreamFault, StreamPlan
from messages.ids import ClientOrderId
from ops.drill_faults import INSIDE_MS, plans_of

STALE_MS = 4_000
"""So young orders the questions do not see: those that rest are younger when they are canceled."""

LAG_MS = 1_500
"""So far behind are the questions that show an order as it was."""

SEEN_BY_STREAM = frozenset({"none", "streamed", "lagging_streamed"})
_LIST = "open_orders"
_OF_LISTS: dict[str, Plan] = {
    "list_reset": Plan(fault=Fault.RESET_BEFORE, operation=_LIST, times=2),
    "list_html": Plan(fault=Fault.HTML_BODY, operation=_LIST, times=2),
    "list_429": Plan(fault=Fault.TOO_MANY_REQUESTS, operation=_LIST, retry_after_s=1),
}
_OF_PLACING: dict[str, Plan] = {
    "place_absent": Plan(fault=Fault.RESET_BEFORE),
    "place_late": Plan(fault=Fault.DELAYED_DELIVERY, delay_ms=INSIDE_MS),
}
UNSEEN = frozenset({"filled_unseen", "part_unseen", "expired_unseen"})


def arm_placing(exchange: LocalExchange, fault: str, name: ClientOrderId) -> None:
    """Arm, before the start, what strikes the order's own placement, and silence the stream."""
    if fault in _OF_PLACING:
        exchange.arm(replace(_OF_PLACING[fault], client_order_id=name))
    if fault not in SEEN_BY_STREAM:
        exchange.arm_stream(StreamPlan(fault=StreamFault.DROPPED_EVENT, stream=USER, times=None))


def disturb(exchange: LocalExchange, fault: str, name: ClientOrderId, quantity: Decimal) -> None:
    """Arm what strikes the cancel of an order that rests, or let the order move unseen."""
    if fault in _OF_PLACING:
        return
    for plan in cancel_plans(fault, name):
        exchange.arm(plan)
    if fault == "filled_unseen":
        exchange.fill_order(name)
    elif fault == "part_unseen":
        exchange.fill_order(name, quantity / 2)
    elif fault == "expired_unseen":
        exchange.expire_order(name)


def cancel_plans(fault: str, name: ClientOrderId) -> list[Plan]:
    """Give the plans of a fault that strikes the cancel of an order; the first must strike."""
    if fault in _OF_LISTS:
        return [_OF_LISTS[fault]]
    if fault in UNSEEN:  # and the cancel's answer, which would have told, is lost
        return plans_of("reset_after", name, "cancel")
    if fault == "lagging_race":
        return [*plans_of("cancel_partial_race", name, "cancel"), *_lagging()]
    if fault in ("lagging_read", "lagging_streamed"):
        return _lagging()
    plans = plans_of(fault, name, "cancel")
    if fault == "stale_read":
        return [
            replace(plan, delay_ms=STALE_MS) if plan.fault is Fault.STALE_READ else plan
            for plan in plans
        ]
    return plans


def _lagging() -> list[Plan]:
    return [
        Plan(fault=Fault.LAGGING_READ, operation=operation, delay_ms=LAG_MS, times=None)
        for operation in ("query", _LIST, "all_orders", "my_trades")
    ]
