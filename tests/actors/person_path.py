"""A person's word on one order, in a few words, on the order path by hand."""

from decimal import Decimal
from typing import Any

from decisions.resolving import WAIT_NS
from messages.halting import CancelDone, CancelOrder, OpenListed, ResolveOrder
from messages.ids import NS_PER_S
from messages.orders import OrderIntent, OrderReport
from messages.values import OrderState as S
from tests.actors.order_path import OrderPath, fill, key_of

LATER_S = WAIT_NS / NS_PER_S + 1
NOT_SEEN = "OutcomeUnknown: not_seen: the venue shows no such order, which is never proof"


def cancel(desk: OrderPath, number: int = 1, request: str = "c") -> None:
    desk.tell(CancelOrder(request=request, order_key=key_of(number)))


def canceled(desk: OrderPath, report: OrderReport | None, problem: str = "") -> None:
    call = desk.gateway.canceled[-1]
    done = CancelDone(order_key=call.key, epoch=call.epoch, report=report, problem=problem)
    desk.tell(done)


def found(desk: OrderPath, report: OrderReport | None, problem: str = "") -> None:
    desk.tell(desk.answer(desk.gateway.asked[-1], report, problem))


def resolve(desk: OrderPath, to: S, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "request": "r",
        "order_key": key_of(1),
        "filled_quantity": None,
        "price": None,
        "evidence": "seen on the exchange's page",
        "unasked": False,
    }
    desk.tell(ResolveOrder(to=to, **fields | changes))


def answer(desk: OrderPath, request: str) -> tuple[bool, str]:
    told = desk.kept.board.answer(request)
    assert told is not None, "no answer yet"
    return told.ok, told.text


def accepted(desk: OrderPath, filled: str = "0") -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.ACCEPTED))
    if Decimal(filled):
        desk.tell(desk.report(1, S.PARTIALLY_FILLED, filled, (fill("1-1", filled),)))


def unknown(desk: OrderPath) -> OrderIntent:
    """An order whose outcome nobody knows, sent long ago; gives its decision."""
    decided = desk.intent(1)
    desk.tell(decided).tell(desk.submitted(1, S.UNKNOWN))
    found(desk, None, NOT_SEEN)
    desk.after(LATER_S)
    return decided


def state_of(desk: OrderPath) -> str:
    return desk.kept.board.halt.state


def answer_all(desk: OrderPath) -> None:
    """As a venue that is well and knows nothing of the order."""
    gateway = desk.gateway
    canceled_calls, gateway.canceled = gateway.canceled, []
    asked, gateway.asked = gateway.asked, []
    listed, gateway.listed = gateway.listed, []
    for call in canceled_calls:
        done = CancelDone(order_key=call.key, epoch=call.epoch, report=None, problem="no order")
        desk.tell(done)
    for call in asked:
        desk.tell(desk.answer(call, None))
    for epoch, question, _ in listed:
        desk.tell(OpenListed(question=question, epoch=epoch, reports=(), problem=""))
