"""What claims are held against: one INSERT per FULL commit, by sqlite3 and by aiosqlite."""

import asyncio
import importlib
import sqlite3
import time
from pathlib import Path
from typing import Any

BARE_TABLE = "CREATE TABLE claims (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID"
BARE_INSERT = "INSERT OR IGNORE INTO claims VALUES (?, ?)"
BODY = "x" * 300
"""About as long as a row of the ledger."""


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


def aiosqlite_rate(folder: Path, count: int) -> float:
    """The same through aiosqlite, as its users write it: execute, commit.

    Raises:
        ImportError: it is not installed.
    """
    aiosqlite: Any = importlib.import_module("aiosqlite")

    async def claims() -> float:
        async with aiosqlite.connect(folder / "aio.db") as connection:
            await connection.execute("PRAGMA journal_mode=WAL")
            await connection.execute("PRAGMA synchronous=FULL")
            await connection.execute(BARE_TABLE)
            begun = time.perf_counter()
            for number in range(count):
                await connection.execute(BARE_INSERT, (f"{number:032x}", BODY))
                await connection.commit()
            return count / (time.perf_counter() - begun)

    return asyncio.run(claims())
