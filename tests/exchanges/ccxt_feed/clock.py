"""A local exchange's clock, set to just before its bar at work is over."""

from exchanges.local.server import RunningExchange
from messages.ids import NS_PER_MS
from tests.exchanges.feed_run import LAZY, MINUTE_NS


def clock_before_the_end_of_a_bar(run: RunningExchange, by_ms: int) -> int:
    """Set the exchange's clock; give when its bar at work is over by it, in ms."""
    minute_ms = MINUTE_NS // NS_PER_MS
    end_ms = (run.exchange.clock.market_ns() // MINUTE_NS + 1) * minute_ms + LAZY.grace_ms
    run.exchange.skew_clock(end_ms - by_ms - run.exchange.clock.machine_ns() // NS_PER_MS)
    return end_ms
