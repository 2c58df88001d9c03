"""What the venue says of an order and the ledger does not: for a person, until it is over."""

from decimal import Decimal
from pathlib import Path

from decisions.risk import RiskLimits
from messages.lifecycle import HaltTrading
from messages.values import OrderState as S
from tests.actors.order_path import fill
from tests.actors.stopped_path import AGE_NS, Stopped


def path(folder: Path) -> Stopped:
    limits = RiskLimits(allow_short=False)
    return Stopped(folder, max_decision_age_ns=AGE_NS, limits=limits).start()


def test_an_answer_that_was_old_is_no_difference_any_more_when_its_order_goes_on(
    tmp_path: Path,
) -> None:
    desk = path(tmp_path)
    desk.tell(desk.intent(0))
    desk.tell(desk.report(0, S.PARTIALLY_FILLED, "0.5", (fill("a", "0.3"), fill("b", "0.2"))))
    desk.stop()
    desk = path(tmp_path)
    lagging = desk.report(0, S.PARTIALLY_FILLED, "0.3", (fill("a", "0.3"),))

    desk.tell(desk.answer(desk.gateway.asked[-1], lagging))
    assert "0.5 filled here; at the venue partially_filled with 0.3" in desk.cell.problem
    desk.tell(desk.report(0, S.FILLED, "1", (fill("c", "0.5"),)))

    assert desk.order(0).filled_quantity == Decimal(1)
    assert desk.cell.problem == ""


def test_one_stays_as_long_as_only_another_order_goes_on(tmp_path: Path) -> None:
    desk = path(tmp_path)
    desk.tell(desk.intent(0), desk.intent(1))
    desk.tell(desk.report(0, S.ACCEPTED, "0"), desk.report(1, S.ACCEPTED, "0"))
    desk.stop()
    desk = path(tmp_path)
    first, second = desk.gateway.asked

    desk.tell(desk.answer(first, None), desk.answer(second, desk.report(1, S.ACCEPTED, "0")))
    told = desk.cell.problem
    desk.tell(desk.report(1, S.FILLED, "1", (fill("c", "1"),)))

    assert "the venue has no such order (any more)" in told
    assert desk.cell.problem == told


def test_a_ledger_that_is_deleted_under_its_run_is_told_of_and_keeps_no_halt(
    tmp_path: Path,
) -> None:
    """Health was OK, the halt proved, and the next process knew of neither order nor halt."""
    desk = path(tmp_path)
    desk.tell(desk.intent(0))
    desk.tell(desk.report(0, S.FILLED, "1", (fill("a", "1"),)))

    desk.path.unlink()
    desk.after(6)
    assert "ledger.db was deleted or replaced under this run" in desk.cell.problem
    desk.tell(HaltTrading(reason="look", durable=True, request="h"))

    answer = desk.kept.board.answer("h")
    assert answer is not None
    assert not answer.ok
    assert not desk.kept.board.halt.on_disk
