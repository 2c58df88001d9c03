"""Reading what was executed before: nobody waits for it, and what cannot be read is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.step_runtime import StepRuntime
from decisions.money_fold import MoneyFold
from messages.values import OrderState
from ops.earlier import EarlierExecutions
from persistence.ledger import SqliteLedger
from persistence.memory_ledger import MemoryLedger
from tests.cli.runs import BTC, book, fill


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two executions of an order that ended and one of an order that is open."""
    with book(tmp_path) as run:
        run.step(run.claim(1), OrderState.FILLED, fill("t1", "1"), fill("t2", "1"))
        run.step(run.claim(2), OrderState.PARTIALLY_FILLED, fill("t3", "0.5"))
    return tmp_path / "ledger.db"


def opened(path: Path, runtime: StepRuntime, money: MoneyFold) -> EarlierExecutions:
    earlier = EarlierExecutions(path, runtime, money)
    open_once = earlier.opening(lambda: SqliteLedger(path))
    open_once().close()
    return earlier


def test_the_moment_is_that_of_the_opening_however_late_it_is_read(ledger: Path) -> None:
    runtime, money = StepRuntime(), MoneyFold()
    earlier = opened(ledger, runtime, money)
    money.take_up()
    assert money.is_pending
    with book(ledger.parent) as run:
        run.step(run.claim(3), OrderState.FILLED, fill("t4", "2"))

    earlier.settle()
    money.take_up()

    assert (money.orders, money.executions, money.is_whole) == (2, 3, True)
    assert str(money.portfolio.holdings[BTC].quantity) == "2.5"


def test_another_incarnation_of_the_executor_reads_nothing_again(ledger: Path) -> None:
    runtime, money = StepRuntime(), MoneyFold()
    earlier = EarlierExecutions(ledger, runtime, money)
    open_ledger = earlier.opening(lambda: SqliteLedger(ledger))
    open_ledger().close()
    earlier.settle()
    money.take_up()

    open_ledger().close()

    assert not money.is_pending
    assert money.executions == 3


def test_a_ledger_that_is_away_is_said(ledger: Path, tmp_path: Path) -> None:
    money = MoneyFold()
    earlier = EarlierExecutions(tmp_path / "none.db", StepRuntime(), money)

    earlier.opening(lambda: SqliteLedger(ledger))().close()
    earlier.settle()
    money.take_up()

    assert not money.is_pending
    assert "there is no ledger at" in money.problem


def test_a_reader_that_is_too_slow_is_given_up_and_tells_nothing_later(ledger: Path) -> None:
    class Slow(StepRuntime):
        def flush(self, name: str, timeout_ns: int) -> bool:
            return False

    jobs: list[Callable[[], Any]] = []
    runtime, money = Slow(), MoneyFold()
    runtime.worker = lambda name: jobs.append  # type: ignore[method-assign]  # planted
    opened(ledger, runtime, money)
    for job in jobs:
        job()
    money.take_up()

    assert money.problem == "the ledger was too slow to read"
    assert not money.portfolio.holdings


def test_a_moment_that_is_held_just_too_late_is_let_go(ledger: Path) -> None:
    """It is given up between the look whether it was and the end of the job that holds it."""
    jobs: list[Callable[[], Any]] = []

    class Slow(StepRuntime):
        def flush(self, name: str, timeout_ns: int) -> bool:
            jobs.pop(0)()
            return False

    runtime, money = Slow(), MoneyFold()
    runtime.worker = lambda name: jobs.append  # type: ignore[method-assign]  # planted
    earlier = opened(ledger, runtime, money)
    assert earlier._reader is not None
    for job in jobs:
        job()

    assert earlier._reader is None


def test_before_the_executor_has_opened_its_ledger_nothing_is_said_of_it(ledger: Path) -> None:
    money = MoneyFold()
    earlier = EarlierExecutions(ledger, StepRuntime(), money)
    earlier.settle()
    money.take_up()
    assert not money.is_whole

    earlier.opening(lambda: SqliteLedger(ledger))().close()
    earlier.settle()
    money.take_up()
    assert (money.is_whole, money.executions) == (True, 3)


def test_a_run_directory_without_a_ledger_is_whole_from_the_beginning(tmp_path: Path) -> None:
    money = MoneyFold()
    earlier = EarlierExecutions(tmp_path / "none.db", StepRuntime(), money)
    assert money.is_whole

    earlier.opening(lambda: SqliteLedger(tmp_path / "none.db"))().close()
    money.take_up()
    assert money.is_whole


def test_a_ledger_in_memory_is_new() -> None:
    money = MoneyFold()

    EarlierExecutions(Path("none.db"), StepRuntime(), money).opening(MemoryLedger)()
    money.take_up()

    assert (money.is_whole, money.executions) == (True, 0)
