"""How far and how straight a market went: rate of change, efficiency, MACD."""

from collections import deque
from itertools import pairwise
from math import fsum, nan

from strategies.indicators import Ema

_AT_REST = 1e-12


class RateOfChange:
    """The change over `period` bars as a fraction: x / x before - 1. nan until there is one.

    Warm-up: `period` + 1 values. TA-Lib's ROCP; its ROC is 100 times that.
    """

    __slots__ = ("_window", "period", "value")

    def __init__(self, period: int) -> None:
        self.period = period
        self._window: deque[float] = deque(maxlen=period + 1)
        self.value = nan

    @property
    def warmup_values(self) -> int:
        """How many values a fresh one must see to be as good as an old one."""
        return self.period + 1

    def update(self, value: float) -> float:
        """Take the next value, more than 0, and give the change."""
        window = self._window
        window.append(value)
        if len(window) > self.period:
            before = window[0]
            self.value = (value - before) / before
        return self.value


class EfficiencyRatio:
    """Kaufman's efficiency ratio (Trading Systems and Methods): 1 a straight line, 0 noise.

    |x - x before| / sum of |each change between|, over `period` changes. nan until there
    are that many; 0 for a market that stands still. Warm-up: `period` + 1 values.

    The sum is taken anew each window and when it has become small against what it held.
    """

    __slots__ = ("_countdown", "_largest", "_path", "_window", "period", "value")

    def __init__(self, period: int) -> None:
        self.period = period
        self._window: deque[float] = deque(maxlen=period + 1)
        self._path = 0.0
        self._largest = 0.0
        self._countdown = 0
        self.value = nan

    @property
    def warmup_values(self) -> int:
        """How many values a fresh one must see to be as good as an old one."""
        return self.period + 1

    def update(self, value: float) -> float:
        """Take the next value and give the ratio."""
        window = self._window
        if len(window) <= self.period:
            window.append(value)
            if len(window) <= self.period:
                return nan
            self._take_anew()
        else:
            self._path += abs(value - window[-1]) - abs(window[1] - window[0])
            window.append(value)
            self._largest = max(self._largest, self._path)
            self._countdown -= 1
            if not self._countdown or self._path < 1e-4 * self._largest:
                self._take_anew()
        net = abs(value - window[0])
        self.value = 0.0 if self._path <= _AT_REST * value else min(net / self._path, 1.0)
        return self.value

    def _take_anew(self) -> None:
        values = list(self._window)
        self._path = fsum(abs(b - a) for a, b in pairwise(values))
        self._largest = self._path
        self._countdown = max(self.period, 256)


class Macd:
    """Appel's moving average convergence/divergence (1979), in price units.

    macd = EMA(fast) - EMA(slow); signal = EMA(signal period) of macd. Each mean begins at its
    first value (TA-Lib's Metastock mode). nan until slow + signal - 1 values were seen.
    Warm-up: 16 periods of the slow mean and 16 of the signal.
    """

    __slots__ = ("_fast", "_signal", "_slow", "signal", "value")

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        self._fast = Ema(fast)
        self._slow = Ema(slow)
        self._signal = Ema(signal)
        self.value = nan
        self.signal = nan

    @property
    def warmup_values(self) -> int:
        """How many values a fresh one must see to be as good as an old one."""
        return self._slow.warmup_values + self._signal.warmup_values

    def update(self, value: float) -> float:
        """Take the next value and give the signal."""
        gap = self._fast.update(value) - self._slow.update(value)
        if gap == gap:
            self.signal = self._signal.update(gap)
            if self.signal == self.signal:
                self.value = gap
        return self.signal
