"""What holds for the ledger on disk."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from messages.errors import LedgerConflict, LedgerUnavailable
from messages.ids import OrderKey
from messages.orders import Fill
from messages.values import OrderState as S
from persistence.database import open_ledger_database
from persistence.ledger import (
    Claim,
    SqliteLedger,
    Step,
    read_events,
    read_fills,
    read_orders,
)
from persistence.ledger_place import place_in

ClaimOf = Callable[..., Claim]
StepOf = Callable[..., Step]


def test_the_file_is_opened_so_that_commits_are_durable(path: Path) -> None:
    with closing(open_ledger_database(path)) as database:
        names = ["journal_mode", "synchronous", "busy_timeout", "wal_autocheckpoint"]
        assert [database.pragma(name) for name in names] == ["wal", 2, 5_000, 2_000]
        assert database.pragma("foreign_keys") == 1


def test_the_executions_of_many_orders_are_not_asked_for_one_order_after_the_other(
    path: Path, claim_of: ClaimOf, step_of: StepOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SqliteLedger(path)) as ledger:
        ledger.claim([claim_of(number) for number in range(50)], 1)
        ledger.record([step_of(number, S.SENT) for number in range(50)])
        ledger.record([step_of(number, S.FILLED, "1.5") for number in range(50)])
        asked: list[str] = []
        rows = ledger._rows

        def counted(statement: str, *parameters: object) -> object:
            asked.append(statement)
            return rows(statement, *parameters)  # type: ignore[arg-type]  # as they came

        monkeypatch.setattr(ledger, "_rows", counted)

        assert len(list(ledger.executed())) == 50
        assert len(asked) == 1


def test_it_is_its_owners_whatever_the_directory_lets_others_see(path: Path) -> None:
    before = os.umask(0)
    try:
        with closing(SqliteLedger(path)):
            modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {f"ledger.db{end}": 0o600 for end in ("", "-wal", "-shm")}


def test_a_directory_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match=r"ledger\.db cannot be used"):
        SqliteLedger(tmp_path / "nowhere" / "ledger.db")


def test_a_file_that_is_no_database_is_one_clear_error(path: Path) -> None:
    path.write_bytes(b"not a database, surely" * 100)
    with pytest.raises(LedgerUnavailable, match="not a database"):
        SqliteLedger(path)


def test_everything_is_there_after_reopening(
    disk: SqliteLedger, path: Path, claim_of: ClaimOf, step_of: StepOf
) -> None:
    disk.claim([claim_of(number) for number in range(4)], 1)
    disk.record([step_of(0, S.SENT), step_of(1, S.SENT), step_of(0, S.FILLED, "1.5")])
    disk.record([step_of(1, S.PARTIALLY_FILLED, "0.1"), step_of(2, S.REFUSED)])
    disk.set_halt("why")
    seen = (list(disk.entries()), disk.open_entries(), disk.states(), disk.strategy_exposure())
    disk.close()
    with closing(SqliteLedger(path)) as again:
        assert seen == (
            list(again.entries()),
            again.open_entries(),
            again.states(),
            again.strategy_exposure(),
        )
        assert again.halt_reason() == "why"


def test_every_step_leaves_an_event_and_a_repeated_one_does_not(
    disk: SqliteLedger, path: Path, claim_of: ClaimOf, step_of: StepOf
) -> None:
    disk.claim([claim_of(1)], 7)
    disk.record([step_of(1, S.SENT), step_of(1, S.ACCEPTED), step_of(1, S.ACCEPTED)])
    events = read_events(path, claim_of(1).intent.order_key)
    assert [(event.from_state, event.to_state) for event in events] == [
        (None, S.CLAIMED),
        (S.CLAIMED, S.SENT),
        (S.SENT, S.ACCEPTED),
    ]
    assert (events[0].at_ns, events[2].reason, events[2].evidence) == (7, "because", "test")


def test_an_execution_counts_once_however_often_it_is_reported(
    disk: SqliteLedger,
    path: Path,
    claim_of: ClaimOf,
    step_of: StepOf,
    fill_of: Callable[..., Fill],
) -> None:
    disk.claim([claim_of(1), claim_of(2, symbol="ETH/USDT")], 1)
    disk.record([step_of(1, S.SENT), step_of(2, S.SENT)])
    first, second = fill_of("t1"), fill_of("t2")
    disk.record([step_of(1, S.PARTIALLY_FILLED, "0.5", fills=(first, first))])
    disk.record([step_of(1, S.FILLED, "1.5", fills=(first, second))])
    disk.record([step_of(2, S.FILLED, "1.5", fills=(first,))])
    assert read_fills(path, claim_of(1).intent.order_key) == [first, second]
    assert read_fills(path, claim_of(2).intent.order_key) == [first]


def test_money_is_stored_as_the_text_of_its_digits(
    disk: SqliteLedger, path: Path, claim_of: ClaimOf
) -> None:
    disk.claim([claim_of(1, quantity=Decimal("0.123456789012345678"))], 1)
    with closing(sqlite3.connect(path)) as raw:
        row = raw.execute("SELECT quantity, typeof(quantity), limit_price FROM orders").fetchone()
    assert row == ("0.123456789012345678", "text", "61480.01")


def test_orders_are_read_while_the_ledger_is_written(
    disk: SqliteLedger, path: Path, claim_of: ClaimOf
) -> None:
    disk.claim([claim_of(number) for number in range(2_500)], 1)
    walk = read_orders(path)
    first = next(walk)
    disk.claim([claim_of(2_500)], 1)
    assert [first, *walk] == disk.open_entries()


def test_orders_are_read_after_the_ledger_was_closed(
    disk: SqliteLedger, path: Path, claim_of: ClaimOf
) -> None:
    disk.claim([claim_of(1)], 1)
    disk.close()
    assert [entry.client_order_id for entry in read_orders(path)] == ["wk1"]


def test_reading_where_no_run_has_been_says_so(path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="there is no ledger at"):
        read_orders(path)
    assert not path.exists()


def test_reading_a_database_of_something_else_says_so(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mine (x)")
    with pytest.raises(LedgerUnavailable, match="has no ledger"):
        read_orders(path)


def test_a_file_name_with_odd_characters_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%41 d.db"
    SqliteLedger(path).close()
    assert list(read_orders(path)) == []


def test_another_thread_may_not_use_the_ledger(disk: SqliteLedger, claim_of: ClaimOf) -> None:
    errors: list[Exception] = []

    def claim() -> None:
        try:
            disk.claim([claim_of(1)], 1)
        except LedgerUnavailable as error:
            errors.append(error)

    thread = threading.Thread(target=claim)
    thread.start()
    thread.join()
    assert "thread" in str(errors[0])
    disk.claim([claim_of(1)], 1)


def test_an_order_that_somebody_else_moved_is_not_moved_from_memory(
    disk: SqliteLedger, path: Path, claim_of: ClaimOf, step_of: StepOf
) -> None:
    disk.claim([claim_of(1), claim_of(2)], 1)
    with closing(SqliteLedger(path)) as other:
        other.record([step_of(1, S.SENT)])
    with pytest.raises(LedgerUnavailable, match="another process writes"):
        disk.record([step_of(2, S.SENT), step_of(1, S.SENT)])
    assert [entry.state for entry in disk.entries()] == [S.SENT, S.CLAIMED]
    disk.record([step_of(2, S.SENT)])


def test_two_threads_cannot_both_claim_one_key(path: Path, claim_of: ClaimOf) -> None:
    SqliteLedger(path).close()
    start = threading.Barrier(4)
    outcomes: list[str] = []

    def race() -> None:
        with closing(SqliteLedger(path)) as ledger:
            for number in range(25):
                start.wait(30)
                try:
                    ledger.claim([claim_of(number)], 1)
                    outcomes.append("won")
                except LedgerConflict:
                    outcomes.append("lost")

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (outcomes.count("won"), outcomes.count("lost")) == (25, 75)


def test_the_open_orders_are_found_by_their_own_index(disk: SqliteLedger, path: Path) -> None:
    from persistence.statements import SELECT_DECIDED, SELECT_OPEN, select_keys

    with closing(sqlite3.connect(path)) as raw:
        plans = {
            SELECT_OPEN: (),
            SELECT_DECIDED: ("0", "s", 0),
            select_keys(2): (OrderKey("a"), OrderKey("b")),
        }
        for statement, parameters in plans.items():
            (row, *_) = raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            assert "orders_open" in row[3] if "INDEXED" in statement else "SEARCH" in row[3]


def test_looking_where_a_ledger_is_gives_up_no_lock_on_it(path: Path) -> None:
    """Closing any handle of a file gives up all locks of the process on it: POSIX."""
    log = path.with_name(path.name + "-wal")
    with closing(SqliteLedger(path)) as ledger:
        ledger.set_halt("a test")
        before = log.read_bytes()

        assert place_in(path) is None
        assert list(read_orders(path)) == []
        look = (
            "from sys import argv; import sqlite3; c = sqlite3.connect(argv[1]); c.execute(argv[2])"
        )
        close_it_as_well = [
            sys.executable,
            "-c",
            f"{look}.fetchone(); c.close()",
            str(path),
            "PRAGMA user_version",
        ]
        subprocess.run(close_it_as_well, check=True, timeout=60)

        assert before
        assert log.read_bytes() == before, "the other took itself for the last to close it"
        assert ledger.halt_reason() == "a test"
