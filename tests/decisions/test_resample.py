from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.resample import Resampler, candles_for
from messages.ids import NS_PER_S, Symbol, TimestampNs
from messages.market import Candle
from messages.timeframes import timeframe_ns

MINUTE = 60 * NS_PER_S
FIVE = timeframe_ns("5m")


def candle(minute: int, close: int = 10, minutes: int = 1) -> Candle:
    return Candle(
        symbol=Symbol("BTC/USDT"),
        open=Decimal(close - 1),
        high=Decimal(close + 2),
        low=Decimal(close - 3),
        close=Decimal(close),
        volume=Decimal("0.1"),
        ts_open_ns=TimestampNs(minute * MINUTE),
        ts_event_ns=TimestampNs((minute + minutes) * MINUTE),
    )


def bars(minutes: list[int], length: int = FIVE) -> list[Candle]:
    resampler = Resampler(length)
    return [bar for minute in minutes for bar in resampler.add(candle(minute, minute + 100))]


def test_a_bar_is_told_with_its_last_candle_and_holds_all_of_it() -> None:
    resampler = Resampler(FIVE)
    for minute in range(4):
        assert resampler.add(candle(minute, 20 - minute)) == []

    (bar,) = resampler.add(candle(4, 30))

    assert (bar.open, bar.high, bar.low, bar.close) == tuple(map(Decimal, (19, 32, 14, 30)))
    assert bar.volume == Decimal("0.5")
    assert (bar.ts_open_ns, bar.ts_event_ns) == (0, FIVE)


def test_a_bar_that_it_begins_in_the_middle_of_is_not_told() -> None:
    assert [bar.ts_open_ns for bar in bars([*range(2, 12)])] == [FIVE]


def test_a_bar_whose_last_candle_never_came_is_told_by_the_next_one_with_what_there_was() -> None:
    told = bars([0, 1, 2, 7, 9])

    assert [(bar.ts_open_ns, bar.ts_event_ns) for bar in told] == [(0, FIVE), (FIVE, 2 * FIVE)]
    assert [bar.close for bar in told] == [102, 109]
    assert told[1].open == 106


def test_a_bar_of_which_there_was_no_candle_is_not_invented() -> None:
    assert [bar.ts_open_ns // FIVE for bar in bars([0, 4, 20, 24])] == [0, 4]


def test_a_late_candle_changes_nothing_that_was_told() -> None:
    assert len(bars([0, 1, 2, 3, 4, 3, 4, 0])) == 1


def test_candles_that_do_not_make_the_bar_are_an_error() -> None:
    with pytest.raises(ValueError, match="no bar of 300 s is made of candles of 900 s"):
        Resampler(FIVE).add(candle(0, minutes=15))


def test_days_begin_at_midnight_and_weeks_on_a_monday() -> None:
    day, week = timeframe_ns("1d"), timeframe_ns("1w")
    resampler = Resampler(week)
    told = []
    for place in range(25):
        opened = TimestampNs(place * day)
        one = Candle(
            symbol=Symbol("B/U"),
            open=Decimal(1),
            high=Decimal(1),
            low=Decimal(1),
            close=Decimal(1),
            volume=Decimal(1),
            ts_open_ns=opened,
            ts_event_ns=TimestampNs(opened + day),
        )
        told += resampler.add(one)

    assert [bar.ts_open_ns // day for bar in told] == [4, 11, 18]  # 5, 12 and 19 January 1970


@given(minutes=st.lists(st.integers(0, 60), unique=True).map(sorted), length=st.integers(2, 20))
def test_bars_are_those_of_the_plain_grouping(minutes: list[int], length: int) -> None:
    told = bars(minutes, length * MINUTE)

    groups: dict[int, list[int]] = {}
    for minute in minutes:
        groups.setdefault(minute // length, []).append(minute)
    if minutes and minutes[0] % length:
        del groups[minutes[0] // length]
    closed = {p: g for p, g in groups.items() if g[-1] != minutes[-1] or (g[-1] + 1) % length == 0}
    assert [bar.ts_open_ns for bar in told] == [p * length * MINUTE for p in closed]
    assert [bar.open for bar in told] == [g[0] + 99 for g in closed.values()]
    assert [bar.high for bar in told] == [g[-1] + 102 for g in closed.values()]
    assert [bar.volume for bar in told] == [len(g) * Decimal("0.1") for g in closed.values()]


@given(start=st.integers(0, 50), count=st.integers(1, 4), ratio=st.integers(1, 15))
def test_a_warm_up_in_bars_holds_so_many_wherever_it_begins(
    start: int, count: int, ratio: int
) -> None:
    length = ratio * MINUTE
    needed = candles_for(count, length, MINUTE)

    assert len(bars([*range(start, start + needed)], length)) >= count


@pytest.mark.parametrize("text", ["", "15", "m", "0m", "1.5h", "15M", "-1m", 15, None])
def test_what_is_no_timeframe_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="no timeframe"):
        timeframe_ns(text)
