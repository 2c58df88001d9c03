"""One process writes a ledger: the one that took it last."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from messages.errors import LedgerFenced, LedgerUnavailable
from persistence.ledger import SqliteLedger, read_orders, take_writing
from tests.persistence.writes import WRITES, ClaimOf, StepOf, Write


@pytest.fixture
def former(path: Path, claim_of: ClaimOf) -> Iterator[SqliteLedger]:
    """A ledger with one order, of a process that does not know yet that it is over."""
    with closing(SqliteLedger(path, take_writing(path))) as ledger:
        ledger.claim([claim_of(0)], 1)
        ledger.record([])
        ledger.set_halt("for a while")
        take_writing(path)
        yield ledger


EVERY_WRITE: dict[str, Write] = WRITES | {"housekeeping": lambda ledger, claim, step: ledger.tidy()}


def content(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


@pytest.mark.parametrize("write", EVERY_WRITE.values(), ids=list(EVERY_WRITE))
def test_who_was_taken_over_writes_nothing_more(
    write: Write, former: SqliteLedger, path: Path, claim_of: ClaimOf, step_of: StepOf
) -> None:
    before = content(path)

    with pytest.raises(LedgerFenced, match="another process has taken this ledger over"):
        write(former, claim_of, step_of)

    assert content(path) == before


@pytest.mark.parametrize("write", EVERY_WRITE.values(), ids=list(EVERY_WRITE))
def test_who_took_it_writes(write: Write, path: Path, claim_of: ClaimOf, step_of: StepOf) -> None:
    take_writing(path)
    with closing(SqliteLedger(path, take_writing(path))) as ledger:
        ledger.claim([claim_of(0)], 1)
        write(ledger, claim_of, step_of)


def test_each_connection_of_the_process_that_took_it_may_write(
    path: Path, claim_of: ClaimOf
) -> None:
    """An executor that is started again opens the ledger again."""
    number = take_writing(path)
    for at in range(3):
        with closing(SqliteLedger(path, number)) as ledger:
            ledger.claim([claim_of(at)], 1)

    assert len(list(read_orders(path))) == 3


def test_who_was_taken_over_cannot_even_open_it(path: Path) -> None:
    number = take_writing(path)
    take_writing(path)

    with pytest.raises(LedgerFenced):
        SqliteLedger(path, number)


def test_the_numbers_rise(path: Path) -> None:
    assert [take_writing(path) for _ in range(3)] == [1, 2, 3]


def test_nothing_of_the_fence_stays_in_the_file(path: Path, claim_of: ClaimOf) -> None:
    """An older version, and a run that needs no lease, open it as ever."""
    with closing(SqliteLedger(path, take_writing(path))):
        pass
    with closing(SqliteLedger(path)) as ledger:
        ledger.claim([claim_of(0)], 1)
    with closing(sqlite3.connect(path)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]

    assert not [name for name in names if name.startswith("fence")]


def test_a_claim_that_was_first_is_seen_by_who_takes_over(path: Path, claim_of: ClaimOf) -> None:
    with closing(SqliteLedger(path, take_writing(path))) as first:
        first.claim([claim_of(0)], 1)
        with closing(SqliteLedger(path, take_writing(path))) as second:
            assert [entry.order_key for entry in second.open_entries()] == [
                claim_of(0).intent.order_key
            ]


@pytest.mark.slow
def test_in_the_middle_of_anothers_write_it_is_not_taken(path: Path, claim_of: ClaimOf) -> None:
    """A process that was stopped there keeps the lock, and its write comes first or not at all."""
    number = take_writing(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as stopped:
        stopped.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="locked"):
            take_writing(path)
        stopped.execute("COMMIT")
    with closing(SqliteLedger(path, number)) as ledger:
        ledger.claim([claim_of(0)], 1)
