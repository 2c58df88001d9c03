"""What the executor of a live system does in a second: one by one, and as many as can be."""

import time

from benchmarks.common import wait_for
from benchmarks.live import Live, intent


def one_by_one(system: Live, first: int, count: int) -> float:
    """Orders a second when each is told after the one before it was handed over."""
    tell, news = system.executor.tell, system.news
    while not news.empty():
        news.get()
    intents = [intent(first + number, time.time_ns()) for number in range(count)]
    begun = time.perf_counter()
    for one in intents:
        tell(one)
        while news.get(timeout=60) != one.decided_at_ns:
            pass
    return count / (time.perf_counter() - begun)


def maximal(system: Live, first: int, count: int) -> float:
    """Claims a second when there is always more to do and the venue is slow to answer."""
    intents = [intent(first + number, time.time_ns()) for number in range(count)]
    wanted = len(system.durable) + count
    tell = system.executor.tell
    with system.venue_holds_back():
        begun = time.monotonic_ns()
        for one in intents:
            tell(one)
        wait_for(lambda: len(system.durable) >= wanted)
        rate = count * 1e9 / (max(system.durable.values()) - begun)
    wait_for(lambda: system.fold.filled >= wanted)
    return rate


def whole_orders(system: Live, first: int, count: int) -> float:
    """Orders a second from the intent to the durable fill, when there is always more to do."""
    intents = [intent(first + number, time.time_ns()) for number in range(count)]
    wanted = system.fold.filled + count
    tell = system.executor.tell
    begun = time.monotonic_ns()
    for one in intents:
        tell(one)
    wait_for(lambda: system.fold.filled >= wanted)
    return count * 1e9 / (time.monotonic_ns() - begun)
