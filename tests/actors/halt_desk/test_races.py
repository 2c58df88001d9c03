"""The kill switch in the executor: lost answers and races end in a proof, whatever dies."""

from decimal import Decimal
from pathlib import Path

import pytest

from actors.halt_desk import PAUSE_NS, TRY_AGAIN_NS
from actors.operator_board import HaltView
from decisions.halting import MOST_TRIES
from messages.errors import LedgerUnavailable
from messages.halting import CancelDone, OpenListed
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState, InjectCrash
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger
from tests.actors.halt_desk.halts import (
    HALT,
    HALTING,
    PROVED,
    UNPROVED,
    Venue,
    record_of,
    state_of,
)
from tests.actors.order_path import BTC, OrderPath, fill, key_of


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
    assert desk.actor._desk._risk.exposure == {BTC: Decimal(1)}
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
    venue.down = True
    desk.tell(HALT)
    while state_of(desk) != UNPROVED:
        venue.works()
        desk.after(PAUSE_NS / NS_PER_S)
    assert "NOT proved" in desk.cell.problem
    assert "venue down" in desk.cell.problem
    assert key_of(1) in desk.cell.problem

    venue.down = False
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


def test_each_word_of_a_person_asks_a_disk_that_refuses_once(tmp_path: Path) -> None:
    """A locked ledger answers after five seconds: twice in one message is what a hang is."""
    tried: list[str] = []

    class Refusing(SqliteLedger):
        def set_halt(self, reason: str) -> None:
            tried.append(reason)
            raise LedgerUnavailable("locked")

    desk = OrderPath(tmp_path, open_ledger=lambda: Refusing(tmp_path / "ledger.db")).start()

    desk.tell(HALT)
    assert len(tried) == 1
    desk.tell(HALT)
    assert len(tried) == 2


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
