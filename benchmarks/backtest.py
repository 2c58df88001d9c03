"""The plain loop against a bare loop, and against its peers, each in an environment of its own.

Same candles (a seeded random walk), sma 10/30, market orders; in turns, by the processor time of
each process: on a crowded machine only the ratios of one run mean something.
"""

import gc
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TypeVar

import strategies
from benchmarks.backtest_peers import (
    OURS,
    PEERS,
    CannotRun,
    Peer,
    Taken,
    measured,
    ours,
    python_for,
)
from benchmarks.common import Options, Result, median, say, scratch
from decisions.risk_limits import RiskLimits
from exchanges.event_blocks import BLOCK_EVENTS, Block, CandleBlock
from exchanges.paper_settings import PaperSettings
from exchanges.replay import ReplaySource
from messages.ids import NS_PER_MS, DurationNs, StrategyId, Symbol
from messages.values import Instrument, OrderState
from research.backtest.loop import Backtest
from research.backtest.plan import MarketPlan, Plan, StrategyPlan

FAST, SLOW = 10, 30
TURNS = 3
GOAL = 4
"""Times backtesting.py."""
BTC = Symbol("BTC/USDT")
_MINUTE_NS = DurationNs(60_000_000_000)
_START_NS = 1_700_000_040_000_000_000
_T = TypeVar("_T")
Columns = Sequence[list[float]]


def run(options: Options) -> list[Result]:
    """Give candles a second of each, as medians over turns."""
    count = options.pick(50_000, 200_000)
    columns = walk(count)
    gc.collect()
    gc.freeze()  # that all these numbers are there is no matter of who is measured
    with scratch(options) as folder:
        data = write(folder / "candles.csv", columns)
        peers = [] if options.quick else _ready(options, folder, columns)
        paces: dict[str, list[float]] = {"bare": [], OURS: []}
        whole: list[Taken] = []
        filled = 0
        for turn in range(TURNS):
            paces["bare"].append(_paced(count, lambda: bare_loop(columns[3]))[0])
            pace, outcome = _paced(count, lambda: Backtest(plan_of(columns)).run())
            paces[OURS].append(pace)
            filled = sum(order.state is OrderState.FILLED for order in outcome.orders)
            whole.append(measured(ours(), Path(sys.executable), data, count))
            for one in peers:
                one.take_turn()
            say(f"   turn {turn + 1}: {', '.join(_told(paces, peers))}")
    bare, pace = median(paces["bare"]), median(paces[OURS])
    return [
        Result(name="bare loop", value=bare, unit="candles/s"),
        Result(
            name="backtest", value=pace, unit="candles/s", reference=bare, against="the bare loop"
        ),
        *(_against(one, pace, filled) for one in peers),
        *_processes(whole, [one for one in peers if one.taken]),
    ]


class _Turns:
    """One peer: what it took each time, or why it could not run."""

    def __init__(self, peer: Peer, python: Path | None, data: Path, count: int) -> None:
        self.peer, self.problem = peer, ""
        self._python, self._data, self._count = python, data, count
        self.taken: list[Taken] = []
        self.paces: list[float] = []

    def take_turn(self) -> None:
        if self._python is None or self.problem or len(self.taken) == self.peer.turns:
            return
        try:
            taken = warm = measured(self.peer, self._python, self._data, self._count)
            if self.peer.compiles:
                warm = measured(self.peer, self._python, self._data, self._count, "warm")
        except CannotRun as error:
            self.problem = str(error)
            return
        self.taken.append(taken)
        self.paces.append(warm.pace)


def _ready(options: Options, folder: Path, columns: Columns) -> list[_Turns]:
    found = []
    for peer in PEERS:
        count = int(len(columns[0]) * peer.share)
        data = write(folder / f"{count}.csv", [column[:count] for column in columns])
        python, problem = None, ""
        try:
            python = python_for(peer, options.folder)
        except CannotRun as error:
            problem = str(error)
            say(f"   {problem}")
        found.append(_Turns(peer, python, data, count))
        found[-1].problem = problem
    return found


def _told(paces: dict[str, list[float]], peers: Sequence[_Turns]) -> Iterator[str]:
    for name, values in paces.items():
        yield f"{name} {values[-1]:,.0f}"
    for one in peers:
        if one.paces:
            yield f"{one.peer.name} {one.paces[-1]:,.0f}"


def _against(one: _Turns, pace: float, filled: int) -> Result:
    """Our pace beside a peer's; the first of them is the one that the goal is of."""
    name, against = f"backtest, {one.peer.name}", one.peer.requires[0]
    if not one.paces:
        return Result(name=name, against=against, note=one.problem)
    reference, orders, candles = median(one.paces), one.taken[-1].orders, one.taken[-1].candles
    has_goal = one.peer is PEERS[0]
    return Result(
        name=name,
        value=pace,
        unit="candles/s",
        reference=reference,
        against=against,
        goal=f">= {GOAL}" if has_goal else "",
        met=pace >= GOAL * reference and filled == orders if has_goal else None,
        note=f"{orders} orders in {candles:,} candles, of ours {filled}",
    )


