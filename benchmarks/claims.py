"""Durable claims a second through the executor: alone, in a burst, and with a large table.

Every order is the whole of it: lookup, risk, CLAIMED and SENT in one commit, gateway, venue,
FILLED in another, with metrics told and written. One by one an order thus costs two commits,
against one commit of one bare INSERT. Where claims are counted the venue answers when the burst
is over, as one behind a network would; `whole orders` lets it answer at once.
"""

from collections.abc import Iterator
from contextlib import suppress

from benchmarks.bare_claims import against_aiosqlite, aiosqlite_rate, bare_rate
from benchmarks.claim_rates import maximal, one_by_one, whole_orders
from benchmarks.claims_with_rows import with_rows
from benchmarks.common import Options, Result, fdatasync_us, median, say, scratch
from benchmarks.live import live
from benchmarks.open_loop import RATE, loop_s, of_bursts, open_loop


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
        against_aiosqlite("claims in a burst against aiosqlite", most, aio),
        Result(
            name="whole orders in a burst, to the durable fill",
            value=whole,
            unit="orders/s",
            reference=bare,
            against="bare sqlite3, 1 commit",
        ),
        *_open_loops(options, rounds, most),
        *with_rows(options, rounds),
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
                aio.append(aiosqlite_rate(folder / "aio.db", 0, few))
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


def _open_loops(options: Options, rounds: int, most: float) -> Iterator[Result]:
    sustainable = max(500, int(most * 0.6) // 500 * 500)
    for rate, has_goal in ((RATE, True), (sustainable, False)):
        bursts = [open_loop(options, 0, rate) for _ in range(rounds)]
        name = f"open loop at {rate:,}/s for {loop_s(options)} s"
        yield of_bursts(name, rate, bursts, has_goal=has_goal)
