"""A strategy that buys and sells as a market swings, and the markets it is run on."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from decisions.strategy import StrategyMemory, StrategyRun, new_memory
from messages.ids import AccountId, StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketEvent, Tick, Trade
from messages.orders import OrderUpdate
from messages.values import OrderType, Side, TimeInForce
from tests.decisions.strategy_runs import BTC


class Wish(msgspec.Struct, frozen=True):
    side: Side
    quantity: Decimal
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.IOC
    limit_price: Decimal | None = None
    reason: str = "because"


class Swinger:
    """Buys one on a close above the mean of the last two before it, sells all below it."""

    warmup_events = 2

    def __init__(self, raise_on: Callable[[Candle], bool] = lambda _: False) -> None:
        self._raise_on = raise_on
        self._seen: list[Decimal] = []
        self.updates: list[OrderUpdate] = []

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Wish]:
        before, self._seen = self._seen, [*self._seen[-1:], candle.close]
        if self._raise_on(candle):
            raise ValueError("poison")
        if len(before) < 2:
            return ()
        middle = sum(before, Decimal(0)) / 2
        if candle.close > middle and position == 0:
            return (Wish(Side.BUY, Decimal(1)),)
        if candle.close < middle and position > 0:
            return (Wish(Side.SELL, position),)
        return ()

    def on_trade(self, trade: Trade, position: Decimal) -> Sequence[Wish]:
        return (Wish(Side.BUY, trade.quantity), Wish(Side.BUY, trade.quantity))

    def on_tick(self, tick: Tick, position: Decimal) -> Sequence[Wish]:
        return (Wish(Side.SELL, Decimal(1), OrderType.LIMIT, TimeInForce.GTC, tick.ask_price),)

    def on_update(self, update: OrderUpdate) -> None:
        self.updates.append(update)


def candle(close: int, place: int, symbol: Symbol = BTC) -> Candle:
    price = Decimal(close)
    return Candle(
        symbol=symbol,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1),
        ts_open_ns=TimestampNs(place * 60),
        ts_event_ns=TimestampNs(place * 60 + 60),
    )


def trade(moment: int, quantity: str = "1") -> Trade:
    return Trade(
        symbol=BTC,
        price=Decimal(100),
        quantity=Decimal(quantity),
        aggressor_side=None,
        ts_event_ns=TimestampNs(moment),
    )


def market(closes: Iterable[int]) -> list[MarketEvent]:
    return [candle(close, place) for place, close in enumerate(closes)]


def run(
    memory: StrategyMemory | None = None, build: Callable[[], Any] = Swinger, name: str = "one"
) -> StrategyRun:
    memory = new_memory(2) if memory is None else memory
    return StrategyRun(build, memory, AccountId("main"), StrategyId(name), BTC)


def begun(position: str, decided_until: int = -1) -> StrategyRun:
    """One whose earlier process has decided until a moment."""
    memory = new_memory(2)
    memory.begin_with([BTC], {BTC: Decimal(position)}, {BTC: decided_until})
    return run(memory.inherited())
