"""By how much two clocks differ, as far as answers can tell."""

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exchanges.ccxt_call import clear_current, recorded
from exchanges.ccxt_numbers import Unclear
from exchanges.skew import SAMPLES, SAMPLES_MAX, Skew, measure_skew
from messages.ids import NS_PER_MS, NS_PER_S

HALF_S = NS_PER_S // 2


class World:
    """One true time, ours, and a venue's clock that is ahead and tells what it counts in."""

    def __init__(self, ahead_ms: int, counts_in_ms: int, at_ms: int = 1_700_000_000_000) -> None:
        self.now_ns = at_ms * NS_PER_MS
        self.ahead_ms, self.counts_in_ms = ahead_ms, counts_in_ms
        self.asked = 0

    def clock(self) -> int:
        return self.now_ns

    def pass_ms(self, ms: float) -> None:
        self.now_ns += int(ms * NS_PER_MS)

    def measure(self, round_trips_ms: Iterable[tuple[int, int]] = ()) -> Skew:
        trips = iter(round_trips_ms)

        async def ask() -> int:
            there_ms, back_ms = next(trips, (10, 10))
            self.asked += 1
            self.pass_ms(there_ms)
            told_ms = self.now_ns // NS_PER_MS + self.ahead_ms
            self.pass_ms(back_ms)
            return told_ms // self.counts_in_ms * self.counts_in_ms

        async def sleep(seconds: float) -> None:
            self.pass_ms(1_000 * seconds)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("exchanges.skew.asyncio.sleep", sleep)
            return asyncio.run(measure_skew(ask, self.clock, self.clock))


def test_the_skew_is_taken_at_the_middle_of_the_quickest_round_trip() -> None:
    world = World(ahead_ms=250, counts_in_ms=1)
    measured = world.measure([(400, 0), (10, 10), (0, 300)])

    assert measured == Skew(250 * NS_PER_MS, 20 * NS_PER_MS, 10 * NS_PER_MS)  # type: ignore[arg-type]  # plain ints
    assert world.asked == SAMPLES


@given(
    ahead_ms=st.integers(-3_000, 3_000),
    at_ms=st.integers(1_700_000_000_000, 1_700_000_002_000),
    trips=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=SAMPLES_MAX),
)
def test_a_clock_of_whole_seconds_is_known_to_within_what_is_said(
    ahead_ms: int, at_ms: int, trips: list[tuple[int, int]]
) -> None:
    measured = World(ahead_ms, 1_000, at_ms).measure(trips)

    assert abs(measured.skew_ns - ahead_ms * NS_PER_MS) <= measured.doubt_ns + NS_PER_MS
    assert measured.doubt_ns <= HALF_S + 400 * NS_PER_MS


@given(at_ms=st.integers(1_700_000_000_000, 1_700_000_002_000), ahead_ms=st.integers(-200, 200))
def test_a_clock_of_whole_seconds_that_is_right_does_not_look_half_a_second_ahead(
    at_ms: int, ahead_ms: int
) -> None:
    """As it did: a start at Kraken was refused every second time."""
    world = World(ahead_ms, 1_000, at_ms)
    measured = world.measure()

    assert abs(measured.skew_ns - ahead_ms * NS_PER_MS) <= NS_PER_S // 4 + NS_PER_MS
    assert world.asked <= SAMPLES_MAX


def test_seconds_that_contradict_each_other_are_those_of_a_clock_that_was_set() -> None:
    world = World(0, 1_000)
    told = iter([1_700_000_000_000] * (SAMPLES_MAX - 1) + [1_700_000_100_000])

    async def ask() -> int:
        return next(told)

    async def sleep(_: float) -> None:
        """Time stands."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exchanges.skew.asyncio.sleep", sleep)
        measured = asyncio.run(measure_skew(ask, world.clock, world.clock))

    assert measured.skew_ns == 100 * NS_PER_S + HALF_S


@pytest.mark.parametrize("told", [None, "", 0, -1, 1.5])
def test_what_is_no_time_is_no_comparison(told: object) -> None:
    async def ask() -> object:
        return told

    with pytest.raises(Unclear, match="is no time"):
        asyncio.run(measure_skew(ask, lambda: 1, lambda: 1))


class Paced(World):
    """One where a question waits for its turn, which comes once in a second, before it leaves."""

    turn_ns = 0

    def measure(self, round_trips_ms: Iterable[tuple[int, int]] = ()) -> Skew:
        assert not round_trips_ms
        self.turn_ns = self.now_ns + NS_PER_S

        async def ask() -> int:
            self.asked += 1
            self.now_ns = max(self.now_ns, self.turn_ns)
            self.turn_ns = self.now_ns + NS_PER_S
            clear_current()  # it has its turn and its connection
            self.pass_ms(20)
            told_ms = self.now_ns // NS_PER_MS + self.ahead_ms
            self.pass_ms(20)
            return told_ms // self.counts_in_ms * self.counts_in_ms

        async def sleep(seconds: float) -> None:
            self.pass_ms(1_000 * seconds)

        with pytest.MonkeyPatch.context() as patch, recorded():
            patch.setattr("exchanges.skew.asyncio.sleep", sleep)
            return asyncio.run(measure_skew(ask, self.clock, self.clock))


@example(at_ms=1_700_000_001_580, ahead_ms=400)  # whole seconds by chance, three times
@given(at_ms=st.integers(1_700_000_000_000, 1_700_000_002_000), ahead_ms=st.integers(-400, 400))
def test_what_waits_for_its_turn_is_not_on_its_way(at_ms: int, ahead_ms: int) -> None:
    measured = Paced(ahead_ms, 1, at_ms).measure()

    assert measured.round_trip_ns == 40 * NS_PER_MS
    assert abs(measured.skew_ns - ahead_ms * NS_PER_MS) <= NS_PER_MS


@given(at_ms=st.integers(1_700_000_000_000, 1_700_000_002_000), ahead_ms=st.integers(-400, 400))
def test_whole_seconds_are_told_apart_where_one_may_ask_once_a_second(
    at_ms: int, ahead_ms: int
) -> None:
    """As at Kraken, through our budget: each question fell into the same part of a second."""
    world = Paced(ahead_ms, 1_000, at_ms)
    measured = world.measure()

    assert measured.doubt_ns <= NS_PER_S // 4
    assert abs(measured.skew_ns - ahead_ms * NS_PER_MS) <= measured.doubt_ns + NS_PER_MS
    assert world.asked < SAMPLES_MAX
