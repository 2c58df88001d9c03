"""Longer bars out of shorter ones, exactly: nothing is invented, nothing is told before it closed.

A bar is made of the candles that the market told within it, however many those are: over a gap
it holds less, and a bar of which there was no candle is not told at all.
"""

import msgspec

from messages.exact import EXACT
from messages.ids import NS_PER_S, TimestampNs
from messages.market import Candle
from messages.timeframes import opened_ns


class Resampler(msgspec.Struct):
    """Builds the bars of one length of one symbol, aligned to midnight UTC (weeks: to Monday).

    The bar that is under way when it begins is told only if its very first candle was seen: of
    another it would not know the beginning, and an older one would.
    """

    length_ns: int
    growing: Candle | None = None
    """The bar under way, as far as it is known."""
    seen_until_ns: int = 0
    """The end of the last candle that was taken; 0 before any."""
    skipped_until_ns: int = 0
    """The end of the bar that it began in the middle of."""

    def add(self, candle: Candle) -> list[Candle]:
        """Take the next candle and give the bars that are closed now, oldest first: two at most.

        A bar whose last candle never came is closed by the first one after it. A candle that is
        older than the last one is too late: its bar has been told, or has gone on without it.

        Raises:
            ValueError: the candle is longer than the bar, or lies in two bars.
        """
        if candle.ts_open_ns < self.seen_until_ns:
            return []
        begin_ns = self._begin(candle.ts_open_ns)
        end_ns = begin_ns + self.length_ns
        if candle.ts_event_ns > end_ns:
            length_s = (candle.ts_event_ns - candle.ts_open_ns) / NS_PER_S
            text = f"no bar of {self.length_ns / NS_PER_S:g} s is made of candles of {length_s:g} s"
            raise ValueError(text)
        if not self.seen_until_ns and candle.ts_open_ns != begin_ns:
            self.skipped_until_ns = end_ns
        self.seen_until_ns = candle.ts_event_ns
        if candle.ts_open_ns < self.skipped_until_ns:
            return []
        growing, closed = self.growing, []
        if growing is not None and growing.ts_open_ns < begin_ns:
            closed.append(self._closed(growing))
            growing = None
        grown = _first(candle, begin_ns) if growing is None else _grown(growing, candle)
        if candle.ts_event_ns == end_ns:
            closed.append(grown)
            self.growing = None
        else:
            self.growing = grown
        return closed

    def copy(self) -> "Resampler":
        """Give one that goes on by itself."""
        return msgspec.structs.replace(self)

    def _begin(self, ts_ns: int) -> int:
        return opened_ns(ts_ns, self.length_ns)

    def _closed(self, bar: Candle) -> Candle:
        end_ns = TimestampNs(bar.ts_open_ns + self.length_ns)
        return msgspec.structs.replace(bar, ts_event_ns=end_ns)


def _first(candle: Candle, begin_ns: int) -> Candle:
    return msgspec.structs.replace(candle, ts_open_ns=TimestampNs(begin_ns))


def _grown(bar: Candle, candle: Candle) -> Candle:
    return Candle(
        symbol=bar.symbol,
        open=bar.open,
        high=max(bar.high, candle.high),
        low=min(bar.low, candle.low),
        close=candle.close,
        volume=EXACT.add(bar.volume, candle.volume),
        ts_open_ns=bar.ts_open_ns,
        ts_event_ns=candle.ts_event_ns,
    )


def candles_for(bars: int, length_ns: int, base_ns: int) -> int:
    """Give how many base candles hold so many whole bars, wherever the first of them lies.

    That is also enough to hold all that there is of the bar under way, if `bars` is 0.
    """
    ratio = max(length_ns // base_ns, 1)
    return bars * ratio + ratio - 1
