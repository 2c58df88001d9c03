"""Strategies whose runs are replayed: what the API offers, what goes wrong, what may not be."""

import random
import threading
import time
from decimal import Decimal
from typing import Any

from messages.ids import TimestampNs
from messages.market import Candle, Tick
from messages.orders import Fill, OrderUpdate
from messages.values import OrderType, Side, TimeInForce
from strategies.protocol import Cancel, Decision, Decisions, Replace, Strategy, Target

STEP = Decimal("0.001")


class Waves(Strategy):
    """Another position every third candle."""

    def __init__(self, params: Any, symbol: str, order_notional: Decimal, instrument: Any) -> None:
        self.seen = 0
        self.deep = int(params.get("deep", 5))

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        self.seen += 1
        return self.wave() if not self.seen % 3 else None

    def wave(self) -> Target:
        return Target(STEP * (self.seen * self.seen % self.deep), f"the {self.seen}th")


class Bars(Waves):
    timeframes = ("5m",)
    timer_s = 420

    def on_bar(self, bar: Candle, timeframe: str, position: Decimal) -> Decisions:
        self.seen += 1
        return self.wave()

    def on_timer(self, due_ns: TimestampNs, position: Decimal) -> Decisions:
        return Target(STEP, "it is time")


class Pairs(Waves):
    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        self.seen += 1
        other = next(symbol for symbol in self.symbols if symbol != candle.symbol)
        return [self.wave(), Target(self.positions[candle.symbol], "as much", symbol=other)]


class Stopped(Waves):
    """Buys where it is flat, with a stop and a target so near that one of them acts, or a trail."""

    uses_stops = True

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        self.seen += 1
        if position or self.seen % 2:
            return None
        near = candle.close / 2000
        if not self.seen % 4:
            return Target(STEP, "flat", trailing=near)
        return Target(STEP, "flat", stop_loss=candle.close - near, take_profit=candle.close + near)


class Moves(Waves):
    """Rests orders near the market, moves the oldest and ends the newest, or all in one breath."""

    manages_orders = True
    uses_stops = True

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        self.seen += 1
        near, there = candle.close / 100, list(self.open_orders)
        wishes: list[Decision | Replace | Cancel] = []
        if len(there) < 3:
            side = Side.BUY if self.seen % 8 or not position else Side.SELL
            stop = candle.close - 3 * near if side is Side.BUY and not self.seen % 3 else None
            wishes.append(
                Decision(
                    side=side,
                    order_type=OrderType.LIMIT,
                    time_in_force=TimeInForce.GTC,
                    quantity=STEP,
                    limit_price=candle.close - side.sign * near,
                    reason="near",
                    stop_loss=stop,
                )
            )
        if there and self.seen % 3:
            price = None if not self.seen % 7 else candle.close - near / 2
            wishes.append(Replace(order=there[0], limit_price=price, reason="nearer"))
        if len(there) > 1 and not self.seen % 4:
            wishes.append(Cancel(order=there[-1], reason="enough"))
        return wishes


class MovesAndKeeps(Moves):
    """And goes on from what it has kept."""

    def snapshot(self) -> bytes:
        return str(self.seen).encode()

    def restore(self, data: bytes) -> None:
        self.seen = int(data)


class StoppedAndKeeps(Stopped):
    """And counts what it holds, which no warm-up gives back; it dies of much of it."""

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        self.held = getattr(self, "held", 0) + bool(position)
        return super().on_candle(candle, position)

    def snapshot(self) -> bytes:
        return f"{self.seen} {getattr(self, 'held', 0)}".encode()

    def restore(self, data: bytes) -> None:
        self.seen, self.held = map(int, data.split())


class StoppedPairs(Stopped):
    """Stops in a symbol that is not its first, too."""

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        return super().on_candle(candle, self.positions[candle.symbol])


class Books(Waves):
    """Decides on prices that come by themselves, and raises on one of them."""

    def on_book(self, book: Tick, position: Decimal) -> Decisions:
        self.seen += 1
        if book.bid_price == 13:
            raise RuntimeError("of all prices")
        return self.wave()


class Learns(Waves):
    """Decides by what it was told of its orders."""

    def on_update(self, update: OrderUpdate) -> None:
        self.seen += 1

    def on_fill(self, fill: Fill, order: OrderUpdate) -> None:
        self.seen += 2


class Keeps(Waves):
    """Counts what no warm-up gives back, and keeps it."""

    timer_s = 600

    def on_timer(self, due_ns: TimestampNs, position: Decimal) -> Decisions:
        return self.wave()

    def snapshot(self) -> bytes:
        return str(self.seen).encode()

    def restore(self, data: bytes) -> None:
        self.seen = int(data)


class Tires(Waves):
    """Dies of what it has seen, not of what it is shown: its successor takes that."""

    warmup_events = 12

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        if self.seen == 40:
            raise RuntimeError("too much")
        return super().on_candle(candle, position)


class TiresAndKeeps(Keeps):
    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        fresh = self.__dict__.setdefault("since", self.seen)
        if self.seen - fresh == 40:
            raise RuntimeError("too much")
        return super().on_candle(candle, position)


class Poisoned(Waves):
    """Cannot bear some candles, whoever shows them."""

    warmup_events = 5

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        if candle.ts_open_ns // 60_000_000_000 % 37 == 5:
            raise ZeroDivisionError("such a candle")
        return super().on_candle(candle, position)


class Hangs(Waves):
    """Never comes back from some candles."""

    warmup_events = 5

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        if candle.ts_open_ns // 60_000_000_000 % 60 == 5:
            threading.Event().wait()
        return super().on_candle(candle, position)


# ------------------------------------------------------------------ what may not be


class Gambles(Waves):
    def wave(self) -> Target:
        return Target(STEP * random.randrange(1, 100_000), "who knows")


class LooksAtTheClock(Waves):
    def wave(self) -> Target:
        return Target(STEP * (time.monotonic_ns() % 999_983), "it is late")


class RaisesInReplay(Waves):
    """Raises once in its process: not in the first one that asks."""

    is_second = False

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        if self.seen == 20 and RaisesInReplay.is_second:
            RaisesInReplay.is_second = False
            raise KeyError("gone")
        return super().on_candle(candle, position)
