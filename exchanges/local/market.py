"""The rest of the world: it quotes around a moving price and trades, from a seed.

The price follows candles or trades, generated or recorded; only their spacing in time is
kept, so a recording plays as if it were now. The same seed gives the same quotes and prints,
one after another, whatever the account does.
"""

from collections import deque
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import chain, islice
from random import Random

import msgspec

from exchanges.local.candles import MINUTE_MS, Bar, Bars, flat_bar
from exchanges.local.engine import Engine
from exchanges.local.filters import Market
from exchanges.local.orders import PublicTrade
from messages.ids import NS_PER_MS
from messages.market import Candle, MarketEvent, Tick
from messages.values import Side

LEVELS = 20
HISTORY = 500
_SPREAD = Decimal("0.0001")
"""From the mid price to either side, as a fraction."""
_STEP = Decimal("0.0001")
"""From level to level."""
_DEPTH = Decimal("0.3")
"""Base units at the best prices, for an instrument at 60000; cheaper ones have more."""
_DEEPEST = Decimal(60_000)
_KEPT_TRADES = 1_000


class Print(msgspec.Struct, frozen=True):
    """Somebody trades: when on the market's own time line, at which price, how much."""

    ts_ns: int
    price: Decimal
    quantity: Decimal
    aggressor: Side | None


class Player:
    """Plays one symbol into the engine, as far as it is told to."""

    def __init__(
        self,
        market: Market,
        events: Iterator[MarketEvent],
        *,
        seed: int,
        start_ns: int,
        skip: int = 0,
        prints_per_candle: int = 60,
    ) -> None:
        self._market = market
        self._per_candle = prints_per_candle
        self._random = Random(f"{seed}:{market.symbol}").random  # noqa: S311 - prices and faults, not secrets
        self._prints: Iterator[Print] = iter(())
        self._offset_ns = 0
        self._next: Print | None = None
        self.played = 0
        self.liquidity = Decimal(1)
        """How deep the book is, as a factor; 0 leaves one step at each best price."""
        self.bars = Bars()
        self.recent: deque[PublicTrade] = deque(maxlen=_KEPT_TRADES)
        self.mid = Decimal(0)
        self._pinned = False
        self._begin(events, start_ns, skip)

    def advance_to(self, ts_ns: int, engine: Engine) -> None:
        """Play what is due by then."""
        while self._next is not None and self._next.ts_ns + self._offset_ns <= ts_ns:
            one = self._next
            self._next = next(self._prints, None)
            self.played += 1
            if not self._pinned:
                self._play(one, engine)

    def quote(self, engine: Engine, ts_ns: int) -> None:
        """Offer anew around the present price."""
        bids, asks = self._ladder(Side.BUY), self._ladder(Side.SELL)
        engine.quote(self._market.symbol, bids, asks, ts_ns)

    def pin(self, price: Decimal, engine: Engine, ts_ns: int) -> None:
        """Move the market to a price; it stays there."""
        self._pinned = True
        self.mid = price
        engine.last_prices[self._market.symbol] = price
        self.quote(engine, ts_ns)

    def unpin(self) -> None:
        """Let the market move on by itself."""
        self._pinned = False

    def note(self, trade: PublicTrade) -> None:
        """Keep a trade for those who ask for trades and candles."""
        self.recent.append(trade)
        self.bars.add(
            trade.ts_ns,
            trade.price,
            trade.quantity,
            trade.trade_id,
            is_buyer_maker=trade.is_buyer_maker,
        )

    def _begin(self, events: Iterator[MarketEvent], start_ns: int, skip: int) -> None:
        """Show the first events as history, so that the next print falls on the start."""
        past = list(islice(events, 2 * HISTORY))
        cut = HISTORY if len(past) == 2 * HISTORY else len(past) // 2
        self._prints = _prints(chain(past[cut:], events), self._per_candle)
        skipped = list(islice(self._prints, skip))
        self._next = next(self._prints, None)
        if self._next is not None:
            minute_ns = MINUTE_MS * NS_PER_MS
            since_ns = start_ns if skip else start_ns // minute_ns * minute_ns
            self._offset_ns = since_ns - self._next.ts_ns
        self.played = skip
        self._remember_all(past[:cut], skipped)

    def _remember_all(self, events: list[MarketEvent], prints: list[Print]) -> None:
        for event in events:
            if isinstance(event, Candle):
                self.bars.put(self._bar(event))
                self.mid = event.close
            else:
                prints = [*_prints(iter([event]), self._per_candle), *prints]
        for one in sorted(prints, key=lambda one: one.ts_ns):
            bar = flat_bar(self._minute_ms(one.ts_ns), one.price)
            self.bars.put(_traded(bar, one.quantity, one.price, 1))
            self.mid = one.price
        if not self.mid and self._next is not None:
            self.mid = self._next.price

    def _bar(self, candle: Candle) -> Bar:
        bar = flat_bar(self._minute_ms(candle.ts_open_ns), candle.close)
        bar.open, bar.high, bar.low = candle.open, candle.high, candle.low
        return _traded(bar, candle.volume, candle.close, self._per_candle)

    def _minute_ms(self, ts_ns: int) -> int:
        return (ts_ns + self._offset_ns) // NS_PER_MS // MINUTE_MS * MINUTE_MS

    def _play(self, one: Print, engine: Engine) -> None:
        ts_ns = one.ts_ns + self._offset_ns
        self.mid = one.price
        aggressor = one.aggressor or (Side.BUY if self._random() < 0.5 else Side.SELL)
        self.quote(engine, ts_ns)
        best = engine.books[self._market.symbol].best(
            Side.SELL if aggressor is Side.BUY else Side.BUY
        )
        if one.quantity > 0:
            price = one.price if best is None else best
            engine.print(self._market.symbol, aggressor, price, one.quantity, ts_ns)

    def _ladder(self, side: Side) -> dict[Decimal, Decimal]:
        market, ladder = self._market, {}
        depth = _DEPTH * _DEEPEST / self.mid if self.mid > 1 else _DEPTH * _DEEPEST
        gap = max(self._on_tick(self.mid * _STEP), market.tick)
        away = max(self._on_tick(self.mid * _SPREAD), market.tick)
        for level in range(LEVELS):
            price = self._on_tick(self.mid) - side.sign * (away + level * gap)
            share = Decimal(repr(round(0.25 + self._random(), 6)))
            wanted = share * depth * (level + 1) * self.liquidity
            steps = (wanted / market.step).to_integral_value(ROUND_HALF_EVEN)
            quantity = max(steps, Decimal(1)) * market.step
            if price > 0 and (self.liquidity or not level):
                ladder[price] = quantity
        return ladder

    def _on_tick(self, price: Decimal) -> Decimal:
        tick = self._market.tick
        return (price / tick).to_integral_value(ROUND_HALF_EVEN) * tick


