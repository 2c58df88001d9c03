"""Tables of many old rows, built by raw SQL and kept for the next run: a ledger, and a bare one."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.bare_claims import BARE_INSERT, BARE_TABLE, BODY
from benchmarks.common import Options, say
from benchmarks.live import FIRST_NS
from persistence.ledger import SqliteLedger
from persistence.statements import INSERT_ORDER

ROWS_A_STEP = 250_000


class Table(NamedTuple):
    """What is built once for each number of rows."""

    file: str
    done: str
    """The name of the empty file that says that all rows are there."""
    make: Callable[[Path], None]
    insert: str
    row: Callable[[int], tuple[object, ...]]


def large_ledger(options: Options) -> Path:
    """Give a ledger with `options.rows` filled orders."""
    return _built(options, LEDGER)


def large_bare_table(options: Options) -> Path:
    """Give the table of bare claims with as many rows."""
    return _built(options, BARE)


def _built(options: Options, table: Table) -> Path:
    path = options.folder / f"watchkeeper-bench-{options.rows}" / table.file
    done = path.with_name(table.done)
    if done.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    for begun in path.parent.glob(f"{table.file}*"):
        begun.unlink()
    table.make(path)
    _fill(path, table, options.rows)
    done.touch()
    return path


def _fill(path: Path, table: Table, rows: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=OFF", "cache_size=-400000"):
        connection.execute(f"PRAGMA {pragma}")
    for first in range(0, rows, ROWS_A_STEP):
        stop = min(first + ROWS_A_STEP, rows)
        connection.execute("BEGIN")
        connection.executemany(table.insert, map(table.row, range(first, stop)))
        connection.execute("COMMIT")
        say(f"claims: {stop:,} of {rows:,} rows of {table.file} are there")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _new_ledger(path: Path) -> None:
    SqliteLedger(path).close()


def _new_bare_table(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(BARE_TABLE)
    connection.close()


def _old_order(number: int) -> tuple[object, ...]:
    at_ns = FIRST_NS - 10**18 + number * 20_000_000
    key = f"{at_ns // 1_000_000:012x}{number * 2_654_435_761 % 2**80:020x}"
    return (
        *(key, f"{number:032x}", f"wk{number:022x}", "bench", "bench", "BTC/USDT"),
        *("buy" if number % 2 else "sell", "market", "gtc", "0.001", None, "61480.25"),
        *(at_ns, "sma10 61480.25 crossed above sma30 61479.90", "filled", "", "0.001"),
        *("61480.25", f"paper-{number}", at_ns, None, at_ns),
    )


def _old_claim(number: int) -> tuple[object, ...]:
    return (f"{number:032x}", BODY)


LEDGER = Table("ledger.db", "complete", _new_ledger, INSERT_ORDER, _old_order)
BARE = Table("bare.db", "complete-bare", _new_bare_table, BARE_INSERT, _old_claim)
