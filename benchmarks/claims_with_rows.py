"""Claims where the ledger already holds many orders: the rates, aiosqlite's, and the open loop."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from benchmarks.bare_claims import against_aiosqlite, aiosqlite_rate
from benchmarks.claim_rates import maximal, one_by_one
from benchmarks.common import Options, Result, median, say, scratch
from benchmarks.large_table import large_bare_table, large_ledger
from benchmarks.live import live
from benchmarks.open_loop import RATE, WARM_UP, Burst, loop_s, of_bursts, open_loop

KEYS_A_ROUND = 200_000
BURST_AT, LOOP_AT = 5_000, 100_000
"""Where the keys of each begin in those of a round."""


@dataclass
class Rounds:
    """What each round has measured."""

    alone: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)
    loops: list[Burst] = field(default_factory=list)
    aiosqlite: list[float] = field(default_factory=list)

    def rates(self, options: Options, first: int, ledger: Path | None) -> None:
        """Add orders a second one by one, and claims in a burst."""
        few, many = options.pick(300, 1_000), options.pick(5_000, 20_000)
        with scratch(options) as folder, live(folder, ledger, many + 1) as system:
            one_by_one(system, first, WARM_UP)
            self.alone.append(one_by_one(system, first + WARM_UP, few))
            self.most.append(maximal(system, first + BURST_AT, many))

    def shown(self) -> str:
        return f"one by one {self.alone[-1]:,.0f}/s, burst {self.most[-1]:,.0f}/s"


def with_rows(options: Options, rounds: int) -> Iterator[Result]:
    """Interleave the large ledger with an empty one, and with aiosqlite on a table as large."""
    ledger = large_ledger(options)
    bare = large_bare_table(options) if find_spec("aiosqlite") else None
    empty, large = Rounds(), Rounds()
    # Keys must be new in every round, for the large tables stay.
    base = time.time_ns() // 1_000_000 % 10**9 * 1_000
    for count in range(rounds):
        first = base + count * KEYS_A_ROUND
        empty.rates(options, first, None)
        large.rates(options, first, ledger)
        large.loops.append(open_loop(options, first + LOOP_AT, RATE, ledger))
        if bare is not None:
            # After all the keys that it was built with.
            few = options.pick(300, 1_000)
            large.aiosqlite.append(aiosqlite_rate(bare, options.rows + first, few))
        say(f"claims with {options.rows:,} rows {count + 1}/{rounds}: {large.shown()}")
    return results(options, empty, large)


def results(options: Options, empty: Rounds, large: Rounds) -> Iterator[Result]:
    """Hold the large ledger against the empty one, against aiosqlite, and against the goals."""
    rows = f"{options.rows:,} rows"
    for what, ours, theirs in (
        ("one by one", large.alone, empty.alone),
        ("burst", large.most, empty.most),
    ):
        yield Result(
            name=f"{rows}: {what}",
            value=median(ours),
            unit="orders/s",
            reference=median(theirs),
            against="an empty table",
        )
    aiosqlite = median(large.aiosqlite) if large.aiosqlite else None
    yield against_aiosqlite(f"{rows}: burst against aiosqlite", median(large.most), aiosqlite)
    loop = f"{rows}: open loop at {RATE:,}/s for {loop_s(options)} s"
    yield of_bursts(loop, RATE, large.loops, has_goal=True)
