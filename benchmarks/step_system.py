"""The whole actor system on the stepping runtime, as `ops.wiring` makes it, on one thread.

Feed, strategy, executor, gateway, paper venue, metrics and supervisors; ledger and paper book
in memory, in files, and with the candles read from a CSV. The limit is a plain loop of the
same crossover over the same closes: floats, no messages, no venue, no money. Between them stands
a prototype, four stepped Pykka actors without any accounting (`step_prototype`): the goal was set
where such a one reached 175,000 candles/s, so on another machine it is that share of its pace.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import strategies
from actors.step_runtime import StepRuntime
from benchmarks.common import Options, Result, median, say, scratch
from benchmarks.step_prototype import prototype_rate
from exchanges.demo import DemoSource
from exchanges.paper import PaperVenue
from exchanges.paper_settings import PaperSettings
from exchanges.source import SourceStats
from messages.ids import NS_PER_MS, StrategyId, Symbol
from messages.market import Candle, MarketEvent
from ops import wiring, wiring_feeds
from ops.collector import seldom_collecting
from ops.config import Config, parse
from ops.run_dir import RunDir

SYMBOL = Symbol("BTC/USDT")
FAST, SLOW = 10, 30
GOAL, PROTOTYPE = 150_000, 175_000
"""Candles a second; the goal, and what a prototype reached on the machine where it was set."""


class Loaded:
    """Candles in memory as a market, so that reading them is not measured."""

    def __init__(self, candles: list[Candle]) -> None:
        self._candles = candles
        self._stats = SourceStats()

    @property
    def stats(self) -> SourceStats:
        return self._stats

    def events(self, start_index: int = 0) -> Iterator[MarketEvent]:
        return iter(self._candles[start_index:])


def make_candles(count: int) -> list[Candle]:
    return list(DemoSource(SYMBOL, seed=7, limit=count).events())


def write_csv(path: Path, candles: list[Candle]) -> None:
    """Write candles as exchanges publish them."""
    with path.open("w", encoding="ascii") as file:
        file.write("open_time,open,high,low,close,volume\n")
        for one in candles:
            open_ms = one.ts_open_ns // NS_PER_MS
            file.write(f"{open_ms},{one.open},{one.high},{one.low},{one.close},{one.volume}\n")


def plain_loop(closes: list[float]) -> int:
    """Count the orders of the crossover, in the plainest Python there is."""
    fast: deque[float] = deque(maxlen=FAST)
    slow: deque[float] = deque(maxlen=SLOW)
    fast_sum = slow_sum = 0.0
    above: bool | None = None
    orders, held = 0, False
    for close in closes:
        if len(slow) == SLOW:
            slow_sum -= slow[0]
        if len(fast) == FAST:
            fast_sum -= fast[0]
        slow.append(close)
        fast.append(close)
        slow_sum += close
        fast_sum += close
        if len(slow) < SLOW:
            continue
        is_above = fast_sum / FAST > slow_sum / SLOW
        if above is not None and is_above != above and is_above != held:
            orders += 1
            held = is_above
        above = is_above
    return orders


def system_rate(
    folder: Path, candles: list[Candle], *, loaded: bool, backend: str
) -> tuple[float, int]:
    """Candles a second through the whole system, and how many orders were filled."""
    config = _config(folder, backend)
    with ExitStack() as stack:
        run_dir = stack.enter_context(RunDir(folder / "run"))
        if loaded:
            stack.enter_context(
                patch.object(wiring_feeds, "open_source", lambda _: Loaded(candles))
            )
        if backend == "memory":
            stack.enter_context(patch.object(wiring, "PaperVenue", _in_memory))
        runtime = StepRuntime(ttl_enforced=False, turn=256)
        system = wiring.build(config, run_dir, runtime)
        stack.enter_context(seldom_collecting())  # as a run does
        begun = time.perf_counter()
        started = runtime.start(system.root)
        assert not started.problem, started
        life = system.root.life
        assert life is not None
        runtime.run_until(life.gone.is_set)
        took = time.perf_counter() - begun
    fold = system.fold
    assert fold.processed == len(candles), fold.processed
    assert fold.filled == fold.allowed > 0, (fold.filled, fold.allowed)
    assert not fold.errors, fold.errors_by_reason
    return len(candles) / took, fold.filled


def _in_memory(_: Path, settings: PaperSettings, *, strategies: Sequence[StrategyId]) -> PaperVenue:
    return PaperVenue(None, settings, strategies=strategies)


def _config(folder: Path, backend: str) -> Config:
    document = {
        "name": "bench",
        "feed": {
            "type": "replay",
            "path": {SYMBOL: str(folder / "candles.csv")},
            "symbols": [SYMBOL],
            "timeframe": "1m",
        },
        "strategy": [
            {
                "id": "sma",
                "uses": "sma_cross",
                "symbol": SYMBOL,
                "order_notional": "100",
                "params": {"fast": FAST, "slow": SLOW},
            }
        ],
        "idempotency": {"backend": backend},
        "metrics": {"enabled": backend == "sqlite"},
    }
    return parse(document, folder, strategies.check_params)


VARIANTS = {
    "in memory, candles loaded": (True, "memory"),
    "in memory, candles from CSV": (False, "memory"),
    "in files (FULL), candles from CSV": (False, "sqlite"),
}


def run(options: Options) -> list[Result]:
    """Interleave the variants with the plain loop."""
    count, rounds = options.pick(50_000, 200_000), options.pick(3, 5)
    candles = make_candles(count)
    closes = [float(one.close) for one in candles]
    rates: dict[str, list[float]] = {name: [] for name in VARIANTS}
    limit, prototype, orders = [], [], 0
    for place in range(rounds):
        begun = time.perf_counter()
        plain_loop(closes)
        limit.append(count / (time.perf_counter() - begun))
        prototype.append(prototype_rate(candles, FAST, SLOW))
        for name, (loaded, backend) in VARIANTS.items():
            with scratch(options) as folder:
                write_csv(folder / "candles.csv", candles)
                rate, orders = system_rate(folder, candles, loaded=loaded, backend=backend)
                rates[name].append(rate)
        shown = ", ".join(f"{name} {values[-1]:,.0f}/s" for name, values in rates.items())
        shown += f"; prototype {prototype[-1]:,.0f}/s; limit {limit[-1]:,.0f}/s"
        say(f"step_system {place + 1}/{rounds}: {shown}")
    first = median(rates[next(iter(VARIANTS))])
    return [
        Result(
            name="stepped Pykka actors, no accounting",
            value=median(prototype),
            unit="candles/s",
            reference=median(limit),
            against="plain loop",
        ),
        Result(
            name="stepped system, in memory, candles loaded",
            value=first,
            unit="candles/s",
            reference=median(prototype),
            against="of those",
            goal=f">= {GOAL / PROTOTYPE:.2f}",
            met=first >= GOAL / PROTOTYPE * median(prototype),
        ),
        *(
            Result(
                name=f"stepped system, {name}",
                value=median(values),
                unit="candles/s",
                reference=median(limit),
                against="plain loop",
                goal=f">= {GOAL:,}/s" if place == 0 else "",
                met=median(values) >= GOAL if place == 0 else None,
                note=f"an order every {count / orders:.0f} candles",
            )
            for place, (name, values) in enumerate(rates.items())
        ),
    ]
