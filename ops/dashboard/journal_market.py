"""The market of a live run as its journal kept it: bars, and prices for the equity."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from decisions.bars import Bars
from decisions.equity_curve import PricePoint
from messages.exact import NOTHING, is_sane
from messages.ids import NS_PER_S, Symbol
from messages.market import (
    Candle,
    FeedHistory,
    MarketBatch,
    MarketEvent,
    Tick,
    Trade,
)
from ops.dashboard.journal_tail import JournalTail

MOST_POINTS = 200_000
_MOST_SYMBOLS = 40
_LATEST_NS = 8 * 10**18
_BEST_FIRST = (Candle, Trade, Tick)
_NAMES = {Candle: "candles", Trade: "trades", Tick: "quotes"}


class JournalMarket:
    """Grows with each `read`. What came from before the run is in the bars, not in the prices."""

    is_line = False

    def __init__(self, folder: Path, base_bars: int, most_points: int = MOST_POINTS) -> None:
        self._tail = JournalTail(folder)
        self._base_bars, self._most_points = base_bars, most_points
        self.points: list[PricePoint] = []
        """Sorted after each `read`; the first price of a symbol is always kept."""
        self.events = 0
        self._counts = Counter[type[MarketEvent]]()
        self._kinds: dict[str, dict[type[MarketEvent], Bars]] = {}
        self._closed_ns: dict[str, int] = {}
        self._next_index: dict[str, int] = {}
        self._before: dict[str, PricePoint] = {}
        """The last price before the run of a symbol that has told nothing since."""
        self._begun: set[str] = set()
        self._bucket_ns = 0

    @property
    def bars(self) -> dict[str, Bars]:
        """Give each symbol's candles; else what its trades make, else its quotes' middle."""
        return {
            symbol: next(kinds[kind] for kind in _BEST_FIRST if kind in kinds)
            for symbol, kinds in self._kinds.items()
        }

    @property
    def sentence(self) -> str:
        """Say where all this comes from, and what is missing, for a person."""
        tail = self._tail
        kept = ", ".join(f"{n:,} {_NAMES[kind]}" for kind, n in self._counts.items())
        parts = [f"The market as the run's journal kept it: {kept}."]
        if self._bucket_ns:
            width = self._bucket_ns // NS_PER_S
            parts.append(f"Equity is valued at the last price of each {width:,} s.")
        for count, text in (
            (tail.gone, "segment(s) of the journal, which are gone"),
            (tail.passed_over, "segment(s) in the middle of a very long journal"),
            (tail.damaged, "segment(s) from where they are damaged"),
            (tail.lost, "message(s) that could not be kept or read"),
        ):
            if count:
                parts.append(f"Missing: {count:,} {text}.")
        return " ".join(parts)

    def read(self) -> int:
        """Take what was written since; say how many events."""
        before = self.events
        for message in self._tail.read():
            if isinstance(message, MarketBatch):
                self._batch(message)
            elif isinstance(message.what, FeedHistory):
                self._take(message.what.candles, is_history=True)
            elif isinstance(message.what, MarketEvent):
                self._take((message.what,), is_history=False)
            if len(self.points) > 2 * self._most_points:
                self._thin()
        if self.events != before:
            self.points.sort(key=_time)
            if len(self.points) > self._most_points:
                self._thin()
        return self.events - before

    def _batch(self, batch: MarketBatch) -> None:
        """Take what no follower before had taken."""
        known = self._next_index.get(batch.feed, 0)
        new = batch.events[max(known - batch.first_index, 0) :]
        self._next_index[batch.feed] = max(known, batch.first_index + len(batch.events))
        self._take(new, is_history=batch.is_history)

    def _take(self, events: Iterable[MarketEvent], *, is_history: bool) -> None:
        for event in events:
            if self._is_new(event):
                price = self._draw(event)
                self._value((event.ts_event_ns, event.symbol, price), is_history=is_history)
                self._counts[type(event)] += 1
                self.events += 1

    def _is_new(self, event: MarketEvent) -> bool:
        """Whether it can be drawn, and is no candle that was told before: a start asks again."""
        is_known = event.symbol in self._kinds or len(self._kinds) < _MOST_SYMBOLS
        if not (is_known and 0 < event.ts_event_ns < _LATEST_NS and _is_money(event)):
            return False
        if isinstance(event, Candle):
            if event.ts_event_ns <= self._closed_ns.get(event.symbol, 0):
                return False
            self._closed_ns[event.symbol] = event.ts_event_ns
        return True

    def _draw(self, event: MarketEvent) -> Decimal:
        """Put it into the bars; give the price to value things at."""
        kinds = self._kinds.setdefault(event.symbol, {})
        bars = kinds.get(type(event)) or kinds.setdefault(type(event), Bars(self._base_bars))
        if isinstance(event, Candle):
            ohlc = (float(event.open), float(event.high), float(event.low), float(event.close))
            bars.candle(event.ts_open_ns, ohlc, float(event.volume))
            return event.close
        if isinstance(event, Trade):
            bars.trade(event.ts_event_ns, float(event.price), float(event.quantity))
            return event.price
        middle = (event.bid_price + event.ask_price) / 2
        bars.trade(event.ts_event_ns, float(middle), 0.0)
        return middle

    def _value(self, point: PricePoint, *, is_history: bool) -> None:
        symbol = point[1]
        if is_history and symbol not in self._begun:
            self._before[symbol] = point
            return
        if symbol not in self._begun:
            self._begun.add(symbol)
            if symbol in self._before:
                self.points.append(self._before.pop(symbol))
        self.points.append(point)

    def _thin(self) -> None:
        """Keep a symbol's first price, and its last in each piece of time; longer pieces."""
        self.points.sort(key=_time)
        while len(self.points) > self._most_points // 2 and self._bucket_ns < _LATEST_NS:
            self._bucket_ns = 2 * self._bucket_ns or NS_PER_S
            kept: dict[tuple[Symbol, int], PricePoint] = {}
            for point in self.points:
                kept.setdefault((point[1], -1), point)
                kept[point[1], point[0] // self._bucket_ns] = point
            self.points = sorted(dict.fromkeys(kept.values()), key=_time)


def _time(point: PricePoint) -> int:
    return point[0]


def _is_money(event: MarketEvent) -> bool:
    if isinstance(event, Candle):
        prices = (event.open, event.high, event.low, event.close)
        is_sound = event.volume == NOTHING or is_sane(event.volume)
        return is_sound and 0 <= event.ts_open_ns < _LATEST_NS and all(map(is_sane, prices))
    if isinstance(event, Trade):
        return is_sane(event.price) and is_sane(event.quantity)
    return is_sane(event.bid_price) and is_sane(event.ask_price)
