"""The crossover of `backtest` as each peer would have it: a program for each.

Every one reads the same file of candles, imports what it needs, runs once, and prints what the run
took and how many orders were filled. Where a library reads its data only as it runs, that is in
its run.
"""

BEGIN = """
import sys, time, json
began, path = time.process_time(), sys.argv[1]

def told(imported, run_s, orders):
    with open("/proc/self/status") as status:
        peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    took = {"import_s": imported, "run_s": run_s, "orders": orders, "peak_mb": int(peak) / 1024}
    print(json.dumps(took))

"""

OURS = """
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from benchmarks.backtest import plan_of_file
from research.backtest.loop import Backtest
imported = time.process_time() - began
plan = plan_of_file(Path(path))
began = time.process_time()
outcome = Backtest(plan).run()
run_s = time.process_time() - began
told(imported, run_s, sum(order.state == "filled" for order in outcome.orders))
"""

BACKTESTING = """
import warnings
warnings.simplefilter("ignore")
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover
imported = time.process_time() - began

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

data = pd.read_csv(path, index_col=0)
data.index = pd.to_datetime(data.index, unit="ms")
data.columns = ["Open", "High", "Low", "Close", "Volume"]
test = Backtest(data, Cross, cash=1_000_000, commission=.001)
began = time.process_time()
found = test.run()
run_s = time.process_time() - began
told(imported, run_s, 2 * found["# Trades"] + len(found["_strategy"].trades))
"""

BACKTRADER = """
from datetime import datetime, timedelta
import backtrader as bt
imported = time.process_time() - began

class Cross(bt.Strategy):
    def __init__(self):
        self.cross = bt.ind.CrossOver(bt.ind.SMA(period=10), bt.ind.SMA(period=30))
        self.filled = 0
    def notify_order(self, order):
        self.filled += order.status == order.Completed
    def next(self):
        if self.cross[0] > 0 and not self.position:
            self.buy(size=1)
        elif self.cross[0] < 0 and self.position:
            self.close()

epoch = datetime(1970, 1, 1)
cerebro = bt.Cerebro(stdstats=False)
cerebro.adddata(bt.feeds.GenericCSVData(
    dataname=path, dtformat=lambda text: epoch + timedelta(milliseconds=int(text)),
    timeframe=bt.TimeFrame.Minutes, openinterest=-1,
))
cerebro.addstrategy(Cross)
cerebro.broker.setcash(1_000_000)
cerebro.broker.setcommission(.001)
began = time.process_time()
strategy = cerebro.run()[0]
told(imported, time.process_time() - began, strategy.filled)
"""

BASANA = """
import asyncio, csv, datetime
from collections import deque
from decimal import Decimal
import basana as bs
from basana.backtesting import fees
from basana.backtesting.exchange import Exchange
imported = time.process_time() - began

PAIR = bs.Pair("BTC", "USDT")
MINUTE = datetime.timedelta(minutes=1)

class Bars(bs.EventSource):
    def __init__(self, bars):
        super().__init__()
        self._bars = deque(bars)
    def pop(self):
        if not self._bars:
            return None
        bar = self._bars.popleft()
        return bs.BarEvent(bar.begin + bar.duration, bar)

def bar_of(row):
    begin = datetime.datetime.fromtimestamp(int(row[0]) / 1000, datetime.timezone.utc)
    return bs.Bar(begin, PAIR, *map(Decimal, row[1:]), MINUTE)

class Cross:
    def __init__(self, exchange):
        self.exchange, self.orders, self.held, self.above = exchange, 0, False, None
        self.fast, self.slow = deque(maxlen=10), deque(maxlen=30)
        self.fast_sum = self.slow_sum = Decimal(0)
    async def on_bar(self, event):
        close = event.bar.close
        if len(self.fast) == 10:
            self.fast_sum -= self.fast[0]
        if len(self.slow) == 30:
            self.slow_sum -= self.slow[0]
        self.fast.append(close)
        self.slow.append(close)
        self.fast_sum += close
        self.slow_sum += close
        if len(self.slow) < 30:
            return
        now = self.fast_sum * 3 > self.slow_sum
        if self.above is not None and now != self.above and now != self.held:
            side = bs.OrderOperation.BUY if now else bs.OrderOperation.SELL
            await self.exchange.create_market_order(side, PAIR, Decimal(1))
            self.held = now
            self.orders += 1
        self.above = now

async def main(bars):
    dispatcher = bs.backtesting_dispatcher()
    fee = fees.Percentage(percentage=Decimal("0.1"))
    money = {"USDT": Decimal(1_000_000)}
    exchange = Exchange(dispatcher, money, fee_strategy=fee)
    exchange.set_pair_info(PAIR, bs.PairInfo(8, 2))
    exchange.add_bar_source(Bars(bars))
    cross = Cross(exchange)
    exchange.subscribe_to_bar_events(PAIR, cross.on_bar)
    await dispatcher.run()
    return cross.orders - len(await exchange.get_open_orders(PAIR))

with open(path) as file:
    rows = csv.reader(file)
    next(rows)
    bars = [bar_of(row) for row in rows]
began = time.process_time()
orders = asyncio.run(main(bars))
told(imported, time.process_time() - began, orders)
"""

