"""The line through the last points, by least squares: the hedge ratio of two markets."""

from collections import deque
from math import fsum, nan, sqrt

_EXACT_EVERY = 256
_CANCELLED = 1e-4
_ON_THE_LINE = 1e-10


class Regression:
    """y = slope * x + intercept through the last `period` points, and how far the newest is off.

    slope = cov(x, y) / var(x). Residuals e = y - slope * x - intercept; their deviation is
    sqrt(sum(e**2) / n), a population's; score = e of the newest / deviation. All are nan until
    there are `period` points. Where x stands still there is no line: slope and score are 0, as the
    score is where all points lie on the line to ten digits, for then nothing is off.
    Warm-up: `period` points.

    Sums of distances from a point near the means are kept, and taken anew as in `rolling.Moments`.
    """

    __slots__ = (
        "_anchor_x",
        "_anchor_y",
        "_countdown",
        "_largest_x",
        "_largest_y",
        "_sum_x",
        "_sum_xx",
        "_sum_xy",
        "_sum_y",
        "_sum_yy",
        "correlation",
        "deviation",
        "period",
        "points",
        "score",
        "slope",
    )

    def __init__(self, period: int) -> None:
        self.period = period
        self.points: deque[tuple[float, float]] = deque(maxlen=period)
        """Those that the line is through, oldest first: each x and y."""
        self._anchor_x = self._anchor_y = 0.0
        self._sum_x = self._sum_y = self._sum_xx = self._sum_yy = self._sum_xy = 0.0
        self._largest_x = self._largest_y = 0.0
        self._countdown = 0
        self.slope = self.deviation = self.score = self.correlation = nan

    @property
    def warmup_values(self) -> int:
        """How many points a fresh one must see to be as good as an old one."""
        return self.period

    def update(self, x: float, y: float) -> float:
        """Take the next point and give the slope."""
        points = self.points
        if len(points) < self.period:
            points.append((x, y))
            if len(points) < self.period:
                return nan
            self._take_anew()
        else:
            self._move(x, y)
        self._draw(x, y)
        return self.slope

    def _move(self, x: float, y: float) -> None:
        old_x, old_y = self.points[0]
        self.points.append((x, y))
        old_x, old_y = old_x - self._anchor_x, old_y - self._anchor_y
        new_x, new_y = x - self._anchor_x, y - self._anchor_y
        self._sum_x += new_x - old_x
        self._sum_y += new_y - old_y
        self._sum_xx += (new_x - old_x) * (new_x + old_x)
        self._sum_yy += (new_y - old_y) * (new_y + old_y)
        self._sum_xy += new_x * new_y - old_x * old_y
        self._largest_x = max(self._largest_x, self._sum_xx, old_x * old_x)
        self._largest_y = max(self._largest_y, self._sum_yy, old_y * old_y)
        self._countdown -= 1
        if (
            not self._countdown
            or self._spread_x() < _CANCELLED * self._largest_x
            or self._spread_y() < _CANCELLED * self._largest_y
        ):
            self._take_anew()

    def _take_anew(self) -> None:
        points, count = self.points, self.period
        first_x, first_y = points[0]
        # Not fsum / count alone: of equal values that is a rounding away from each of them.
        self._anchor_x = first_x + fsum(x - first_x for x, _ in points) / count
        self._anchor_y = first_y + fsum(y - first_y for _, y in points) / count
        off = [(x - self._anchor_x, y - self._anchor_y) for x, y in points]
        self._sum_x, self._sum_y = fsum(x for x, _ in off), fsum(y for _, y in off)
        self._sum_xx = self._largest_x = fsum(x * x for x, _ in off)
        self._sum_yy = self._largest_y = fsum(y * y for _, y in off)
        self._sum_xy = fsum(x * y for x, y in off)
        self._countdown = max(count, _EXACT_EVERY)

    def _spread_x(self) -> float:
        return self._sum_xx - self._sum_x * self._sum_x / self.period

    def _spread_y(self) -> float:
        return self._sum_yy - self._sum_y * self._sum_y / self.period

    def _draw(self, x: float, y: float) -> None:
        count = self.period
        spread_x, spread_y = max(self._spread_x(), 0.0), max(self._spread_y(), 0.0)
        common = self._sum_xy - self._sum_x * self._sum_y / count
        self.slope = slope = common / spread_x if spread_x else 0.0
        both = sqrt(spread_x) * sqrt(spread_y)
        self.correlation = max(-1.0, min(common / both, 1.0)) if both else 0.0
        left = max(spread_y - slope * common, 0.0)
        self.deviation = sqrt(left / count)
        if not spread_x or left <= _ON_THE_LINE * spread_y:
            self.score = 0.0
            return
        off_x = x - self._anchor_x - self._sum_x / count
        off_y = y - self._anchor_y - self._sum_y / count
        self.score = (off_y - slope * off_x) / self.deviation
