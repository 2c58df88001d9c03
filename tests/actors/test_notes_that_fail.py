"""What goes with a commit that fails, and that nobody dies of, is written with the next."""

from decimal import Decimal
from pathlib import Path

import pytest

from actors.noted_exits import NotedExits
from decisions.order_wishes import CANCELS, wishes_in
from decisions.risk import RiskLimits
from decisions.unfinished_exits import LEAVING
from messages.values import OrderState as S
from messages.values import Protection
from persistence.ledger import SqliteLedger
from tests.actors.changing import AGE_NS, canceled, ending, with_one
from tests.actors.exit_path import Failing, leave, path
from tests.actors.order_path import OrderPath, fill
from tests.actors.stopped_path import AGE_NS as STOP_AGE_NS
from tests.actors.stopped_path import Stopped

KEEPS_MARKS = RiskLimits(max_drawdown={"USDT": Decimal(1_000)})
"""So that a quiet moment writes: the last marks, and what else is to be written."""


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_that_an_order_has_ended_is_noted_after_a_quiet_moment_that_failed(
    tmp_path: Path, is_late: bool
) -> None:
    desk = with_one(
        OrderPath(
            tmp_path,
            limits=KEEPS_MARKS,
            max_decision_age_ns=AGE_NS,
            open_ledger=lambda: Failing(tmp_path / "ledger.db"),
        )
    )
    desk.tell(desk.report(1, S.PARTIALLY_FILLED, "0.5", (fill("1-1", "0.5"),)))
    desk.price("110")  # of what is held, which is worth a note
    desk.tell(ending(desk))
    canceled(desk, desk.report(1, S.CANCELED, "0.5"))
    assert [one.order_key for one in wishes_in(note(desk, CANCELS))], "it waits for a commit"

    Failing.left, Failing.is_late = 1, is_late
    desk.after(1)
    assert Failing.left == 0, "the quiet moment has failed, and nobody died of it"
    desk.tell(desk.intent(3))

    assert wishes_in(note(desk, CANCELS)) == []


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_what_stops_have_seen_is_written_after_a_quiet_moment_that_failed(
    tmp_path: Path, is_late: bool
) -> None:
    desk = Stopped(
        tmp_path,
        limits=KEEPS_MARKS,
        max_decision_age_ns=STOP_AGE_NS,
        open_ledger=lambda: Failing(tmp_path / "ledger.db"),
    )
    desk.start()
    desk.tell(desk.intent(0, protection=Protection(trailing=Decimal(5))))
    desk.fills(0, "1", S.FILLED)
    desk.price("130").tell(desk.intent(2))
    assert desk.actor._desk.stops.take_looks(), "it waits for a commit"

    Failing.left, Failing.is_late = 1, is_late
    desk.after(1)
    assert Failing.left == 0, "the quiet moment has failed, and nobody died of it"
    desk.tell(desk.intent(3))

    assert desk.only_stop.best_price == Decimal(130)


def test_what_exits_have_still_to_do_is_given_again_where_it_may_not_be_written(
    tmp_path: Path,
) -> None:
    desk = path(tmp_path)
    desk.tell(desk.intent(0))
    leave(desk)
    ledger = SqliteLedger(desk.path)
    noted = NotedExits(desk.actor.ctx, ledger, desk.kept.exits)
    ledger.close()
    assert noted.taken() == {}

    noted.failed()

    assert noted.taken() == {LEAVING: note(desk, LEAVING)}
    assert noted.taken() == {}


def note(desk: OrderPath, name: str) -> str | None:
    ledger = SqliteLedger(desk.path)
    try:
        return ledger.note(name)
    finally:
        ledger.close()
