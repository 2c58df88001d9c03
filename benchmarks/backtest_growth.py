"""What a backtest costs as it grows: more candles, more symbols, and one strategy over all of them.

Each case is a process of its own, which tells the processor time of the run (without import, and
without reading files) and its peak memory. The candles are a seeded random walk of one length that
is gone through again and again, made into blocks as they are asked for: what grows is ours.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

import strategies
from benchmarks.backtest import walk
from benchmarks.common import Options, Result, peak_mb, say
from decisions.risk_limits import RiskLimits
from exchanges.event_blocks import BLOCK_EVENTS, Block, CandleBlock
from exchanges.paper_settings import PaperSettings
from messages.ids import DurationNs, StrategyId, Symbol
from messages.market import Candle
from messages.values import Instrument
from research.backtest.loop import Backtest
from research.backtest.plan import MarketPlan, Plan, StrategyPlan
from strategies.protocol import Strategy, Target

ROOT = Path(__file__).parents[1]
WALK = 16 * BLOCK_EVENTS
FAST, SLOW = 200, 800
SYMBOLS = (1, 2, 4, 8)
FLAT_MB = 24.0
"""So much more a thousand times the candles may take: the orders are kept."""
LINEAR = 1.25
_MINUTE_NS = DurationNs(60_000_000_000)
_START_NS = 1_700_000_040_000_000_000
_EVERY = 5_000

Columns = tuple[list[float], ...]


class Case(msgspec.Struct, frozen=True):
    """`candles` are those of all symbols together."""

    kind: str
    """``apart``: a crossover on each symbol; ``over all``: one strategy of all symbols."""
    symbols: int
    candles: int

    @property
    def name(self) -> str:
        """As it stands in the table."""
        number = "1 symbol" if self.symbols == 1 else f"{self.symbols} symbols"
        return f"{self.kind}, {number}, {self.candles:,} candles"


class Cost(msgspec.Struct, frozen=True):
    """What a case took."""

    seconds: float
    peak_mb: float
    orders: int


class Weakest(Strategy):
    """Holds the symbol that has fallen most since the last change; looks at every candle."""

    def __init__(self, params: Any, symbol: Symbol, notional: Decimal, grid: Instrument) -> None:
        self._seen, self._notional = 0, notional
        self._last: dict[Symbol, Decimal] = {}
        self._since: dict[Symbol, Decimal] = {}

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        """Change every few thousand candles."""
        self._last[candle.symbol] = candle.close
        self._seen += 1
        if self._seen % _EVERY or len(self._last) < len(self.symbols):
            return ()
        since, self._since = self._since, dict(self._last)
        if not since:
            return ()
        weakest = min(self.symbols, key=lambda one: self._last[one] / since[one])
        others = [one for one in self.symbols if self.positions[one] and one != weakest]
        leave = [Target(Decimal(0), "no longer", symbol=one) for one in others]
        return [*leave, Target(notional=self._notional, reason="weakest", symbol=weakest)]


def run(options: Options) -> list[Result]:
    """Give the time of a candle and the peak memory, each against the smallest of its kind."""
    lengths = (10_000, 100_000) if options.quick else (10_000, 100_000, 1_000_000, 5_000_000)
    whole = options.pick(80_000, 1_000_000)
    results: list[Result] = []
    for kind, symbols in (("apart", 1), ("over all", 2)):
        results += _compared([Case(kind, symbols, length) for length in lengths])
    for kind, numbers in (("apart", SYMBOLS), ("over all", SYMBOLS[1:])):
        results += _compared([Case(kind, symbols, whole) for symbols in numbers])
    return results


def _compared(cases: list[Case]) -> list[Result]:
    """The first is what the others are held against; but 10,000 candles are too short to time."""
    found = [(case, measured(case)) for case in cases]
    timed = [(case, cost) for case, cost in found if case.candles > 10_000]
    base_us = _us(*timed[0])
    results = []
    for case, cost in found:
        told, against = _us(case, cost), timed[0][0]
        is_timed = case.candles > 10_000 and case is not against
        results.append(
            Result(
                name=case.name,
                value=told,
                unit="us a candle",
                reference=base_us,
                against=f"with {against.symbols} of {against.candles:,}",
                goal=f"<= {LINEAR}x" if is_timed else "",
                met=told <= LINEAR * base_us if is_timed else None,
            )
        )
    least = found[0][1].peak_mb
    for case, cost in found[1:]:
        results.append(
            Result(
                name=f"{case.name}, memory ({cost.orders:,} orders)",
                value=cost.peak_mb,
                unit="MB",
                reference=least,
                against="the first",
                goal=f"<= {FLAT_MB:.0f} MB more",
                met=cost.peak_mb - least <= FLAT_MB,
            )
        )
    return results


def _us(case: Case, cost: Cost) -> float:
    return cost.seconds / case.candles * 1e6


def measured(case: Case) -> Cost:
    """Run a case in a process of its own."""
    command = [sys.executable, "-P", "-m", "benchmarks.backtest_growth"]
    words = [case.kind, str(case.symbols), str(case.candles)]
    done = subprocess.run(
        [*command, *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    cost = msgspec.json.decode(done.stdout, type=Cost)
    rate = case.candles / cost.seconds
    say(f"   {case.name}: {rate:,.0f} candles/s, {cost.peak_mb:.1f} MB, {cost.orders:,} orders")
    return cost


def plan_of(case: Case) -> Plan:
    """Give the plan of a case; all symbols share one walk, each begins elsewhere in it."""
    columns = walk(WALK)
    symbols = tuple(Symbol(f"C{place}/USDT") for place in range(case.symbols))
    each = case.candles // case.symbols
    return Plan(
        markets=tuple(
            MarketPlan(symbol=one, blocks=partial(blocks, columns, one, place * BLOCK_EVENTS, each))
            for place, one in enumerate(symbols)
        ),
        strategies=_apart(symbols) if case.kind == "apart" else _over_all(symbols),
        venue=PaperSettings(balances={"USDT": Decimal(1_000_000)}),
        limits=RiskLimits(max_order_notional=Decimal(1000), max_orders_per_minute=60),
    )


def blocks(columns: Columns, symbol: Symbol, first: int, count: int) -> Iterator[Block]:
    """Give the candles of one symbol, beginning at a place of the walk."""
    for done in range(0, count, BLOCK_EVENTS):
        size, place = min(BLOCK_EVENTS, count - done), (first + done) % WALK
        part = [column[place : place + size] for column in columns]
        begin_ns = _START_NS + (done + 1) * _MINUTE_NS
        times = range(begin_ns, begin_ns + size * _MINUTE_NS, _MINUTE_NS)
        yield CandleBlock(symbol, times, _MINUTE_NS, part, part[3])


def _apart(symbols: tuple[Symbol, ...]) -> tuple[StrategyPlan, ...]:
    params = {"fast": FAST, "slow": SLOW}
    return tuple(
        StrategyPlan(
            id=StrategyId(f"sma-{one}"),
            symbol=one,
            build=partial(
                strategies.build, "sma_cross", params, one, Decimal(500), Instrument(symbol=one)
            ),
        )
        for one in symbols
    )


def _over_all(symbols: tuple[Symbol, ...]) -> tuple[StrategyPlan, ...]:
    def build() -> Strategy:
        made = Weakest({}, symbols[0], Decimal(500), Instrument(symbol=symbols[0]))
        made.symbols = symbols
        return made

    return (StrategyPlan(id=StrategyId("all"), symbol=symbols[0], build=build, symbols=symbols),)


def main(words: list[str]) -> None:
    """Run one case; print its cost."""
    kind, symbols, candles = words
    plan = plan_of(Case(kind, int(symbols), int(candles)))
    began = time.process_time()
    outcome = Backtest(plan).run()
    seconds = time.process_time() - began
    told = {"seconds": seconds, "peak_mb": peak_mb(), "orders": len(outcome.orders)}
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
