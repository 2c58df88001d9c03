"""What a comparison must have shown before it counts; the other side is played by an answer."""

import asyncio
from collections.abc import Callable

import pytest

from exchanges.ccxt_call import current_call
from exchanges.ccxt_clock import AGAIN_S, COMPARE_EVERY_S, ClockWatch
from exchanges.ccxt_gate import GateLimits
from exchanges.conditions import CLOCK, Standing
from exchanges.responses import response_of
from exchanges.skew import Skew
from messages.ids import NS_PER_MS, DurationNs

LIMITS = GateLimits()


class Compared:
    """One comparison of a watch that was told to doubt."""

    def __init__(self, skew_ms: int, round_trip_ms: int) -> None:
        self.skew = Skew(
            skew_ms * NS_PER_MS,
            DurationNs(round_trip_ms * NS_PER_MS),
            round_trip_ms * NS_PER_MS // 2,
        )
        self.agreed = 0
        self.taken: list[Skew] = []
        self.standing = Standing()
        asyncio.run(self._once())

    def comparing(self) -> Callable[[], object]:
        def agreed() -> None:
            self.agreed += 1

        return agreed

    async def measure(self) -> Skew:
        call = current_call()
        assert call is not None
        call.response = response_of(200, {}, '{"serverTime": 1}')
        self.asked.set()
        return self.skew

    async def _once(self) -> None:
        self.asked = asyncio.Event()
        watch = ClockWatch(
            "binance", LIMITS, self.standing, self.measure, self.comparing, self.taken.append
        )
        watch.start()
        watch.doubt()
        await self.asked.wait()
        await asyncio.sleep(0)
        self.is_doubtful = watch._is_doubtful
        await watch.close()


def test_clocks_that_differ_are_compared_again_without_another_sign(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In one pause and not in two; then it is over, and the next is far off."""
    pauses: list[float] = []
    skews = iter([3_000, 3_000, 0])
    over = asyncio.Event()

    async def measure() -> Skew:
        call = current_call()
        assert call is not None
        call.response = response_of(200, {}, '{"serverTime": 1}')
        return Skew(next(skews) * NS_PER_MS, DurationNs(0), 0)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    def timeout(seconds: float) -> asyncio.Timeout:
        pauses.append(seconds)
        return real_timeout(seconds)

    real_timeout = asyncio.timeout

    async def differ() -> None:
        monkeypatch.setattr("exchanges.ccxt_clock.asyncio.sleep", sleep)
        monkeypatch.setattr("exchanges.ccxt_clock.asyncio.timeout", timeout)
        watch.start()
        watch.doubt()
        await over.wait()
        await watch.close()

    watch = ClockWatch("binance", LIMITS, Standing(), measure, lambda: over.set, lambda _: None)
    asyncio.run(differ())

    assert pauses == [AGAIN_S, AGAIN_S, AGAIN_S, COMPARE_EVERY_S]


@pytest.mark.parametrize(
    ("skew_ms", "round_trip_ms"), [(0, 20), (-500, 20), (740, 500), (0, 1_990)]
)
def test_clocks_that_surely_differ_by_less_than_the_lease_pays_for_agree(
    skew_ms: int, round_trip_ms: int
) -> None:
    done = Compared(skew_ms, round_trip_ms)

    assert (done.agreed, len(done.taken), done.is_doubtful) == (1, 1, False)


@pytest.mark.parametrize(
    ("skew_ms", "round_trip_ms"), [(-3_000, 6_000), (0, 6_000), (-900, 1_000), (-700, 800)]
)
def test_an_answer_that_took_too_long_shows_no_agreement(skew_ms: int, round_trip_ms: int) -> None:
    """Its middle may be seconds off: a clock that was set by three seconds looked right."""
    done = Compared(skew_ms, round_trip_ms)

    assert (done.agreed, done.taken) == (0, [])
    assert done.is_doubtful, "it is asked again soon"
    assert not done.standing.text(CLOCK), "nor is it known that they differ"


def test_whoever_doubts_without_end_does_not_have_it_asked_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("exchanges.ccxt_clock.AGAIN_S", 0.05)
    asked = 0

    async def measure() -> Skew:
        nonlocal asked
        asked += 1
        watch.doubt()
        raise OSError("no answer")

    async def doubt() -> None:
        watch.start()
        watch.doubt()
        await asyncio.sleep(0.12)
        await watch.close()

    watch = ClockWatch("binance", LIMITS, Standing(), measure, lambda: lambda: None, lambda _: None)
    asyncio.run(doubt())

    assert 1 <= asked <= 3


def test_a_watch_that_is_closed_ends_also_where_it_is_told_to_doubt_just_then() -> None:
    """It went on, and whoever had closed it waited without end."""

    async def closed(turns: int) -> None:
        watch = ClockWatch(
            "binance", LIMITS, Standing(), measure, lambda: lambda: None, lambda _: None
        )
        watch.start()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        watch.doubt()
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await watch.close()

    async def measure() -> Skew:
        raise OSError("no answer")

    for turns in range(8):
        asyncio.run(closed(turns))
