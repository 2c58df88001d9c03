"""The plain loop against a bare loop, and against backtesting.py in an environment of its own.

Same candles (a seeded random walk), sma 10/30, market orders; in turns, by the processor time of
each process: on a crowded machine only the ratios of one run mean something.
"""

import subprocess
import sys
import time
import venv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeVar

import strategies
from benchmarks.common import Options, Result, median, say
from decisions.risk_limits import RiskLimits
from exchanges.event_blocks import BLOCK_EVENTS, Block, CandleBlock
from exchanges.paper_settings import PaperSettings
from messages.ids import DurationNs, StrategyId, Symbol
from messages.values import Instrument, OrderState
from research.backtest.loop import Backtest
from research.backtest.plan import MarketPlan, Plan, StrategyPlan

FAST, SLOW = 10, 30
PEER = "backtesting==0.6.6"
TURNS = 3
BTC = Symbol("BTC/USDT")
_MINUTE_NS = DurationNs(60_000_000_000)
_START_NS = 1_700_000_040_000_000_000
_T = TypeVar("_T")

_PEER_SCRIPT = """
import sys, time, warnings
warnings.simplefilter("ignore")
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover

def mean(values, period):
    return pd.Series(values).rolling(period).mean()

class Cross(Strategy):
    def init(self):
        self.fast = self.I(mean, self.data.Close, 10)
        self.slow = self.I(mean, self.data.Close, 30)
    def next(self):
        if crossover(self.fast, self.slow):
            if not self.position:
                self.buy(size=1)
        elif crossover(self.slow, self.fast):
            self.position.close()

data = pd.read_csv(sys.argv[1], index_col=0, parse_dates=True)
test = Backtest(data, Cross, cash=1_000_000, commission=.001)
began = time.process_time()
found = test.run()
pace = len(data) / (time.process_time() - began)
print(pace, 2 * found["# Trades"] + len(found["_strategy"].trades))
"""


def run(options: Options) -> list[Result]:
    """Give candles a second of each, as medians over turns."""
    count = options.pick(50_000, 200_000)
    columns = walk(count)
    with TemporaryDirectory(dir=options.folder) as folder:
        peer = None if options.quick else _Peer(Path(folder), columns)
        paces: dict[str, list[float]] = {"bare": [], "ours": [], "peer": []}
        filled = of_peer = 0
        for turn in range(TURNS):
            paces["bare"].append(_paced(count, lambda: bare_loop(columns[3]))[0])
            pace, outcome = _paced(count, lambda: Backtest(plan_of(columns)).run())
            paces["ours"].append(pace)
            filled = sum(order.state is OrderState.FILLED for order in outcome.orders)
            if peer is not None:
                pace, of_peer = peer.pace()
                paces["peer"].append(pace)
            told = [f"{name} {found[-1]:,.0f}" for name, found in paces.items() if found]
            say(f"   turn {turn + 1}: {', '.join(told)}")
    ours, bare = median(paces["ours"]), median(paces["bare"])
    results = [
        Result(name="bare loop", value=bare, unit="candles/s"),
        Result(
            name="backtest", value=ours, unit="candles/s", reference=bare, against="the bare loop"
        ),
    ]
    if paces["peer"]:
        reference = median(paces["peer"])
        results += [
            Result(
                name="backtest, orders filled",
                value=filled,
                unit="orders",
                reference=of_peer,
                against=PEER,
                goal="equal",
                met=filled == of_peer,
            ),
            Result(
                name="backtest",
                value=ours,
                unit="candles/s",
                reference=reference,
                against=PEER,
                goal=">= 4",
                met=ours >= 4 * reference,
            ),
        ]
    return results


def walk(count: int) -> tuple[list[float], ...]:
    """Give open, high, low, close and volume of a random walk."""
    chance, price = Random(3), 60_000.0
    rows = []
    for _ in range(count):
        opened, price = price, round(price * (1 + chance.gauss(0, 0.0008)), 2)
        high = round(max(opened, price) * 1.0002, 2)
        rows.append((opened, high, round(min(opened, price) * 0.9998, 2), price, 50.0))
    return tuple(map(list, zip(*rows, strict=True)))


def plan_of(columns: Sequence[list[float]]) -> Plan:
    """The crossover on these candles, with fees, slippage and limits."""

    def blocks() -> Iterator[Block]:
        for first in range(0, len(columns[0]), BLOCK_EVENTS):
            part = [column[first : first + BLOCK_EVENTS] for column in columns]
            begin_ns = _START_NS + (first + 1) * _MINUTE_NS
            times = range(begin_ns, begin_ns + len(part[0]) * _MINUTE_NS, _MINUTE_NS)
            yield CandleBlock(BTC, times, _MINUTE_NS, part, part[3])

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


class _Peer:
    """backtesting.py, installed where nothing else is."""

    def __init__(self, folder: Path, columns: Sequence[list[float]]) -> None:
        say(f"   installing {PEER} in an environment of its own")
        venv.create(folder / "peer", with_pip=True)
        self._python = folder / "peer" / "bin" / "python"
        install = [str(self._python), "-m", "pip", "install", "-q", PEER]
        subprocess.run(install, check=True, stdout=sys.stderr)
        self._script, self._data = folder / "peer.py", folder / "candles.csv"
        self._script.write_text(_PEER_SCRIPT, encoding="utf-8")
        with self._data.open("w", encoding="utf-8") as file:
            file.write("Time,Open,High,Low,Close,Volume\n")
            for number, row in enumerate(zip(*columns, strict=True)):
                day, minute = divmod(number, 1440)
                hour = f"{minute // 60:02}:{minute % 60:02}"
                file.write(f"{_date(day)} {hour},{','.join(map(repr, row))}\n")

    def pace(self) -> tuple[float, int]:
        """Give candles a second of its `run` alone, and how many orders it filled."""
        command = [str(self._python), str(self._script), str(self._data)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        pace, orders = done.stdout.split()
        return float(pace), int(orders)


def _date(day: int) -> str:
    return (date(2023, 1, 1) + timedelta(days=day)).isoformat()
