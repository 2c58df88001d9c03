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


class Copies:
    """How many were made; the first may fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.made, self.fails = 0, fails


class Watched(SqliteLedger):
    """Counts its copies."""

    def __init__(self, path: Path, copies: Copies) -> None:
        self.copies = copies
        super().__init__(path)

    def tidy(self) -> None:
        if self.copies.fails:
            self.copies.fails = False
            raise LedgerUnavailable("the file is locked")
        super().tidy()
        self.copies.made += 1


def begun(folder: Path, copies: Copies) -> OrderPath:
    return OrderPath(folder, open_ledger=lambda: Watched(folder / "ledger.db", copies)).start()


@pytest.fixture
def copies() -> Copies:
    return Copies()


@pytest.fixture
def path(copies: Copies, tmp_path: Path) -> OrderPath:
    return begun(tmp_path, copies)


def decide(path: OrderPath, *numbers: int) -> None:
    path.tell(*(path.intent(number) for number in numbers))


def test_what_an_earlier_life_may_have_left_is_copied_in_the_first_quiet_moment(
    path: OrderPath, copies: Copies
) -> None:
    decide(path, 0)
    path.after(QUIET_S / 2)
    assert copies.made == 0

    path.after(QUIET_S)
    assert copies.made == 1


def test_a_life_has_its_room_in_the_log_before_its_first_order(
    path: OrderPath, tmp_path: Path
) -> None:
    path.after(QUIET_S)

    assert (tmp_path / "ledger.db-wal").stat().st_size >= ROOM_BYTES


@pytest.mark.slow
def test_lone_orders_with_quiet_between_them_share_one_log(path: OrderPath, copies: Copies) -> None:
    decide(path, 0)
    path.after(2 * QUIET_S)
    for number in range(1, 20):
        decide(path, number)
        path.tell(path.submitted(number, OrderState.ACCEPTED))
        path.after(2 * QUIET_S)

    assert copies.made == 1


def test_once_enough_was_written_the_next_quiet_moment_is_used_and_counting_begins_anew(
    path: OrderPath, copies: Copies
) -> None:
    decide(path, 0)
    path.after(2 * QUIET_S)
    decide(path, *range(1, TIDY_ROWS))
    path.after(2 * QUIET_S)
    assert copies.made == 1

    decide(path, TIDY_ROWS)
    path.after(2 * QUIET_S)
    assert copies.made == 2

    decide(path, TIDY_ROWS + 1)
    path.after(2 * QUIET_S)
    assert copies.made == 2


@pytest.mark.slow
def test_a_copy_that_failed_is_made_after_the_next_commit(tmp_path: Path) -> None:
    copies = Copies(fails=True)
    path = begun(tmp_path, copies)
    decide(path, 0)
    path.after(2 * QUIET_S)
    assert copies.made == 0

    decide(path, 1)
    path.after(2 * QUIET_S)
    assert copies.made == 1


@pytest.mark.slow
def test_the_log_stays_within_what_a_commit_need_not_copy(
    path: OrderPath, copies: Copies, tmp_path: Path
) -> None:
    """Each order in a commit of its own, which takes the most pages."""
    for number in range(TIDY_ROWS):
        decide(path, number)

    pages = (tmp_path / "ledger.db-wal").stat().st_size / 4_096
    assert pages < WAL_PAGES / 2
    assert copies.made == 0
