"""Bars for drawing: as fine as there is room, coarser when there are more. Floats, on purpose."""

from itertools import pairwise

from decisions.quiet import quiet_after
from messages.ids import MINUTE_NS, NS_PER_S

_MOST_GAPS = 200
_WIDTHS_NS = (
    NS_PER_S, 5 * NS_PER_S, 15 * NS_PER_S, MINUTE_NS, 5 * MINUTE_NS, 15 * MINUTE_NS, 60 * MINUTE_NS,
    240 * MINUTE_NS, 1_440 * MINUTE_NS, 10_080 * MINUTE_NS,
)  # fmt: skip
"""Each a whole number of the one before it."""

Ohlc = tuple[float, float, float, float]


class Bars:
    """At most `most` bars of one symbol; times must not go back by more than the last bar."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.width_ns = _WIDTHS_NS[0]
        self.rows: list[list[float]] = []
        """Open time in seconds, open, high, low, close, volume."""
        self._last_open_ns: int | None = None

    def candle(self, open_ns: int, ohlc: Ohlc, volume: float) -> None:
        """Add a bar of the market, which may be a part of ours."""
        start_ns = open_ns - open_ns % self.width_ns
        if self._last_open_ns is not None and start_ns <= self._last_open_ns:
            bar, (_, high, low, close) = self.rows[-1], ohlc
            if high > bar[2]:
                bar[2] = high
            if low < bar[3]:
                bar[3] = low
            bar[4] = close
            bar[5] += volume
            return
        self.rows.append([start_ns / NS_PER_S, *ohlc, volume])
        self._last_open_ns = start_ns
        while len(self.rows) > self._most:
            self._widen()

    def trade(self, ts_ns: int, price: float, quantity: float) -> None:
        """Add one trade."""
        self.candle(ts_ns, (price, price, price, price), quantity)

    @property
    def shown_width_ns(self) -> int:
        """The real distance of most bars: a market of minutes has no bars of a second."""
        times = [row[0] for row in self.rows[:200]]
        gaps = sorted(later - one for one, later in pairwise(times))
        usual = round(gaps[len(gaps) // 2] * NS_PER_S) if gaps else self.width_ns
        return max(usual, self.width_ns)

    @property
    def gaps(self) -> list[list[float]]:
        """The times without a bar: from the last before to the first after, in seconds."""
        quiet = quiet_after([round(row[0] * NS_PER_S) for row in self.rows], most=_MOST_GAPS)
        return [[self.rows[at][0], self.rows[at + 1][0]] for at in quiet]

    def _widen(self) -> None:
        place = _WIDTHS_NS.index(self.width_ns) if self.width_ns in _WIDTHS_NS else -2
        is_last = place in (-2, len(_WIDTHS_NS) - 1)
        self.width_ns = self.width_ns * 2 if is_last else _WIDTHS_NS[place + 1]
        width, merged = self.width_ns / NS_PER_S, list[list[float]]()
        for row in self.rows:
            start = row[0] - row[0] % width
            if merged and merged[-1][0] == start:
                _add(merged[-1], row)
            else:
                merged.append([start, *row[1:]])
        self.rows = merged
        self._last_open_ns = round(merged[-1][0]) * NS_PER_S


def _add(bar: list[float], later: list[float]) -> None:
    bar[2] = max(bar[2], later[2])
    bar[3] = min(bar[3], later[3])
    bar[4] = later[4]
    bar[5] += later[5]