VECTORBT = """
import warnings
warnings.simplefilter("ignore")
import pandas as pd
import vectorbt as vbt
imported = time.process_time() - began

def run(data):
    close = data["close"]
    fast, slow = vbt.MA.run(close, 10), vbt.MA.run(close, 30)
    enters = fast.ma_crossed_above(slow).shift(1, fill_value=False)
    leaves = fast.ma_crossed_below(slow).shift(1, fill_value=False)
    return vbt.Portfolio.from_signals(
        close, enters, leaves, price=data["open"], size=1, fees=.001, init_cash=1_000_000,
        freq="1min",
    )

data = pd.read_csv(path, index_col=0)
data.index = pd.to_datetime(data.index, unit="ms")
began = time.process_time()
orders = int(run(data).orders.count())
run_s = time.process_time() - began
if len(sys.argv) > 3:
    began = time.process_time()
    run(data).orders.count()
    run_s = time.process_time() - began
told(imported, run_s, orders)
"""

NAUTILUS = """
from decimal import Decimal
import pandas as pd
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy
imported = time.process_time() - began

instrument = TestInstrumentProvider.btcusdt_binance()
bar_type = BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")

class Cross(Strategy):
    def __init__(self):
        super().__init__(StrategyConfig())
        self.fast, self.slow = SimpleMovingAverage(10), SimpleMovingAverage(30)
        self.above, self.held, self.filled = None, False, 0
    def on_start(self):
        self.register_indicator_for_bars(bar_type, self.fast)
        self.register_indicator_for_bars(bar_type, self.slow)
        self.subscribe_bars(bar_type)
    def on_bar(self, bar):
        if not self.slow.initialized:
            return
        now = self.fast.value > self.slow.value
        if self.above is not None and now != self.above and now != self.held:
            self.submit_order(self.order_factory.market(
                instrument_id=instrument.id,
                order_side=OrderSide.BUY if now else OrderSide.SELL,
                quantity=instrument.make_qty(Decimal(1)),
            ))
            self.held = now
        self.above = now
    def on_order_filled(self, event):
        self.filled += 1

data = pd.read_csv(path, index_col=0)
data.index = pd.to_datetime(data.index, unit="ms", utc=True)
config = BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
engine = BacktestEngine(config=config)
engine.add_venue(
    venue=Venue("BINANCE"), oms_type=OmsType.NETTING, account_type=AccountType.CASH,
    base_currency=None,
    starting_balances=[Money(1_000_000, USDT), Money(0, instrument.base_currency)],
)
engine.add_instrument(instrument)
engine.add_data(BarDataWrangler(bar_type, instrument).process(data))
cross = Cross()
engine.add_strategy(cross)
began = time.process_time()
engine.run()
told(imported, time.process_time() - began, cross.filled)
"""