def _processes(whole: Sequence[Taken], peers: Sequence[_Turns]) -> Iterator[Result]:
    """Whole processes: ours reads its candles from the file while it runs."""
    took, peak = median([one.whole_s for one in whole]), median([one.peak_mb for one in whole])
    imported = median([one.import_s for one in whole])
    yield Result(name="import", value=imported, unit="s", goal="< 0.5 s", met=imported < 0.5)
    for one in peers:
        theirs = median([each.whole_s for each in one.taken])
        is_goal = one.peer.name == "vectorbt"
        yield Result(
            name=f"import, reading and run, {one.peer.name}",
            value=took,
            unit="s",
            reference=theirs,
            against=one.peer.requires[0],
            goal="less" if is_goal else "",
            met=took < theirs if is_goal else None,
            note="" if one.peer.share == 1 else f"theirs of {one.taken[-1].candles:,} candles",
        )
        memory = median([each.peak_mb for each in one.taken])
        yield Result(
            name=f"peak memory, {one.peer.name}",
            value=peak,
            unit="MB",
            reference=memory,
            against=one.peer.requires[0],
            goal="less",
            met=peak < memory,
        )


def write(path: Path, columns: Columns) -> Path:
    """Write candles as exchanges publish them."""
    begin_ms, step_ms = _START_NS // NS_PER_MS, _MINUTE_NS // NS_PER_MS
    with path.open("w", encoding="ascii") as file:
        file.write("open_time,open,high,low,close,volume\n")
        for number, row in enumerate(zip(*columns, strict=True), 1):
            file.write(f"{begin_ms + number * step_ms},{','.join(map(repr, row))}\n")
    return path


def walk(count: int) -> tuple[list[float], ...]:
    """Give open, high, low, close and volume of a random walk."""
    chance, price = Random(3), 60_000.0
    rows = []
    for _ in range(count):
        opened, price = price, round(price * (1 + chance.gauss(0, 0.0008)), 2)
        high = round(max(opened, price) * 1.0002, 2)
        rows.append((opened, high, round(min(opened, price) * 0.9998, 2), price, 50.0))
    return tuple(map(list, zip(*rows, strict=True)))


def plan_of(columns: Columns) -> Plan:
    """The crossover on these candles, with fees, slippage and limits."""

    def blocks() -> Iterator[Block]:
        for first in range(0, len(columns[0]), BLOCK_EVENTS):
            part = [column[first : first + BLOCK_EVENTS] for column in columns]
            begin_ns = _START_NS + (first + 1) * _MINUTE_NS
            times = range(begin_ns, begin_ns + len(part[0]) * _MINUTE_NS, _MINUTE_NS)
            yield CandleBlock(BTC, times, _MINUTE_NS, part, part[3])

    return _plan(blocks)


def plan_of_file(path: Path) -> Plan:
    """The same, read from a file as it goes."""
    return _plan(ReplaySource(path, BTC, "1m").blocks)


def _plan(blocks: Callable[[], Iterator[Block]]) -> Plan:
    def build() -> strategies.Strategy:
        params = {"fast": FAST, "slow": SLOW}
        return strategies.build("sma_cross", params, BTC, Decimal(500), Instrument(symbol=BTC))

    return Plan(
        markets=(MarketPlan(symbol=BTC, blocks=blocks),),
        strategies=(StrategyPlan(id=StrategyId("sma-1"), symbol=BTC, build=build),),
        venue=PaperSettings(balances={"USDT": Decimal(1_000_000)}),
        limits=RiskLimits(max_order_notional=Decimal(1000), max_orders_per_minute=60),
    )


def bare_loop(closes: Sequence[float]) -> int:
    """The limit of the style: two sums, a position, an equity for each candle; all in floats."""
    fast, slow = deque[float](maxlen=FAST), deque[float](maxlen=SLOW)
    fast_sum = slow_sum = cash = held = 0.0
    above, trades, equity = None, 0, []
    for close in closes:
        if len(fast) == FAST:
            fast_sum -= fast[0]
        fast.append(close)
        fast_sum += close
        if len(slow) == SLOW:
            slow_sum -= slow[0]
        slow.append(close)
        slow_sum += close
        if len(slow) == SLOW:
            now = fast_sum / FAST > slow_sum / SLOW
            if above is not None and now != above:
                cash, held = (cash - 500, 500 / close) if now else (cash + held * close, 0.0)
                trades += 1
            above = now
        equity.append(cash + held * close)
    return trades


def _paced(count: int, work: Callable[[], _T]) -> tuple[float, _T]:
    """Give candles a second, and what came of it."""
    began = time.process_time()
    done = work()
    return count / (time.process_time() - began), done
