"""The measured ledger is the ledger, and says how long it took and for whom it waited."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from decisions.ledger_figures import LedgerFigures
from messages.errors import LedgerLost, LedgerUnavailable
from messages.values import OrderState
from persistence import measured_ledger
from persistence.ledger import Claim, SqliteLedger, Step
from persistence.measured_ledger import MeasuredLedger


@pytest.fixture
def figures() -> LedgerFigures:
    return LedgerFigures()


@pytest.fixture
def measured(path: Path, figures: LedgerFigures) -> Iterator[MeasuredLedger]:
    ledger = MeasuredLedger(path, figures=figures)
    yield ledger
    ledger.close()


@pytest.fixture
def other(measured: MeasuredLedger, path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else who writes."""
    del measured
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


def test_commits_and_the_claims_in_them_are_counted(
    measured: MeasuredLedger,
    figures: LedgerFigures,
    claim_of: Callable[..., Claim],
    step_of: Callable[..., Step],
) -> None:
    measured.claim([claim_of(0)], 1)
    measured.claim([claim_of(number) for number in range(1, 6)], 1)
    measured.record([step_of(0, OrderState.SENT)])
    measured.tidy()

    told = figures.summary(0)
    assert told["commits"] == 3
    assert told["claims_per_commit"]["count"] == 2
    assert (told["claims_per_commit"]["p50"], told["claims_per_commit"]["max"]) == (1, 5)
    assert told["commit_ns"]["max"] > 0
    assert told["checkpoints"] == 1
    assert (told["lock_waits"], told["busy_retries"]) == (0, 0)
    assert list(told) == sorted(told)


@pytest.mark.parametrize("count", [1, 3])
def test_a_wait_for_somebody_else_is_counted_and_nothing_is_lost(
    measured: MeasuredLedger,
    figures: LedgerFigures,
    other: sqlite3.Connection,
    claim_of: Callable[..., Claim],
    monkeypatch: pytest.MonkeyPatch,
    count: int,
) -> None:
    """The other one lets go once our second try has failed."""
    pauses = 0

    def pause(_: float) -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 2:
            other.execute("COMMIT")

    monkeypatch.setattr("persistence.measured_ledger.time.sleep", pause)
    other.execute("BEGIN IMMEDIATE")
    measured.claim([claim_of(number) for number in range(count)], 1)

    assert measured.states() == {OrderState.CLAIMED: count}
    assert (figures.lock_waits, figures.busy_retries) == (1, 2)


def test_who_never_gets_it_is_told_so_in_the_end(
    measured: MeasuredLedger,
    other: sqlite3.Connection,
    claim_of: Callable[..., Claim],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measured_ledger, "BUSY_MS", 30)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerLost, match=r"another process keeps the ledger .* locked"):
        measured.claim([claim_of(0)], 1)
    assert not measured.answers()
    other.execute("COMMIT")
    assert measured.answers()
    measured.claim([claim_of(0)], 1)
    assert measured.states() == {OrderState.CLAIMED: 1}


def test_a_file_that_is_locked_while_it_is_opened_is_waited_for(
    path: Path, figures: LedgerFigures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by one that recovers it after a crash, in the moment between two statements."""
    rows, refused = SqliteLedger._rows, LedgerUnavailable("the ledger cannot be used: locked")
    refused.__cause__ = locked = sqlite3.OperationalError("database is locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
    refusals = [refused]

    def locked_once(self: SqliteLedger, *arguments: Any) -> Any:
        if refusals:
            raise refusals.pop()
        return rows(self, *arguments)

    monkeypatch.setattr(SqliteLedger, "_rows", locked_once)
    with closing(MeasuredLedger(path, figures=figures)) as ledger:
        assert ledger.states() == {}
    assert (figures.lock_waits, figures.busy_retries) == (1, 1)


def test_reading_goes_on_while_somebody_writes(
    measured: MeasuredLedger, other: sqlite3.Connection, claim_of: Callable[..., Claim]
) -> None:
    measured.claim([claim_of(0)], 1)
    other.execute("BEGIN IMMEDIATE")
    assert measured.states() == {OrderState.CLAIMED: 1}
    assert measured.halt_reason() is None
    other.execute("COMMIT")


@pytest.mark.slow
def test_two_that_write_at_once_both_get_everything_in(
    measured: MeasuredLedger,
    figures: LedgerFigures,
    other: sqlite3.Connection,
    claim_of: Callable[..., Claim],
) -> None:
    def disturb() -> None:
        other.execute("PRAGMA busy_timeout = 5000")
        for number in range(100):
            other.execute("BEGIN IMMEDIATE")
            other.execute("REPLACE INTO flags VALUES ('noise', ?)", (str(number),))
            other.execute("COMMIT")

    thread = threading.Thread(target=disturb)
    thread.start()
    for number in range(100):
        measured.claim([claim_of(number)], 1)
    thread.join()

    assert measured.states() == {OrderState.CLAIMED: 100}
    assert figures.commit_ns.count == 100
