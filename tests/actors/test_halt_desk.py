"""The kill switch in the executor: durable first, then cancels, asks, and proves; whatever dies."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.halt_desk import PAUSE_NS, TRY_AGAIN_NS
from actors.operator_board import HaltView
from decisions.halting import MOST_TRIES, HaltState, recover
from messages.errors import LedgerUnavailable
from messages.halting import CancelDone, OpenListed, ResumeTrading
from messages.ids import NS_PER_S, ClientOrderId, TimestampNs, VenueOrderId
from messages.lifecycle import ActorState, HaltTrading, InjectCrash
from messages.orders import OrderReport
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger, read_events
from tests.actors.order_path import BTC, Asked, OrderPath, fill, key_of

PROVED, UNPROVED, HALTING = (
    str(state) for state in (HaltState.HALTED_PROVED, HaltState.HALTED_UNPROVED, HaltState.HALTING)
)
HALT = HaltTrading(reason="the operator said so", durable=True, request="h")


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """An executor that has begun, on an empty ledger."""
    return OrderPath(tmp_path).start()


class Venue:
    """Answers what the desk asks, as a venue that is well would."""

    def __init__(self, desk: OrderPath) -> None:
        self.desk = desk
        self.open: dict[int, OrderReport] = {}
        self.ended: dict[int, OrderReport] = {}
        self.foreign: tuple[OrderReport, ...] = ()
        self.stubborn = False
        """Whether cancels do not take place."""
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
        report = self.open.get(number) or self.ended.get(number)
        self.desk.tell(self.desk.answer(call, report))

    def _list(self, call: tuple[Any, int, Any]) -> None:
        reports = (*self.open.values(), *self.foreign)
        self.desk.tell(OpenListed(question=call[1], epoch=call[0], reports=reports, problem=""))


def number_of(call: Asked) -> int:
    return next(number for number in range(10) if key_of(number) == call.key)


@pytest.fixture
def venue(desk: OrderPath) -> Venue:
    """Its venue."""
    return Venue(desk)


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


# ------------------------------------------------------------------ the whole way


def test_a_halt_is_on_disk_before_the_venue_is_asked_for_anything(
    desk: OrderPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    gateway = desk.gateway

    def list_open(*_: object) -> None:
        seen.append(record_of(desk))

    monkeypatch.setattr(gateway, "list_open", list_open)
    desk.tell(HALT)

    (text,) = seen
    record = recover(text, TimestampNs(0))[0].record
    assert record is not None
    assert record.reason == "the operator said so"


def test_what_is_open_is_canceled_and_the_proof_is_an_empty_list(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1), desk.intent(2))
    venue.accepts(1)
    venue.accepts(2, filled="0.25")

    desk.tell(HALT)
    assert desk.cell.problem == "halting: the venue is asked what is open: the operator said so"
    assert venue.works_once()
    assert desk.cell.problem == "halting: 2 orders to be closed: the operator said so"
    venue.works()

    assert state_of(desk) == PROVED
    assert (desk.order(1).state, desk.order(2).state) == (S.CANCELED, S.CANCELED)
    assert desk.order(2).filled_quantity == Decimal("0.25")
    assert desk.actor._risk.exposure == {BTC: Decimal("0.25")}
    assert desk.cell.state is ActorState.HALTED
    assert desk.cell.problem.startswith("proved: nothing open at ")
    assert [e.evidence for e in read_events(desk.path, key_of(1))][-1] == "test"


def test_the_list_is_asked_for_on_every_symbol_of_the_run_and_of_open_orders(
    desk: OrderPath, venue: Venue
) -> None:
    desk.gateway.symbols = ("ETH/USDT",)  # type: ignore[assignment]
    desk.tell(desk.intent(1))
    venue.accepts(1)

    desk.tell(HALT)

    assert desk.gateway.listed[0][2] == ("ETH/USDT", "BTC/USDT")


def test_orders_of_others_are_seen_named_and_left_alone(desk: OrderPath, venue: Venue) -> None:
    other = desk.report(0, S.ACCEPTED)
    venue.foreign = (
        OrderReport(
            **{
                **{f: getattr(other, f) for f in OrderReport.__struct_fields__},
                "client_order_id": ClientOrderId("web_123"),
                "venue_order_id": VenueOrderId("V77"),
            }
        ),
    )
    desk.tell(HALT)
    venue.works()

    assert state_of(desk) == PROVED
    assert desk.kept.board.halt.foreign == ("BTC/USDT V77",)
    assert "1 orders of others were seen and left alone" in desk.cell.problem
    assert desk.gateway.canceled == []


def test_an_order_that_is_final_here_and_listed_there_is_ours_and_is_canceled(
    desk: OrderPath, venue: Venue
) -> None:
    """Absence that was proved and was wrong: the ledger refused it, and there it is."""
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.REJECTED))
    venue.takes(1)

    desk.tell(HALT)
    venue.works()

    assert [call.key for call in desk.gateway.canceled] == [key_of(1)]
    assert state_of(desk) == PROVED
    assert desk.order(1).state is S.REJECTED
    assert "is rejected with 0 filled here; at the venue it is open" in desk.actor._desk.difference


# ------------------------------------------------------------------ sends under way


def test_an_order_that_is_accepted_after_the_halt_is_canceled_too(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1)).tell(HALT)
    venue.accepts(1)
    venue.works()

    assert desk.order(1).state is S.CANCELED
    assert state_of(desk) == PROVED


def test_an_order_that_turns_up_after_the_proof_ends_it_and_is_canceled(
    desk: OrderPath, venue: Venue
) -> None:
    """The venue had said that it has none, and its stream tells of it."""
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.UNKNOWN), HALT)
    venue.works()
    assert (state_of(desk), desk.order(1).state) == (PROVED, S.REFUSED)

    venue.takes(1)
    desk.tell(venue.open[1])
    assert state_of(desk) == HALTING
    venue.works()

    assert state_of(desk) == PROVED
    assert venue.open == {}
    assert [call.key for call in desk.gateway.canceled][-1] == key_of(1)


def test_a_send_that_never_left_is_refused_and_holds_up_no_proof(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1)).tell(HALT)
    assert desk.gateway.barred == "the operator said so"
    epoch, question, _ = desk.gateway.listed[0]
    desk.tell(OpenListed(question=question, epoch=epoch, reports=(), problem=""))

    desk.tell(desk.submitted(1, S.NOT_SENT))
    venue.works()

    assert desk.order(1).state is S.REFUSED
    assert desk.order(1).state_reason == "halted: the operator said so"
    assert desk.sends(1) == 1
    assert state_of(desk) == PROVED


def test_an_unknown_order_is_no_proof_until_it_is_settled(desk: OrderPath, venue: Venue) -> None:
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.UNKNOWN), HALT)
    first = desk.gateway.asked[0]
    desk.tell(desk.answer(first, None, "not seen yet"))
    epoch, question, _ = desk.gateway.listed[0]
    desk.tell(OpenListed(question=question, epoch=epoch, reports=(), problem=""))
    assert state_of(desk) == HALTING

    venue.takes(1)
    desk.after(2)
    venue.works()
    desk.after(2)
    venue.works()

    assert desk.order(1).state is S.CANCELED
    assert state_of(desk) == PROVED


def test_decisions_that_go_on_are_refused_each_under_its_key(desk: OrderPath, venue: Venue) -> None:
    desk.tell(HALT)
    venue.works()

    desk.tell(*(desk.intent(number) for number in range(1, 4)))

    assert {desk.order(n).state_reason for n in range(1, 4)} == {"halted: the operator said so"}
    assert desk.gateway.sent == []
    assert state_of(desk) == PROVED


# ------------------------------------------------------------------ races and lost answers


def test_a_cancel_that_lost_the_race_to_a_fill_counts_the_fill(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1))
    venue.accepts(1)
    desk.tell(HALT)
    venue.works_once()
    del venue.open[1]
    venue.ended[1] = desk.report(1, S.FILLED, "1", (fill("1-1"),))
    venue.works()

    assert desk.order(1).state is S.FILLED
    assert desk.actor._risk.exposure == {BTC: Decimal(1)}
    assert state_of(desk) == PROVED


def test_a_lost_answer_to_a_cancel_is_made_good_by_asking(desk: OrderPath, venue: Venue) -> None:
    desk.tell(desk.intent(1))
    venue.accepts(1)
    desk.tell(HALT)
    venue.works_once()
    call = desk.gateway.canceled[0]
    venue.ends(1)
    venue._done["canceled"] = 1
    desk.tell(CancelDone(order_key=call.key, epoch=call.epoch, report=None, problem="lost"))
    venue.works()

    assert desk.order(1).state is S.CANCELED
    assert state_of(desk) == PROVED


def test_an_order_that_will_not_be_canceled_is_named_and_tried_again(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1))
    venue.accepts(1)
    venue.stubborn = True
    desk.tell(HALT)
    for _ in range(MOST_TRIES):
        venue.works()
        desk.after(PAUSE_NS / NS_PER_S)

    assert state_of(desk) == UNPROVED
    assert desk.kept.board.halt.open == (key_of(1),)
    assert len(desk.gateway.canceled) == MOST_TRIES

    venue.stubborn = False
    desk.after(TRY_AGAIN_NS / NS_PER_S)
    venue.works()
    assert state_of(desk) == PROVED


def test_a_venue_that_is_down_leaves_it_unproved_and_a_timer_proves_it_later(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1))
    venue.accepts(1)
    desk.tell(HALT)
    fails_to_list(desk)
    assert state_of(desk) == UNPROVED
    assert "NOT proved" in desk.cell.problem
    assert "venue down" in desk.cell.problem
    assert key_of(1) in desk.cell.problem

    venue._done["listed"] = len(desk.gateway.listed)
    desk.after(TRY_AGAIN_NS / NS_PER_S + 1)
    venue.works()

    assert state_of(desk) == PROVED
    assert desk.order(1).state is S.CANCELED


def test_an_answer_to_a_question_of_a_dead_incarnation_proves_nothing(desk: OrderPath) -> None:
    desk.tell(HALT)
    epoch, question, _ = desk.gateway.listed[0]
    desk.start()

    desk.tell(OpenListed(question=question, epoch=epoch, reports=(), problem=""))

    assert state_of(desk) == HALTING


# ------------------------------------------------------------------ deaths


@pytest.mark.parametrize("death", ["crash", "hang", "process"])
@pytest.mark.parametrize("answers", range(5))
def test_wherever_it_dies_the_next_one_goes_on_and_proves(
    desk: OrderPath, venue: Venue, tmp_path: Path, death: str, answers: int
) -> None:
    desk.tell(desk.intent(1), desk.intent(2))
    venue.accepts(1)
    venue.accepts(2)
    desk.tell(HALT)
    for _ in range(answers):
        venue.works_once()

    if death == "crash":
        desk.tell(InjectCrash(reason="test"))
    if death == "process":
        desk.stop()
        again = OrderPath(tmp_path)
        venue.desk, venue._done = again, dict.fromkeys(venue._done, 0)
        desk = again
    desk.start()
    assert desk.cell.state is ActorState.HALTED
    venue.works()
    desk.after(2)
    venue.works()

    assert state_of(desk) == PROVED
    assert {order.state for order in desk.orders().values()} == {S.CANCELED}
    desk.tell(desk.intent(3))
    assert desk.order(3).state is S.REFUSED


def test_a_halt_that_no_disk_takes_holds_in_this_process_and_is_written_when_it_can_be(
    tmp_path: Path,
) -> None:
    refuses = [True]

    class Refusing(SqliteLedger):
        def set_halt(self, reason: str) -> None:
            if refuses:
                raise LedgerUnavailable("disk full")
            super().set_halt(reason)

    desk = OrderPath(tmp_path, open_ledger=lambda: Refusing(tmp_path / "ledger.db")).start()
    desk.tell(HALT)
    assert not desk.kept.board.halt.on_disk
    assert "NOT on disk" in desk.cell.problem
    answer = desk.kept.board.answer("h")
    assert answer is not None
    assert not answer.ok

    desk.tell(InjectCrash(reason="test")).start()
    desk.tell(desk.intent(1))
    assert desk.order(1).state is S.REFUSED, "the next incarnation knows of it"
    assert not desk.kept.board.halt.on_disk

    refuses.clear()
    desk.after(TRY_AGAIN_NS / NS_PER_S + 1)
    view: HaltView = desk.kept.board.halt
    assert view.on_disk
    assert record_of(desk) is not None


@pytest.mark.parametrize("text", ["", "an older version's words", "{"])
def test_a_record_that_cannot_be_read_is_a_halt_and_stays_as_it_is(
    tmp_path: Path, text: str
) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.set_halt(text)
    ledger.close()

    desk = OrderPath(tmp_path).start()
    desk.tell(desk.intent(1), HALT)

    assert desk.order(1).state is S.REFUSED
    assert record_of(desk) == text


def test_a_disk_that_does_not_say_whether_it_was_halted_is_a_halt(tmp_path: Path) -> None:
    class Mute(SqliteLedger):
        def halt_reason(self) -> str | None:
            raise LedgerUnavailable("disk I/O error")

    desk = OrderPath(tmp_path, open_ledger=lambda: Mute(tmp_path / "ledger.db")).start()

    assert desk.cell.state is ActorState.HALTED
    assert "disk I/O error" in desk.cell.problem


# ------------------------------------------------------------------ two halts, and the end of one


def test_a_second_halt_proves_anew_and_keeps_the_first_reason(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(HALT)
    venue.works()

    desk.tell(HaltTrading(reason="another", durable=True, request="h2"))
    assert state_of(desk) == HALTING
    venue.works()

    assert state_of(desk) == PROVED
    assert desk.kept.board.halt.reason == "the operator said so"
    answer = desk.kept.board.answer("h2")
    assert answer is not None
    assert answer.ok


def resume(desk: OrderPath, *, despite_open: bool = False) -> tuple[bool, str]:
    desk.tell(ResumeTrading(request="r", despite_open=despite_open))
    answer = desk.kept.board.answer("r")
    assert answer is not None
    return answer.ok, answer.text


def test_a_proved_halt_ends_at_a_persons_word_and_trading_goes_on(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(HALT)
    venue.works()

    assert resume(desk) == (True, "trading goes on (it was halted: the operator said so)")

    assert desk.cell.state is ActorState.RUNNING
    assert record_of(desk) is None
    desk.tell(desk.intent(1))
    assert desk.order(1).state is S.SENT
    assert desk.start().cell.state is ActorState.RECONCILING


def test_without_a_proof_it_ends_only_when_the_person_accepts_it(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1))
    venue.accepts(1)
    desk.tell(HALT)
    fails_to_list(desk)

    ok, text = resume(desk)
    assert not ok
    assert "may still be open" in text
    assert key_of(1) in text
    assert record_of(desk) is not None

    assert resume(desk, despite_open=True)[0]
    assert desk.cell.state is ActorState.RUNNING


def test_there_is_nothing_to_resume_while_trading(desk: OrderPath) -> None:
    assert resume(desk) == (False, "trading is not halted")


def test_a_record_that_cannot_be_deleted_resumes_nothing(tmp_path: Path) -> None:
    class Sticky(SqliteLedger):
        def clear_halt(self) -> None:
            raise LedgerUnavailable("disk full")

    desk = OrderPath(tmp_path, open_ledger=lambda: Sticky(tmp_path / "ledger.db")).start()
    desk.tell(HALT)
    Venue(desk).works()

    ok, text = resume(desk)

    assert not ok
    assert text == "the halt is still on disk, and trading stays halted: disk full"
    desk.tell(desk.intent(1))
    assert desk.order(1).state is S.REFUSED


def test_after_a_resume_what_was_not_settled_at_the_start_still_holds_up_intents(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1)).start()
    desk.tell(HALT)
    assert resume(desk, despite_open=True)[0]

    desk.tell(desk.intent(2))

    assert desk.cell.state is ActorState.RECONCILING
    assert key_of(2) not in desk.orders()


# ------------------------------------------------------------------ a venue that failed


def test_a_failed_venue_halts_and_leaves_open_orders_as_they_are(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1))
    venue.accepts(1)
    desk.tell(HaltTrading(reason="the venue failed: x", durable=False))

    assert desk.gateway.canceled == []
    assert desk.gateway.listed == []
    assert desk.cell.problem == "the venue failed: x; open orders are left as they are"
    desk.tell(desk.intent(2))
    assert desk.order(2).state_reason == "halted: the venue failed: x"
    assert record_of(desk) is None
    assert resume(desk, despite_open=True)[0] is False

    desk.tell(InjectCrash(reason="test")).start()
    assert desk.cell.state is ActorState.HALTED, "it lasts as long as the process"


def test_a_persons_halt_on_top_of_a_failed_venue_cancels(desk: OrderPath, venue: Venue) -> None:
    desk.tell(desk.intent(1))
    venue.accepts(1)
    desk.tell(HaltTrading(reason="the venue failed: x", durable=False), HALT)
    venue.works()

    assert desk.order(1).state is S.CANCELED
    assert state_of(desk) == PROVED
