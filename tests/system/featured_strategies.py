"""Strategies that use one thing each that the API offers, and ones that misuse it."""

import threading
from decimal import Decimal
from typing import Any, ClassVar

from messages.ids import TimestampNs
from messages.market import Candle
from messages.orders import Fill, OrderUpdate
from messages.values import Side
from strategies.protocol import Decision, Decisions, Strategy, Target, market_order

STEP = Decimal("0.001")


class Base(Strategy):
    """A position of none or one step, by something simple."""

    def __init__(self, params: Any, symbol: str, order_notional: Decimal, instrument: Any) -> None:
        self.seen = 0

    def wave(self) -> Target:
        """Another target each time."""
        self.seen += 1
        return Target(STEP * (self.seen * self.seen % 5), f"the {self.seen}th")


class Targets(Base):
    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        return self.wave()


class Timers(Base):
    timer_s = 420

    def on_timer(self, due_ns: TimestampNs, position: Decimal) -> Decisions:
        return self.wave()


class Bars(Base):
    timeframes = ("5m", "15m")

    def on_bar(self, bar: Candle, timeframe: str, position: Decimal) -> Decisions:
        return self.wave() if timeframe == "5m" else Target(Decimal(0), "the quarter is over")


class Pairs(Base):
    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        other = next(symbol for symbol in self.symbols if symbol != candle.symbol)
        held = self.positions[candle.symbol]
        assert held == position
        return [self.wave(), Target(held, "as much of the other", symbol=other)]


class Keeps(Base):
    """Counts what it has seen, which no warm-up gives back; dies on a few candles, once on each."""

    timer_s = 600
    died: ClassVar[set[int]] = set()

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        if candle.ts_open_ns // 60_000_000_000 % 100 == 50 and candle.ts_open_ns not in self.died:
            Keeps.died.add(candle.ts_open_ns)
            raise RuntimeError("a bad moment")
        return self.wave()

    def on_timer(self, due_ns: TimestampNs, position: Decimal) -> Decisions:
        return self.wave()

    def snapshot(self) -> bytes:
        return str(self.seen).encode()

    def restore(self, data: bytes) -> None:
        self.seen = int(data)


class KeepsUndisturbed(Keeps):
    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        return self.wave()


class Fills(Base):
    told: ClassVar[list[str]] = []

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        return self.wave()

    def on_fill(self, fill: Fill, order: OrderUpdate) -> None:
        Fills.told.append(fill.trade_id)


# ------------------------------------------------------------------ misuse


class GivesText(Base):
    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        return "buy"


class GivesNan(Base):
    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        return (market_order(Side.BUY, Decimal("NaN"), "no idea"),)


class GivesNegative(Base):
    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        return (market_order(Side.BUY, Decimal(-1), "backwards"),)


class GivesUnknownSymbol(Base):
    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        wish = market_order(Side.BUY, STEP, "elsewhere")
        return Decision(
            **{**{n: getattr(wish, n) for n in wish.__struct_fields__}, "symbol": "X/Y"}
        )


class DividesByZero(Base):
    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        return Target(candle.close / (position * 0), "never")


class TakesForEver(Base):
    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        threading.Event().wait()
        return ()
