"""A ledger of many orders that ended long ago, built by raw SQL and kept for the next run."""

import shutil
import sqlite3
from pathlib import Path

from benchmarks.common import Options, say
from benchmarks.live import FIRST_NS
from persistence.ledger import SqliteLedger
from persistence.statements import INSERT_ORDER

ROWS_A_STEP = 250_000


def large_table(options: Options) -> Path:
    """Build a ledger with `options.rows` filled orders, by raw SQL; kept for the next time."""
    path = options.folder / f"watchkeeper-bench-{options.rows}" / "ledger.db"
    done = path.with_name("complete")
    if done.exists():
        return path
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir(parents=True)
    SqliteLedger(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=OFF", "cache_size=-400000"):
        connection.execute(f"PRAGMA {pragma}")
    for first in range(0, options.rows, ROWS_A_STEP):
        stop = min(first + ROWS_A_STEP, options.rows)
        connection.execute("BEGIN")
        connection.executemany(INSERT_ORDER, map(_old_row, range(first, stop)))
        connection.execute("COMMIT")
        say(f"claims: {stop:,} of {options.rows:,} rows are there")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    done.touch()
    return path


def _old_row(number: int) -> tuple[object, ...]:
    at_ns = FIRST_NS - 10**18 + number * 20_000_000
    key = f"{at_ns // 1_000_000:012x}{number * 2_654_435_761 % 2**80:020x}"
    return (
        *(key, f"{number:032x}", f"wk{number:022x}", "bench", "bench", "BTC/USDT"),
        *("buy" if number % 2 else "sell", "market", "gtc", "0.001", None, "61480.25"),
        *(at_ns, "sma10 61480.25 crossed above sma30 61479.90", "filled", "", "0.001"),
        *("61480.25", f"paper-{number}", at_ns, None, at_ns),
    )