def price_of(event: MarketEvent) -> Decimal:
    """Give the price that an event stands at."""
    if isinstance(event, Candle):
        return event.close
    return (event.bid_price + event.ask_price) / 2 if isinstance(event, Tick) else event.price


def _traded(bar: Bar, quantity: Decimal, price: Decimal, count: int) -> Bar:
    half = quantity / 2
    bar.volume, bar.quote_volume, bar.count = quantity, quantity * price, count
    bar.taker_buy_volume, bar.taker_buy_quote = half, half * price
    return bar


def _prints(events: Iterator[MarketEvent], per_candle: int) -> Iterator[Print]:
    for event in events:
        if isinstance(event, Candle):
            yield from _candle_prints(event, per_candle)
        elif isinstance(event, Tick):
            yield Print(event.ts_event_ns, price_of(event), Decimal(0), None)
        else:
            yield Print(event.ts_event_ns, event.price, event.quantity, event.aggressor_side)


def _candle_prints(candle: Candle, count: int) -> Iterator[Print]:
    """Walk a bar from its open over its extremes to its close, in even steps of time."""
    first, second = candle.low, candle.high
    if candle.close < candle.open:
        first, second = second, first
    corners = (candle.open, first, second, candle.close)
    span_ns = candle.ts_event_ns - candle.ts_open_ns
    share = (candle.volume / count).quantize(Decimal("0.00001"))
    for number in range(count):
        leg, rest = divmod(number * 3, count - 1)
        price = (
            corners[3]
            if leg == 3
            else corners[leg] + (corners[leg + 1] - corners[leg]) * rest / (count - 1)
        )
        when = candle.ts_open_ns + span_ns * number // count
        yield Print(when, price.quantize(Decimal("0.00000001")), share, None)
