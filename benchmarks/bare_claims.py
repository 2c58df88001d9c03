"""What claims are held against: one INSERT per FULL commit, by sqlite3 and by aiosqlite."""

import asyncio
import importlib
import sqlite3
import time
from pathlib import Path
from typing import Any

from benchmarks.common import Result

BARE_TABLE = """
    CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID
"""
BARE_INSERT = "INSERT OR IGNORE INTO claims VALUES (?, ?)"
BODY = "x" * 300
"""About as long as a row of the ledger."""
TIMES_AIOSQLITE = 10


def bare_rate(folder: Path, count: int) -> float:
    """Commits a second of one INSERT each, `synchronous=FULL`, and nothing else."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(BARE_TABLE)
    begun = time.perf_counter()
    for number in range(count):
        connection.execute(BARE_INSERT, (f"{number:032x}", BODY))
    rate = count / (time.perf_counter() - begun)
    connection.close()
    return rate


def aiosqlite_rate(path: Path, first: int, count: int) -> float:
    """The same through aiosqlite, as its users write it: execute, commit.

    Keys begin with `first`; where they are in the table already nothing would be measured.

    Raises:
        ImportError: it is not installed.
    """
    aiosqlite: Any = importlib.import_module("aiosqlite")

    async def claims() -> float:
        async with aiosqlite.connect(path) as connection:
            await connection.execute("PRAGMA journal_mode=WAL")
            await connection.execute("PRAGMA synchronous=FULL")
            await connection.execute(BARE_TABLE)
            before = connection.total_changes
            begun = time.perf_counter()
            for number in range(first, first + count):
                await connection.execute(BARE_INSERT, (f"{number:032x}", BODY))
                await connection.commit()
            rate = count / (time.perf_counter() - begun)
            assert connection.total_changes - before == count, "a key was there already"
            return rate

    return asyncio.run(claims())


def against_aiosqlite(name: str, claims: float, aiosqlite: float | None) -> Result:
    """Hold claims a second against aiosqlite's, if it is installed."""
    goal = f">= {TIMES_AIOSQLITE}x"
    if aiosqlite is None:
        return Result(name=name, goal=goal, note="skipped: aiosqlite is not installed")
    return Result(
        name=name,
        value=claims,
        unit="claims/s",
        reference=aiosqlite,
        against="aiosqlite, 1 commit",
        goal=goal,
        met=claims >= TIMES_AIOSQLITE * aiosqlite,
    )
