"""What a venue says of an order after its end: it moves nothing, and a person is told."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from decisions.risk import RiskLimits
from messages.ids import TimestampNs
from messages.orders import Fill, LookupDone
from messages.values import OrderState as S
from messages.values import Side
from persistence.ledger import SqliteLedger
from tests.actors.order_path import Asked, fill, key_of
from tests.actors.stopped_path import AGE_NS, Stopped


@pytest.fixture
def desk(tmp_path: Path) -> Stopped:
    return path(tmp_path)


def path(folder: Path) -> Stopped:
    limits = RiskLimits(allow_short=False)
    return Stopped(folder, max_decision_age_ns=AGE_NS, limits=limits).start()


def ended(desk: Stopped, side: Side = Side.BUY) -> Stopped:
    """Canceled, with 0.3 of 1 filled."""
    desk.tell(desk.intent(0, side))
    desk.fills(0, "0.3")
    desk.fills(0, "0.3", S.CANCELED)
    return desk


def test_an_order_that_fills_after_its_end_is_a_warning_that_says_what_to_do(
    desk: Stopped,
) -> None:
    """Its ledger row stays; nobody would know that more is held than any exit sells."""
    ended(desk).fills(0, "0.5", S.CANCELED)

    assert desk.order(0).filled_quantity == Decimal("0.3")
    problem = desk.cell.problem
    assert f"order {key_of(0)} is canceled with 0.3 filled here, and the venue says 0.5" in problem
    assert "what was bought after its end is in no position here" in problem
    assert 'watchkeeper account --accept "WHY"' in problem
    assert desk.matters() == {"filled_late": problem}


def test_an_end_and_more_than_that_in_one_commit_is_told_too(desk: Stopped) -> None:
    """A stream tells of both within a moment."""
    desk.tell(desk.intent(0))

    desk.tell(desk.report(0, S.CANCELED, "0.3"), desk.report(0, S.CANCELED, "0.5"))

    assert desk.order(0).filled_quantity == Decimal("0.3")
    assert "and the venue says 0.5" in desk.cell.problem


@pytest.mark.parametrize("order", ["as they happened", "the later one first"])
def test_executions_that_are_owed_are_counted_as_far_as_the_end_of_their_order_goes(
    tmp_path: Path, order: str
) -> None:
    """All of them were booked, and health said of the same ones that they are in no position."""
    desk = path(tmp_path)
    desk.tell(desk.intent(0))
    desk.tell(desk.report(0, S.CANCELED, "0.3"))
    first, late = at(fill("a", "0.3"), 1), at(fill("b", "0.2"), 2)
    told = (first, late) if order == "as they happened" else (late, first)

    desk.tell(desk.report(0, S.CANCELED, "0.5", told))

    assert desk.order(0).filled_quantity == Decimal("0.3")
    with closing(SqliteLedger(desk.path)) as ledger:
        assert [one.trade_id for one in ledger.fills_of(key_of(0))] == ["a"]
    assert "and the venue says 0.5" in desk.cell.problem


@pytest.mark.parametrize("apart", [True, False], ids=["one drain", "one moment"])
def test_nor_is_more_than_that_booked_where_they_come_at_once(tmp_path: Path, apart: bool) -> None:
    desk = path(tmp_path)
    desk.tell(desk.intent(0)).tell(desk.report(0, S.CANCELED, "0.3"))
    first, late = at(fill("a", "0.3"), 1), at(fill("b", "0.2"), 2)
    reports = [
        desk.report(0, S.CANCELED, "0.3", (first,)),
        desk.report(0, S.CANCELED, "0.5", (late,)),
    ]
    if not apart:
        more = at(fill("b", "0.4"), 1)
        reports = [desk.report(0, S.CANCELED, "0.7", (more, first))]

    desk.tell(*reports)

    with closing(SqliteLedger(desk.path)) as ledger:
        assert [one.trade_id for one in ledger.fills_of(key_of(0))] == ["a"]


def at(one: Fill, ts_ns: int) -> Fill:
    return msgspec.structs.replace(one, ts_event_ns=TimestampNs(ts_ns))


def test_what_says_it_again_says_nothing_new(desk: Stopped) -> None:
    ended(desk).fills(0, "0.3", S.CANCELED)
    desk.fills(0, "0.2")

    assert desk.cell.problem == ""


def test_the_answer_to_a_question_is_held_against_its_end_too(desk: Stopped) -> None:
    """A person's cancel, a halt, and executions that are owed ask for orders that have ended."""
    ended(desk)
    question = Asked(desk.actor.ctx.epoch, key_of(0), desk.gateway.sent[0].order)

    desk.tell(desk.answer(question, desk.report(0, S.FILLED, "1")))

    assert "and the venue says 1" in desk.cell.problem


def test_no_order_and_a_question_that_failed_say_nothing_of_it(desk: Stopped) -> None:
    ended(desk)
    for problem in ("", "no answer"):
        answer = LookupDone(
            order_key=key_of(0), epoch=desk.actor.ctx.epoch, report=None, problem=problem
        )
        desk.tell(answer)

    assert desk.cell.problem == ""


def test_it_is_told_by_the_next_process_too(tmp_path: Path) -> None:
    before = ended(path(tmp_path))
    before.fills(0, "0.5", S.CANCELED)
    before.stop()

    after = path(tmp_path)

    assert "and the venue says 0.5" in after.cell.problem


def test_it_ends_with_a_persons_word(tmp_path: Path) -> None:
    desk = ended(path(tmp_path))
    desk.fills(0, "0.5", S.CANCELED)

    desk.inside(lambda it: it._desk.late.accepted())
    desk.inside(lambda it: it._health.show())

    assert desk.cell.problem == ""
    desk.stop()
    assert path(tmp_path).actor._desk.late.known() == ""
