"""By how much a venue's clock is ahead of ours, from what it tells when asked for its time."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from exchanges.ccxt_call import current_call
from exchanges.ccxt_numbers import Unclear
from messages.ids import NS_PER_MS, NS_PER_S, DurationNs

SAMPLES = 3
SAMPLES_MAX = 9
"""Of a clock that tells whole seconds only (Kraken's and Coinbase's, through ccxt)."""
DOUBT_NS = NS_PER_S // 4
"""With which such a clock is known well enough."""
PAUSE_S = 1.3
"""Between two questions to it: each is asked in another part of a second, even where the budget
lets one go in a second (Kraken's)."""

AskMs = Callable[[], Awaitable[object]]
Clock = Callable[[], int]


class Skew(msgspec.Struct, frozen=True):
    """The venue's clock minus ours, and how far the truth may be from that, either way."""

    skew_ns: int
    round_trip_ns: DurationNs
    doubt_ns: int


class _Sample(msgspec.Struct, frozen=True):
    told_ns: int
    middle_ns: int
    """Of the round trip, on our clock."""
    round_trip_ns: int


async def measure_skew(ask_ms: AskMs, utc_ns: Clock, monotonic_ns: Clock) -> Skew:
    """Compare clocks; of several round trips the quickest is believed.

    A time that is told in whole seconds is the beginning of one: that alone would make a clock
    that is right look half a second ahead. Such a clock is asked until the seconds that it told
    leave little room.

    Raises:
        Unclear: the venue told no time.
    """
    samples = [await _ask(ask_ms, utc_ns, monotonic_ns) for _ in range(SAMPLES)]
    while _tells_seconds(samples) and len(samples) < SAMPLES_MAX:
        if (found := _between(samples)).doubt_ns <= DOUBT_NS:
            return found
        await asyncio.sleep(PAUSE_S)
        samples.append(await _ask(ask_ms, utc_ns, monotonic_ns))
    return _between(samples) if _tells_seconds(samples) else _quickest(samples)


def _tells_seconds(samples: list[_Sample]) -> bool:
    """Whether all that was told are whole seconds.

    By chance it is so, too, of a clock that tells more and was asked in one part of a second.
    """
    return not any(one.told_ns % NS_PER_S for one in samples)


def _quickest(samples: list[_Sample]) -> Skew:
    best = min(samples, key=lambda one: one.round_trip_ns)
    skew_ns, round_trip_ns = best.told_ns - best.middle_ns, best.round_trip_ns
    return Skew(skew_ns, DurationNs(round_trip_ns), round_trip_ns // 2)


def _between(samples: list[_Sample]) -> Skew:
    """Give what all whole seconds that were told leave possible; the last one's, if nothing is."""
    lows = [one.told_ns - one.middle_ns - one.round_trip_ns // 2 for one in samples]
    highs = [low + one.round_trip_ns + NS_PER_S for low, one in zip(lows, samples, strict=True)]
    low_ns, high_ns = max(lows), min(highs)
    if low_ns > high_ns:  # a clock was set meanwhile
        low_ns, high_ns = lows[-1], highs[-1]
    round_trip_ns = min(one.round_trip_ns for one in samples)
    return Skew((low_ns + high_ns) // 2, DurationNs(round_trip_ns), (high_ns - low_ns) // 2)


async def _ask(ask_ms: AskMs, utc_ns: Clock, monotonic_ns: Clock) -> _Sample:
    began_utc_ns, began_ns = utc_ns(), monotonic_ns()

    def leaving() -> None:
        nonlocal began_utc_ns, began_ns
        began_utc_ns, began_ns = utc_ns(), monotonic_ns()

    call = current_call()
    if call is not None:  # a question that waits for its turn is not on its way yet
        call.leaving = leaving
    told_ms = await ask_ms()
    round_trip_ns = monotonic_ns() - began_ns
    if not isinstance(told_ms, int) or told_ms <= 0:
        raise Unclear(f"{told_ms!r} is no time")
    return _Sample(told_ms * NS_PER_MS, began_utc_ns + round_trip_ns // 2, round_trip_ns)
