"""The market that a run saw: read again from where its config says it came from.

The demo's market is made again from its seed, a recording is read again from its file. A live
market is in the run's journal (`journal_market`); where there is none, only the prices that the
metric lines kept are known.
"""

import stat
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from decisions.bars import Bars
from decisions.equity_curve import PricePoint
from exchanges.demo import DemoSource
from exchanges.merge import LimitedSource, MergedSource
from exchanges.replay import ReplaySource
from exchanges.source import MarketSource
from messages.errors import DataError, WatchkeeperError
from messages.exact import is_sane
from messages.ids import Symbol
from messages.market import Candle, MarketEvent, Tick
from ops.health_text import one_line

MOST_EVENTS = 600_000
"""More than the minutes of a year: half a gigabyte of memory while the page is made."""
_MOST_SYMBOLS = 40


class Feed(msgspec.Struct):
    """`[feed]` of an effective config, as far as it matters here; what is odd is left out."""

    type: str = ""
    symbols: list[str] = []
    seed: int = 7
    limit: int | None = None
    timeframe: str = "1m"
    path: dict[str, str | list[str]] = {}


class Market:
    """The bars and prices of a run's market, up to as many events as the run has seen.

    `is_line`: they are single prices. `is_unreadable`: it is not where the config says.
    """

    def __init__(self, feed: Feed, base_bars: int) -> None:
        self.sentence = ""
        """Where all this comes from, for a person."""
        self.bars: dict[str, Bars] = {}
        self.points: list[PricePoint] = []
        self.events = 0
        self.is_line, self.is_unreadable = feed.type == "ccxt", False
        self._base_bars = base_bars
        self._held: MarketEvent | None = None
        self._events = self._opened(feed)

    def advance(self, count: int, until_ns: int | None = None) -> int:
        """Read on until so many events are read, or the next lies after `until_ns`; say how many.

        The market of a run that is still alive grows: call it again with more.
        """
        before, most = self.events, min(count, MOST_EVENTS)
        try:
            while self.events < most:
                event = self._held or next(self._events, None)
                self._held = event
                if event is None or (until_ns is not None and event.ts_event_ns > until_ns):
                    break
                self._held = None
                self._take(event)
                self.events += 1
        except (WatchkeeperError, OSError, ValueError, ArithmeticError) as error:
            self._stopped(error)
        if before < MOST_EVENTS <= self.events:
            self.sentence += f" Only the first {MOST_EVENTS:,} events are shown."
        return self.events - before

    def lines(self, prices: Mapping[str, Sequence[tuple[int, str]]]) -> None:
        """Take the prices that metric lines kept instead, anew; for a live market."""
        self.bars.clear()
        self.points.clear()
        for symbol, kept in list(prices.items())[:_MOST_SYMBOLS]:
            for at_ns, text in kept:
                price = _decimal(text)
                if price is not None:
                    self._price(Symbol(symbol), at_ns, price)
        self.points.sort()

    def _take(self, event: MarketEvent) -> None:
        if isinstance(event, Candle):
            self._bars(event.symbol).candle(
                event.ts_open_ns,
                (float(event.open), float(event.high), float(event.low), float(event.close)),
                float(event.volume),
            )
            self.points.append((event.ts_event_ns, event.symbol, event.close))
        elif isinstance(event, Tick):
            self._price(event.symbol, event.ts_event_ns, (event.bid_price + event.ask_price) / 2)
        else:
            self._bars(event.symbol).trade(
                event.ts_event_ns, float(event.price), float(event.quantity)
            )
            self.points.append((event.ts_event_ns, event.symbol, event.price))

    def _price(self, symbol: Symbol, at_ns: int, price: Decimal) -> None:
        self._bars(symbol).trade(at_ns, float(price), 0.0)
        self.points.append((at_ns, symbol, price))

    def _bars(self, symbol: str) -> Bars:
        found = self.bars.get(symbol)
        if found is None:
            found = self.bars[symbol] = Bars(self._base_bars)
        return found

    def _opened(self, feed: Feed) -> Iterator[MarketEvent]:
        symbols = feed.symbols[:_MOST_SYMBOLS]
        if feed.type == "demo":
            self.sentence = f"The demo's market, made again from seed {feed.seed}."
            return _events(
                [DemoSource(Symbol(s), seed=feed.seed, limit=feed.limit) for s in symbols]
            )
        if feed.type == "replay":
            names = ", ".join(dict.fromkeys(_all_paths(feed))) or "no file"
            self.sentence = f"Read again from {one_line(names)}, the recording of this run."
            try:
                return _events([_recording(feed, symbol) for symbol in symbols])
            except (DataError, OSError, ValueError) as error:
                self._stopped(error)
        elif feed.type:
            self.sentence = (
                "A live market, of which the run has no journal: this is the last price at each"
                " interval of its metrics, from the first execution on."
            )
        else:
            self.sentence = "No config says where this market came from."
        return iter(())

    def _stopped(self, error: Exception) -> None:
        self._events = iter(())
        self.is_unreadable = True
        self.sentence += f" It cannot be read: {one_line(error)}"


def feed_of(config: Mapping[str, Any]) -> Feed:
    """Read `[feed]`, field by field."""
    table = config.get("feed")
    feed = Feed()
    for name, value in table.items() if isinstance(table, Mapping) else ():
        if name in Feed.__struct_fields__:
            try:
                kind = Feed.__annotations__[name]
                setattr(feed, name, msgspec.convert(value, kind))
            except msgspec.ValidationError:
                continue
    return feed


def _recording(feed: Feed, symbol: str) -> MarketSource:
    from pathlib import Path

    from exchanges.recordings import files_of

    named = [Path(path) for path in _as_list(feed.path.get(symbol, ""))]
    paths = [file for path in named for file in files_of(path, feed.timeframe)]
    for path in paths:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path} is no plain file")
    source = ReplaySource(paths, Symbol(symbol), feed.timeframe)
    return source if feed.limit is None else LimitedSource(source, feed.limit)


def _all_paths(feed: Feed) -> list[str]:
    return [path for paths in feed.path.values() for path in _as_list(paths)]


def _as_list(paths: str | list[str]) -> list[str]:
    return [paths] if isinstance(paths, str) else paths


def _events(sources: list[MarketSource]) -> Iterator[MarketEvent]:
    if not sources:
        return iter(())
    return (sources[0] if len(sources) == 1 else MergedSource(sources)).events()


def _decimal(text: str) -> Decimal | None:
    try:
        price = Decimal(text)
    except ArithmeticError:
        return None
    return price if is_sane(price) else None
