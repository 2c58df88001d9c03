"""The strategy that others here are made from, and the market it is run on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from decisions.strategy import StrategyMemory, StrategyRun, memory_of
from messages.ids import (
    NS_PER_S,
    AccountId,
    ClientOrderId,
    OrderKey,
    StrategyId,
    Symbol,
    TimestampNs,
    TradeId,
)
from messages.market import Candle, MarketEvent, Tick
from messages.orders import Fill, OrderUpdate
from messages.values import Liquidity, OrderState, Side, Target
from tests.decisions.strategy_runs import BTC, take_all

ETH = Symbol("ETH/USDT")
MINUTE = 60 * NS_PER_S
ONE = Decimal(1)


class Plain:
    """What every strategy of these tests begins from."""

    warmup_events = 0
    positions: Mapping[Symbol, Decimal] = {}

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        self.told.append(("candle", candle.symbol, candle.ts_event_ns // MINUTE))
        return ()

    def on_trade(self, trade: Any, position: Decimal) -> Any:
        return ()

    def on_tick(self, tick: Tick, position: Decimal) -> Any:
        return ()

    def on_update(self, update: OrderUpdate) -> None:
        self.told.append(("update", update.state))


def candle(minute: int, close: int = 100, symbol: Symbol = BTC) -> Candle:
    price = Decimal(close)
    return Candle(
        symbol=symbol,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=ONE,
        ts_open_ns=TimestampNs(minute * MINUTE),
        ts_event_ns=TimestampNs((minute + 1) * MINUTE),
    )


def tick(second: int) -> Tick:
    at = TimestampNs(second * NS_PER_S)
    return Tick(symbol=BTC, bid_price=ONE, ask_price=ONE, ts_event_ns=at, ts_received_ns=at)


def run(
    build: Callable[[], Any],
    memory: StrategyMemory | None = None,
    symbols: Sequence[Symbol] = (BTC,),
) -> StrategyRun:
    memory = memory_of(build(), MINUTE, symbols) if memory is None else memory
    account, name = AccountId("main"), StrategyId("one")
    return StrategyRun(build, memory, account, name, symbols[0], symbols=symbols)


class Timed(Plain):
    timer_s = 300

    def on_timer(self, due_ns: TimestampNs, position: Decimal) -> Any:
        self.told.append(("timer", due_ns // MINUTE))
        return Target(position + 1, "it is time")


def told_by(strategy: Plain, events: Iterable[MarketEvent]) -> list[Any]:
    take_all(run(lambda: strategy), events)
    return strategy.told


def timers(strategy: Plain, events: Iterable[MarketEvent]) -> list[int]:
    return [what[1] for what in told_by(strategy, events) if what[0] == "timer"]


def update(*trades: str, late: bool = False, order: str = "k") -> OrderUpdate:
    fills = tuple(
        Fill(
            trade_id=TradeId(trade),
            price=ONE,
            quantity=ONE,
            fee=Decimal(0),
            fee_currency="USDT",
            liquidity=Liquidity.TAKER,
            ts_event_ns=TimestampNs(1),
        )
        for trade in trades
    )
    return OrderUpdate(
        order_key=OrderKey(order),
        client_order_id=ClientOrderId("c"),
        strategy_id=StrategyId("one"),
        symbol=BTC,
        side=Side.BUY,
        state=OrderState.FILLED,
        quantity=ONE,
        filled_quantity=ONE,
        average_price=ONE,
        fills=fills,
        reason="",
        decided_at_ns=TimestampNs(1),
        ts_event_ns=TimestampNs(2),
        late_fills=late,
    )
