"""A venue that answers the desk of a halt, and what can be seen of the halt."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from actors.halt_desk import PAUSE_NS
from decisions.halting import HaltState
from messages.halting import CancelDone, OpenListed, ResumeTrading
from messages.ids import NS_PER_S
from messages.lifecycle import HaltTrading
from messages.orders import OrderReport
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger
from tests.actors.order_path import Asked, OrderPath, fill, key_of

PROVED, UNPROVED, HALTING = (
    str(state) for state in (HaltState.HALTED_PROVED, HaltState.HALTED_UNPROVED, HaltState.HALTING)
)
HALT = HaltTrading(reason="the operator said so", durable=True, request="h")


class Venue:
    """Answers what the desk asks, as a venue that is well would."""

    def __init__(self, desk: OrderPath) -> None:
        self.desk = desk
        self.open: dict[int, OrderReport] = {}
        self.ended: dict[int, OrderReport] = {}
        self.foreign: tuple[OrderReport, ...] = ()
        self.stubborn = False
        """Whether cancels do not take place."""
        self.down = False
        """Whether nothing is answered but that nobody is there."""
        self._done = {"canceled": 0, "asked": 0, "listed": 0}

    def takes(self, number: int, filled: str = "0") -> None:
        state = S.PARTIALLY_FILLED if Decimal(filled) else S.ACCEPTED
        fills = (fill(f"{number}-1", filled),) if Decimal(filled) else ()
        self.open[number] = self.desk.report(number, state, filled, fills)

    def accepts(self, number: int, filled: str = "0") -> None:
        """Take an order, and say so."""
        self.takes(number, filled)
        self.desk.tell(self.desk.submitted(number, S.ACCEPTED))
        if Decimal(filled):
            self.desk.tell(self.open[number])

    def works(self) -> None:
        """Answer everything until nothing is asked any more."""
        while self.works_once():
            pass

    def works_once(self) -> bool:
        gateway = self.desk.gateway
        for name, answer in (
            ("canceled", self._cancel),
            ("asked", self._find),
            ("listed", self._list),
        ):
            calls: Sequence[Any] = getattr(gateway, name)
            if self._done[name] < len(calls):
                self._done[name] += 1
                answer(calls[self._done[name] - 1])
                return True
        return False

    def _cancel(self, call: Asked) -> None:
        number = number_of(call)
        report = None
        if not self.down:
            report = self.open.get(number) if self.stubborn else self.ends(number)
        problem = "" if report else "OutcomeUnknown: no such order"
        done = CancelDone(order_key=call.key, epoch=call.epoch, report=report, problem=problem)
        self.desk.tell(done)

    def ends(self, number: int) -> OrderReport | None:
        was = self.open.pop(number, None)
        if was is not None:
            filled = str(was.filled_quantity)
            self.ended[number] = self.desk.report(number, S.CANCELED, filled, was.fills)
        return self.ended.get(number)

    def _find(self, call: Asked) -> None:
        number = number_of(call)
        report = None if self.down else self.open.get(number) or self.ended.get(number)
        self.desk.tell(self.desk.answer(call, report, "venue down" if self.down else ""))

    def _list(self, call: tuple[Any, int, Any]) -> None:
        reports = () if self.down else (*self.open.values(), *self.foreign)
        problem = "venue down" if self.down else ""
        listed = OpenListed(question=call[1], epoch=call[0], reports=reports, problem=problem)
        self.desk.tell(listed)


def number_of(call: Asked) -> int:
    return next(number for number in range(10) if key_of(number) == call.key)


def state_of(desk: OrderPath) -> str:
    return desk.kept.board.halt.state


def record_of(desk: OrderPath) -> str | None:
    ledger = SqliteLedger(desk.path)
    try:
        return ledger.halt_reason()
    finally:
        ledger.close()


def fails_to_list(desk: OrderPath) -> None:
    """Let every question for the list fail, until it is given up."""
    answered = 0
    while answered < len(desk.gateway.listed):
        epoch, question, _ = desk.gateway.listed[answered]
        answered += 1
        desk.tell(OpenListed(question=question, epoch=epoch, reports=(), problem="venue down"))
        desk.after(PAUSE_NS / NS_PER_S)


def resume(desk: OrderPath, *, despite_open: bool = False) -> tuple[bool, str]:
    desk.tell(ResumeTrading(request="r", despite_open=despite_open))
    answer = desk.kept.board.answer("r")
    assert answer is not None
    return answer.ok, answer.text
