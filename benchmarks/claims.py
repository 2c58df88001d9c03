"""Durable claims a second through the executor: alone, in a burst, and with a large table.

Every order is the whole of it: lookup, risk, CLAIMED and SENT in one commit, gateway, venue,
FILLED in another, with metrics told and written. One by one an order thus costs two commits,
against one commit of one bare INSERT. Where claims are counted the venue answers when the burst
is over, as one behind a network would; `whole orders` lets it answer at once.
"""

import asyncio
import importlib
import shutil
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.common import (
    Options,
    Result,
    fdatasync_us,
    median,
    percentile,
    say,
    scratch,
    wait_for,
)
from benchmarks.live import FIRST_NS, Live, intent, live
from persistence.ledger import SqliteLedger
from persistence.statements import INSERT_ORDER

RATE = 20_000
PRODUCER_LOOKS_S = 0.001
"""How often the producer of the open loop looks what is due.

One that woke up for each intent, 20,000 times a second, was half of the load itself.
"""
BARE_TABLE = "CREATE TABLE claims (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID"
BARE_INSERT = "INSERT OR IGNORE INTO claims VALUES (?, ?)"
BODY = "x" * 300
"""About as long as a row of the ledger."""
ROWS_A_STEP = 250_000


# ---------------------------------------------------------------- what it is held against


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


# ---------------------------------------------------------------- ours


def one_by_one(system: Live, first: int, count: int) -> float:
    """Orders a second when each is told after the one before it was handed over."""
    tell, news = system.executor.tell, system.news
    while not news.empty():
        news.get()
    intents = [intent(first + number, time.time_ns()) for number in range(count)]
    begun = time.perf_counter()
    for one in intents:
        tell(one)
        while news.get(timeout=60) != one.decided_at_ns:
            pass
    return count / (time.perf_counter() - begun)


def maximal(system: Live, first: int, count: int) -> float:
    """Claims a second when there is always more to do and the venue is slow to answer."""
    intents = [intent(first + number, time.time_ns()) for number in range(count)]
    wanted = len(system.durable) + count
    tell = system.executor.tell
    with system.venue_holds_back():
        begun = time.monotonic_ns()
        for one in intents:
            tell(one)
        wait_for(lambda: len(system.durable) >= wanted)
        rate = count * 1e9 / (max(system.durable.values()) - begun)
    wait_for(lambda: system.fold.filled >= wanted)
    return rate


def whole_orders(system: Live, first: int, count: int) -> float:
    """Orders a second from the intent to the durable fill, when there is always more to do."""
    intents = [intent(first + number, time.time_ns()) for number in range(count)]
    wanted = system.fold.filled + count
    tell = system.executor.tell
    begun = time.monotonic_ns()
    for one in intents:
        tell(one)
    wait_for(lambda: system.fold.filled >= wanted)
    return count * 1e9 / (time.monotonic_ns() - begun)


class Burst:
    """An open loop: intents come by the clock, whatever becomes of them."""

    def __init__(self, system: Live, first: int, seconds: float, rate: int) -> None:
        count = int(seconds * rate)
        intents = [intent(first + number, time.time_ns() + 10**9) for number in range(count)]
        told: dict[int, int] = {}
        known = len(system.durable)
        tell, now_ns, refused = system.executor.tell, time.monotonic_ns, 0
        with system.venue_holds_back():
            begun = now_ns()
            for number, one in enumerate(intents):
                due_ns = begun + number * 1_000_000_000 // rate
                while due_ns > now_ns():
                    time.sleep(PRODUCER_LOOKS_S)
                told[one.decided_at_ns] = due_ns  # not now: who is told late has waited as well
                refused += not tell(one)
            self.told_per_s = count * 1e9 / (now_ns() - begun)
            wait_for(lambda: len(system.durable) >= known + count - refused)
        wait_for(lambda: system.fold.filled >= known + count - refused)
        durable = system.durable
        spans = [(durable[key] - due) / 1e6 for key, due in told.items() if key in durable]
        last = max(durable[key] for key in told if key in durable)
        self.refused = refused
        self.claimed_per_s = len(spans) * 1e9 / (last - begun)
        self.p50_ms, self.p99_ms = percentile(spans, 50), percentile(spans, 99)


# ---------------------------------------------------------------- a large table


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


# ---------------------------------------------------------------- all of it


