"""Strategies that a backtest would believe and a market would not."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

from messages.ids import NS_PER_S, Symbol
from messages.market import Candle
from messages.values import Instrument, Side
from strategies.protocol import Decision, Strategy, market_order

_ONE = Decimal("0.01")


class Plain(Strategy):
    """Takes what the library gives it."""

    def __init__(self, *_: Any) -> None:
        self._place = 0


class PeeksThroughItsDoor(Plain):
    """Looks one close ahead in the columns that its fast door is shown."""

    _next = 0.0

    def pass_closes(self, closes: Sequence[float], start: int) -> int:
        self._next = closes[start + 1] if start + 1 < len(closes) else 0.0
        return start

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        if self._next > float(candle.close) and not position:
            return (market_order(Side.BUY, _ONE, "it will rise"),)
        if self._next < float(candle.close) and position:
            return (market_order(Side.SELL, position, "it will fall"),)
        return ()


class RemembersLastTime(Plain):
    """Keeps in its class what an earlier run has seen."""

    seen: ClassVar[list[Decimal]] = []

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        self._place += 1
        if len(self.seen) < self._place:
            self.seen.append(candle.close)
        ahead = self.seen[self._place :][:1]
        if ahead and ahead[0] > candle.close and not position:
            return (market_order(Side.BUY, _ONE, "it rose then"),)
        return ()


class LooksAcross(Plain):
    """At a candle of its first symbol it uses that of its second, which comes after it."""

    seen: ClassVar[dict[tuple[Symbol, int], Decimal]] = {}

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        key = candle.symbol, candle.ts_event_ns
        told = candle.close if candle.symbol == self.symbols[0] else Decimal(0)
        there = self.seen.get((self.symbols[-1], candle.ts_event_ns))
        self.seen.setdefault(key, candle.close)
        if told and there is not None and int(there) % 5 == 0 and not position:
            return (market_order(Side.BUY, _ONE, "the other one says so"),)
        if told and position:
            return (market_order(Side.SELL, position, "enough"),)
        return ()


class CountsFromTheStart(Plain):
    """Depends on how many candles it has seen in all, and declares no warm-up."""

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        self._place += 1
        if self._place % 50 == 0:
            return (market_order(Side.BUY, _ONE, "the fiftieth"),)
        return ()


class CountsOnceItWasStopped(Plain):
    """The same, but only after a first position that nothing but its stop ever leaves."""

    uses_stops = True
    _every_ns = 50 * 60 * NS_PER_S

    def __init__(self, *_: Any) -> None:
        super().__init__()
        self._was_long = False

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        self._place += 1
        self._was_long = self._was_long or bool(position)
        if position or candle.ts_event_ns % self._every_ns:
            return ()
        quantity = _ONE * (1 + self._place % 7) if self._was_long else _ONE
        return (market_order(Side.BUY, quantity, "the fiftieth", trailing=Decimal(100)),)


def make(cls: type[Strategy]) -> Strategy:
    made: Any = cls
    built: Strategy = made({}, Symbol("BTC/USDT"), _ONE, Instrument(symbol=Symbol("BTC/USDT")))
    return built
