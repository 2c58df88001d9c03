"""What goes with a commit that fails, and that nobody dies of, is written with the next."""

from decimal import Decimal
from pathlib import Path

import pytest

from actors.noted_exits import NotedExits
from decisions.order_wishes import CANCELS, wishes_in
from decisions.risk import RiskLimits
from decisions.unfinished_exits import LEAVING
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger
from tests.actors.changing import AGE_NS, canceled, ending, with_one
from tests.actors.exit_path import Failing, leave, path
from tests.actors.order_path import OrderPath

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
    desk.tell(ending(desk))
    canceled(desk, desk.report(1, S.CANCELED))
    assert [one.order_key for one in wishes_in(note(desk, CANCELS))], "it waits for a commit"

    Failing.left, Failing.is_late = 1, is_late
    desk.after(1)
    assert Failing.left == 0, "the quiet moment has failed, and nobody died of it"
    desk.tell(desk.intent(3))

    assert wishes_in(note(desk, CANCELS)) == []


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
