"""Durable claims a second through the executor: alone, in a burst, and with a large table.

Every order is the whole of it: lookup, risk, CLAIMED and SENT in one commit, gateway, venue,
FILLED in another, with metrics told and written. One by one an order thus costs two commits,
against one commit of one bare INSERT. Where claims are counted the venue answers when the burst
is over, as one behind a network would; `whole orders` lets it answer at once.
"""

import time
from contextlib import suppress

from benchmarks.bare_claims import aiosqlite_rate, bare_rate
from benchmarks.claim_rates import maximal, one_by_one, whole_orders
from benchmarks.common import Options, Result, fdatasync_us, median, say, scratch
from benchmarks.large_table import large_table
from benchmarks.live import live
from benchmarks.open_loop import Burst

RATE = 20_000


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
