"""The log is copied in quiet moments, when enough is in it: a lone order pays for no new log."""

from pathlib import Path

import pytest

from actors.tidying import QUIET_NS, TIDY_ROWS
from messages.errors import LedgerUnavailable
from messages.ids import NS_PER_S
from messages.values import OrderState
from persistence.database import WAL_PAGES
from persistence.ledger import SqliteLedger
from persistence.log_room import ROOM_BYTES
from tests.actors.order_path import OrderPath

QUIET_S = QUIET_NS / NS_PER_S


class Watched(SqliteLedger):
    """Counts its copies; the first may fail."""

    def __init__(self, path: Path, *, fails: bool = False) -> None:
        self.copies = 0
        self.fails = fails
        super().__init__(path)

    def tidy(self) -> None:
        if self.fails:
            self.fails = False
            raise LedgerUnavailable("the file is locked")
        super().tidy()
        self.copies += 1


@pytest.fixture
def ledger(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "ledger.db")


@pytest.fixture
def path(ledger: Watched, tmp_path: Path) -> OrderPath:
    return OrderPath(tmp_path, open_ledger=lambda: ledger).start()


def decide(path: OrderPath, *numbers: int) -> None:
    path.tell(*(path.intent(number) for number in numbers))


def test_what_an_earlier_life_may_have_left_is_copied_in_the_first_quiet_moment(
    path: OrderPath, ledger: Watched
) -> None:
    decide(path, 0)
    path.after(QUIET_S / 2)
    assert ledger.copies == 0

    path.after(QUIET_S)
    assert ledger.copies == 1


def test_a_life_has_its_room_in_the_log_before_its_first_order(
    path: OrderPath, tmp_path: Path
) -> None:
    path.after(QUIET_S)

    assert (tmp_path / "ledger.db-wal").stat().st_size >= ROOM_BYTES


@pytest.mark.slow
def test_lone_orders_with_quiet_between_them_share_one_log(
    path: OrderPath, ledger: Watched
) -> None:
    decide(path, 0)
    path.after(2 * QUIET_S)
    for number in range(1, 20):
        decide(path, number)
        path.tell(path.submitted(number, OrderState.ACCEPTED))
        path.after(2 * QUIET_S)

    assert ledger.copies == 1


def test_once_enough_was_written_the_next_quiet_moment_is_used_and_counting_begins_anew(
    path: OrderPath, ledger: Watched
) -> None:
    decide(path, 0)
    path.after(2 * QUIET_S)
    decide(path, *range(1, TIDY_ROWS))
    path.after(2 * QUIET_S)
    assert ledger.copies == 1

    decide(path, TIDY_ROWS)
    path.after(2 * QUIET_S)
    assert ledger.copies == 2

    decide(path, TIDY_ROWS + 1)
    path.after(2 * QUIET_S)
    assert ledger.copies == 2


@pytest.mark.slow
def test_a_copy_that_failed_is_made_after_the_next_commit(tmp_path: Path) -> None:
    ledger = Watched(tmp_path / "ledger.db", fails=True)
    path = OrderPath(tmp_path, open_ledger=lambda: ledger).start()
    decide(path, 0)
    path.after(2 * QUIET_S)
    assert ledger.copies == 0

    decide(path, 1)
    path.after(2 * QUIET_S)
    assert ledger.copies == 1


@pytest.mark.slow
def test_the_log_stays_within_what_a_commit_need_not_copy(
    path: OrderPath, ledger: Watched, tmp_path: Path
) -> None:
    """Each order in a commit of its own, which takes the most pages."""
    for number in range(TIDY_ROWS):
        decide(path, number)

    pages = (tmp_path / "ledger.db-wal").stat().st_size / 4_096
    assert pages < WAL_PAGES / 2
    assert ledger.copies == 0