def run(options: Options) -> list[Result]:
    """Interleave ours with what it is held against, then the burst, then the large table."""
    rounds = options.pick(3, 5)
    alone, most, whole, bare, aio, disk = _small(options, rounds)
    return [
        Result(
            name="orders one by one (2 commits each)",
            value=alone,
            unit="orders/s",
            reference=bare,
            against="bare sqlite3, 1 commit",
        ),
        Result(
            name="durable commits/s of these",
            value=2 * alone,
            unit="commits/s",
            reference=disk,
            against="bare fdatasync",
            goal=">= 0.5x",
            met=2 * alone >= 0.5 * disk,
        ),
        Result(
            name="claims in a burst, as many as can be",
            value=most,
            unit="claims/s",
            reference=bare,
            against="bare sqlite3, 1 commit",
        ),
        _against_aiosqlite(most, aio),
        Result(
            name="whole orders in a burst, to the durable fill",
            value=whole,
            unit="orders/s",
            reference=bare,
            against="bare sqlite3, 1 commit",
        ),
        *_burst(options, rounds, most),
        *_with_rows(options, rounds),
    ]


def _small(options: Options, rounds: int) -> tuple[float, float, float, float, float | None, float]:
    alone, most, whole, bare, disk = [], [], [], [], []
    aio: list[float] = []
    few, many = options.pick(300, 1_000), options.pick(10_000, 30_000)
    for count in range(rounds):
        with scratch(options) as folder:
            disk.append(1e6 / median(fdatasync_us(folder, few)))
            bare.append(bare_rate(folder, few))
            with suppress(ImportError):
                aio.append(aiosqlite_rate(folder, few))
            with live(folder, capacity=many + 1) as system:
                one_by_one(system, 0, 100)
                alone.append(one_by_one(system, 100, few))
                most.append(maximal(system, 100_000, many))
                whole.append(whole_orders(system, 100_000 + many, many))
        say(
            f"claims {count + 1}/{rounds}: one by one {alone[-1]:,.0f}/s, bare {bare[-1]:,.0f}/s,"
            f" claims {most[-1]:,.0f}/s, whole {whole[-1]:,.0f}/s,"
            f" aiosqlite {aio[-1] if aio else 0:,.0f}/s"
        )
    aio_rate = median(aio) if aio else None
    return median(alone), median(most), median(whole), median(bare), aio_rate, median(disk)


def _against_aiosqlite(most: float, aio: float | None) -> Result:
    name, goal = "claims in a burst against aiosqlite", ">= 10x"
    if aio is None:
        return Result(name=name, goal=goal, note="skipped: aiosqlite is not installed")
    return Result(
        name=name,
        value=most,
        unit="claims/s",
        reference=aio,
        against="aiosqlite, 1 commit",
        goal=goal,
        met=most >= 10 * aio,
    )


def _burst(options: Options, rounds: int, most: float) -> list[Result]:
    results = []
    seconds = options.pick(1, 3)
    sustainable = max(500, int(most * 0.6) // 500 * 500)
    for rate, goal in ((RATE, "p99 < 10 ms"), (sustainable, "")):
        bursts: list[Burst] = []
        for _ in range(rounds):
            with scratch(options) as folder, live(folder) as system:
                one_by_one(system, 0, 100)
                bursts.append(Burst(system, 1_000, seconds, rate))
        p99 = median([one.p99_ms for one in bursts])
        claimed = median([one.claimed_per_s for one in bursts])
        refused = sum(one.refused for one in bursts)
        offered = median([one.told_per_s for one in bursts])
        p50 = median([one.p50_ms for one in bursts])
        say(f"claims, open loop at {rate:,}/s: {claimed:,.0f}/s, p99 {p99:.1f} ms")
        results.append(
            Result(
                name=f"open loop at {rate:,}/s for {seconds} s, p99",
                value=p99,
                unit="ms",
                goal=goal,
                met=(p99 < 10 and not refused and claimed > 0.95 * rate) if goal else None,
                note=f"p50 {p50:.1f} ms; offered {offered:,.0f}/s, claimed {claimed:,.0f}/s,"
                f" {refused} refused by a full mailbox",
            )
        )
    return results


def _with_rows(options: Options, rounds: int) -> list[Result]:
    large = large_table(options)
    few, many = options.pick(300, 1_000), options.pick(5_000, 20_000)
    rates: dict[str, list[float]] = {}

    def note(name: str, rate: float) -> None:
        rates.setdefault(name, []).append(rate)

    # Keys must be new in every round, for the large table stays.
    base = time.time_ns() // 1_000_000 % 10**9 * 1_000
    for count in range(rounds):
        first = base + count * 10 * many
        for name, ledger in (("small", None), ("large", large)):
            with scratch(options) as folder, live(folder, ledger, many + 1) as system:
                one_by_one(system, first, 100)
                note(f"{name}, one by one", one_by_one(system, first + 100, few))
                note(f"{name}, burst", maximal(system, first + 5_000, many))
        shown = {name: f"{values[-1]:,.0f}/s" for name, values in rates.items()}
        say(f"claims with {options.rows:,} rows {count + 1}/{rounds}: {shown}")
    return [
        Result(
            name=f"{options.rows:,} rows: {what}",
            value=median(rates[f"large, {what}"]),
            unit="orders/s",
            reference=median(rates[f"small, {what}"]),
            against="an empty table",
        )
        for what in ("one by one", "burst")
    ]
