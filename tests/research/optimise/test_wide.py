"""Strategies with longer bars, a timer or several symbols are tried as a backtest runs them."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

import strategies
from exchanges.replay import ReplaySource
from messages.ids import Symbol
from messages.values import Instrument
from research.backtest.loop import Backtest
from research.backtest.plan import MarketPlan, Plan, StrategyPlan
from research.optimise.figures import Figures
from research.optimise.trial import Task, make
from tests.research.optimise.markets import BTC, plan_of, work_of, write_candles

ETH = Symbol("ETH/USDT")
WIDE = """
from decimal import Decimal
from messages.values import Side
from strategies import Decision, Strategy
from strategies.protocol import market_order
import msgspec

class Wide(Strategy):
    timeframes = ("4h",)
    warmup_bars = {"4h": 3}
    timer_s = 7200
    def __init__(self, params, symbol, order_notional, instrument):
        self.path = params.get("path")
        self.bars = 0
    def note(self, what, at, position):
        if self.path:
            with open(self.path, "a") as file:
                file.write(f"{what} {at} {position}\\n")
    def trade(self, symbol, position):
        side = Side.SELL if position else Side.BUY
        order = market_order(side, position or Decimal("0.01"), "wide")
        return (msgspec.structs.replace(order, symbol=symbol),)
    def on_bar(self, bar, timeframe, position):
        self.note("bar", bar.ts_event_ns, position)
        return self.trade(bar.symbol, position)
    def on_timer(self, due_ns, position):
        self.note("timer", due_ns, position)
        return self.trade(self.symbols[-1], self.positions[self.symbols[-1]])
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Two markets, and one strategy on both."""
    file = tmp_path / "wide.py"
    file.write_text(WIDE)
    one = plan_of(write_candles(tmp_path / "btc.csv", 600), {}, f"{file}:Wide")
    other = ReplaySource(write_candles(tmp_path / "eth.csv", 600, seed=8), ETH, "1h")
    build = partial(
        strategies.build,
        f"{file}:Wide",
        {"path": ""},
        BTC,
        Decimal(500),
        Instrument(symbol=BTC),
        {ETH: Instrument(symbol=ETH)},
    )
    strategy = StrategyPlan(id=one.strategies[0].id, symbol=BTC, symbols=(BTC, ETH), build=build)
    markets = (*one.markets, MarketPlan(symbol=ETH, blocks=other.blocks))
    return msgspec.structs.replace(one, markets=markets, strategies=(strategy,))


def made(plan: Plan, begin: float, end: float, params: Any, cuts: int = 0) -> Iterator[Figures]:
    """Make a trial on a part of the markets."""
    work, columns = work_of(plan)
    spans = [(i.segments[0].first_ns - 1, i.segments[-1].last_ns) for i in work.indices]
    first, last = min(one for one, _ in spans), max(one for _, one in spans)
    begin_ns, end_ns = (first + int((last - first) * part) for part in (begin, end))
    cuts_ns = tuple(begin_ns + (end_ns - begin_ns) * n // (cuts + 1) for n in range(1, cuts + 1))
    task = Task(ticket=1, params=params, begin_ns=begin_ns, end_ns=end_ns, cuts_ns=cuts_ns)
    yield make(work, columns.mapped(), task, lambda part, figures: True)
    columns.close()


def test_all_of_it_gives_what_a_backtest_gives(plan: Plan) -> None:
    outcome = Backtest(plan).run()

    (found,) = made(plan, 0, 1, {}, cuts=3)

    assert len(outcome.markets) == 2
    assert all(market.turnover for market in outcome.markets)
    assert found.net == sum(market.profit for market in outcome.markets)
    assert found.orders == sum(1 for order in outcome.orders if order.filled_quantity) > 100
    (meter,) = outcome.meters.values()
    assert found.drawdown == meter.drawdown


def test_bars_and_timers_before_the_beginning_decide_nothing(plan: Plan, tmp_path: Path) -> None:
    log = tmp_path / "noted"

    (found,) = made(plan, 0.5, 1, {"s": {"path": str(log)}})

    rows = [line.split() for line in log.read_text().splitlines()]
    first, last = (int(rows[place][1]) for place in (0, -1))
    middle = next(int(at) for what, at, position in rows if position != "0")
    before = [row for row in rows if int(row[1]) < middle]
    assert found.orders > 50
    assert {what for what, _, _ in before} == {"bar", "timer"}
    assert all(position == "0" for _, _, position in before)
    assert 0 < middle - first < (last - first) / 8
