"""What time it is at the exchange, and how far the market has come."""

import time

from messages.ids import MINUTE_NS, NS_PER_MS, NS_PER_S


class Clock:
    """The exchange's clock is the machine's, skewed on request; the market's may run faster.

    `speed` is market seconds per second. At 0 the market stands until somebody advances it,
    and then the same requests give the same fills.
    """

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.skew_ms = 0
        self._began_ns = time.monotonic_ns()
        now_ns = time.time_ns()
        # A market that stands begins on a minute: what is due then does not depend on the second.
        self._base_ns = now_ns if speed else now_ns // MINUTE_NS * MINUTE_NS
        self._advanced_ns = 0

    def machine_ns(self) -> int:
        """The machine's own time, which nothing skews."""
        return time.time_ns()

    def now_ns(self) -> int:
        """The time that signatures are checked against and orders are stamped with."""
        return time.time_ns() + self.skew_ms * NS_PER_MS

    def market_ns(self) -> int:
        """The time on candles and public trades."""
        elapsed = time.monotonic_ns() - self._began_ns
        return self._base_ns + int(elapsed * self.speed) + self._advanced_ns

    def advance(self, seconds: float) -> None:
        """Let the market jump ahead."""
        self._advanced_ns += int(seconds * NS_PER_S)
