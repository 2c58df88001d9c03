"""The kill switch in the executor: a second halt, a failed venue, and the end by a person."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec

from actors.risk_books import EQUITY
from decisions.risk import RiskLimits
from decisions.risk_equity import EquityBook
from messages.errors import LedgerUnavailable
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState, HaltTrading, InjectCrash
from messages.values import OrderState as S
from persistence.entries import NO_NOTES
from persistence.ledger import SqliteLedger
from persistence.stored_ledger import Write
from tests.actors.halt_desk.halts import (
    HALT,
    HALTING,
    PROVED,
    Venue,
    fails_to_list,
    record_of,
    resume,
    state_of,
)
from tests.actors.order_path import OrderPath, fill, key_of

FAILED = HaltTrading(reason="the venue failed: x", durable=False)


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


def down_by_twenty(folder: Path, opened: Callable[[], SqliteLedger]) -> OrderPath:
    """Lose twice what the limit allows."""
    limits = RiskLimits(max_drawdown={"USDT": Decimal(10)})
    desk = OrderPath(folder, limits=limits, open_ledger=opened).start()
    desk.price("100").tell(desk.intent(1))
    return desk.tell(desk.report(1, S.FILLED, "1", (fill("1-1"),))).price("80")


def test_who_resumes_is_told_that_the_drawdown_begins_anew(tmp_path: Path) -> None:
    """It was reached under a halt for another reason, which is all that the person has read."""
    desk = down_by_twenty(tmp_path, partial(SqliteLedger, tmp_path / "ledger.db"))
    desk.tell(HALT)
    Venue(desk).works()

    ok, text = resume(desk)

    assert ok
    assert text.startswith("trading goes on; the drawdown begins anew at the present equity")


def kept_equity(desk: OrderPath) -> str | None:
    with closing(SqliteLedger(desk.path)) as ledger:
        return ledger.note(EQUITY)


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
        def clear_halt(self, notes: Mapping[str, str] = NO_NOTES) -> None:
            raise LedgerUnavailable("disk full")

    desk = OrderPath(tmp_path, open_ledger=lambda: Sticky(tmp_path / "ledger.db")).start()
    desk.tell(HALT)
    Venue(desk).works()

    ok, text = resume(desk)

    assert not ok
    assert text == "the halt is still on disk, and trading stays halted: disk full"
    desk.tell(desk.intent(1))
    assert desk.order(1).state is S.REFUSED


def test_a_resume_that_fails_forgives_no_drawdown(tmp_path: Path) -> None:
    class Sticky(SqliteLedger):
        def clear_halt(self, notes: Mapping[str, str] = NO_NOTES) -> None:
            raise LedgerUnavailable("disk full")

    opened = partial(Sticky, tmp_path / "ledger.db")
    desk = down_by_twenty(tmp_path, opened)
    desk.tell(HALT)
    Venue(desk).works()
    before = kept_equity(desk)

    assert not resume(desk)[0]

    assert kept_equity(desk) == before
    desk.stop()  # which keeps the marks: at 80 it is down by 20, and nobody forgave that
    after = msgspec.json.decode(kept_equity(desk) or "", type=EquityBook)
    assert after.quotes["USDT"].drawdown == Decimal(20)


def test_a_resume_whose_forgiven_drawdown_cannot_be_written_resumes_nothing(
    tmp_path: Path,
) -> None:
    """What the person is told and what the gate does are the same."""

    class Full(SqliteLedger):
        is_full = False

        def _commit(self, writes: Sequence[Write]) -> None:
            if self.is_full and any(EQUITY in str(values) for _, values in writes):
                raise LedgerUnavailable("disk full")
            super()._commit(writes)

    desk = down_by_twenty(tmp_path, partial(Full, tmp_path / "ledger.db"))
    desk.tell(HALT)
    Venue(desk).works()

    Full.is_full = True
    ok, text = resume(desk)

    assert (ok, state_of(desk)) == (False, PROVED)
    assert text == "the halt is still on disk, and trading stays halted: disk full"
    assert record_of(desk) is not None
    Full.is_full = False
    assert resume(desk)[0]
    assert desk.tell(desk.intent(2)).order(2).state is S.SENT


def test_after_a_resume_what_was_not_settled_at_the_start_still_holds_up_intents(
    desk: OrderPath, venue: Venue
) -> None:
    desk.tell(desk.intent(1)).start()
    desk.tell(HALT)
    assert resume(desk, despite_open=True)[0]

    desk.tell(desk.intent(2))

    assert desk.cell.state is ActorState.RECONCILING
    assert key_of(2) not in desk.orders()


def on_a_live_market(folder: Path) -> OrderPath:
    """An executor whose decisions age: what it refuses is not decided again."""
    return OrderPath(folder, max_decision_age_ns=30 * NS_PER_S).start()


def test_a_failed_venue_halts_and_leaves_open_orders_as_they_are(tmp_path: Path) -> None:
    desk = on_a_live_market(tmp_path)
    desk.tell(desk.intent(1))
    Venue(desk).accepts(1)
    desk.tell(FAILED)

    assert desk.gateway.canceled == []
    assert desk.gateway.listed == []
    assert desk.cell.problem == "the venue failed: x; open orders are left as they are"
    desk.tell(desk.intent(2))
    assert desk.order(2).state_reason == "halted: the venue failed: x"
    assert record_of(desk) is None
    assert resume(desk, despite_open=True)[0] is False

    desk.tell(InjectCrash(reason="test")).start()
    assert desk.cell.state is ActorState.HALTED, "it lasts as long as the process"


def test_a_venue_that_fails_on_a_recording_ends_the_executor_and_nothing_is_refused_for_it(
    desk: OrderPath, venue: Venue
) -> None:
    """The market is shown again: what would be refused now could not be decided then."""
    desk.gateway.shows_again = True
    desk.tell(desk.intent(1))
    venue.accepts(1)
    desk.tell(desk.intent(2), FAILED, desk.intent(3))

    assert desk.cell.life is not None
    assert desk.cell.life.gone.is_set()
    assert set(desk.orders()) == {key_of(1)}
    assert desk.gateway.canceled == []
    assert desk.kept.board.halt.reason == "the venue failed: x"


def test_an_exchange_that_fails_halts_on_a_recording_too(desk: OrderPath, venue: Venue) -> None:
    """It does not begin anew with the market: what it may have of ours is settled by asking."""
    desk.tell(desk.intent(1))
    venue.accepts(1)
    desk.tell(FAILED)

    desk.tell(desk.intent(2))

    assert desk.cell.state is ActorState.HALTED
    assert desk.order(1).state is S.ACCEPTED
    assert desk.order(2).state_reason == "halted: the venue failed: x"


def test_an_executor_does_not_begin_again_on_a_recording_whose_venue_failed(
    desk: OrderPath,
) -> None:
    desk.gateway.shows_again = True
    desk.tell(FAILED)

    started = desk.runtime.start(desk.cell)

    assert "VenueFailed: the venue failed: x" in started.problem


def test_a_persons_halt_on_top_of_a_failed_venue_cancels(tmp_path: Path) -> None:
    desk = on_a_live_market(tmp_path)
    venue = Venue(desk)
    desk.tell(desk.intent(1))
    venue.accepts(1)
    desk.tell(FAILED, HALT)
    venue.works()

    assert desk.order(1).state is S.CANCELED
    assert state_of(desk) == PROVED


def test_a_cause_that_could_not_be_read_at_first_is_not_written_over(tmp_path: Path) -> None:
    unread: list[str] = []

    class Unread(SqliteLedger):
        def halt_reason(self) -> str | None:
            if unread:
                raise LedgerUnavailable(unread.pop())
            return super().halt_reason()

    desk = OrderPath(tmp_path, open_ledger=lambda: Unread(tmp_path / "ledger.db")).start()
    desk.tell(HALT)
    unread.append("a bad sector")

    desk.start().after(10)

    assert unread == []
    with closing(SqliteLedger(desk.path)) as ledger:
        assert HALT.reason in (ledger.halt_reason() or "")
