"""What a bot believes of the bus: no payload stops it, and nothing wrong gets through."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.bus_frames import (
    VERSION,
    encoded,
    subject_of,
)
from exchanges.bus_reader import BusReader
from exchanges.feed_settings import Channel, FeedItem, FeedRequest
from exchanges.source import SourceStats
from messages.bus import BusFrame
from messages.ids import ActorPath, Symbol, TimestampNs
from messages.market import Candle, FeedGap, Tick, Trade
from tests.exchanges.bus_run import BEGIN_NS, BTC, MINUTE_NS, candle

HERE = subject_of("market", "candles", BTC)
TRADES = subject_of("market", "trades", BTC)


def frame(what: object, sequence: int, writer: str = "a") -> BusFrame:
    return BusFrame(
        writer=writer,
        sequence=sequence,
        index=sequence,
        ts_published_ns=TimestampNs(1),
        what=what,  # type: ignore[arg-type]  # any message, to be looked at
    )


def trade(at: int) -> Trade:
    return Trade(
        symbol=BTC,
        price=Decimal(1),
        quantity=Decimal(1),
        aggressor_side=None,
        ts_event_ns=TimestampNs(BEGIN_NS + at),
    )


def tick(at: int) -> Tick:
    return Tick(
        symbol=BTC,
        bid_price=Decimal(1),
        ask_price=Decimal(2),
        ts_event_ns=TimestampNs(BEGIN_NS + at),
        ts_received_ns=TimestampNs(BEGIN_NS + at),
    )


def request(*channels: Channel) -> FeedRequest:
    return FeedRequest(
        path=ActorPath("feed"),
        symbols=(BTC,),
        timeframe="1m",
        timeframe_ns=MINUTE_NS,
        channels=frozenset(channels),
    )


def reader(since_ns: dict[Symbol, int] | None = None) -> BusReader:
    asked = request(Channel.CANDLES, Channel.TRADES)
    return BusReader("market", asked, SourceStats(), since_ns)


def taken(
    made: BusReader, *frames: BusFrame, subject: str = HERE, now_ns: int | None = None
) -> list[FeedItem]:
    return [item for one in frames for item in made.take(subject, encoded(one), now_ns)]


def gap_to(at: int) -> FeedGap:
    return FeedGap(
        feed=ActorPath("feed"),
        symbol=BTC,
        ts_from_ns=TimestampNs(BEGIN_NS),
        ts_to_ns=TimestampNs(BEGIN_NS + at),
        missing=0,
    )


# ------------------------------------------------------------ order


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 14), st.sampled_from("ab"))))
def test_whatever_comes_candles_are_told_once_in_order_and_every_hole_is_told(
    arrivals: list[tuple[int, int, str]],
) -> None:
    made = reader()
    told = taken(made, *(frame(candle(i), number, who) for i, number, who in arrivals))

    candles = [item for item in told if isinstance(item, Candle)]
    assert all(one.ts_event_ns <= later.ts_open_ns for one, later in pairwise(candles))
    missing = sum(item.missing for item in told if isinstance(item, FeedGap))
    if candles:
        span = (candles[-1].ts_event_ns - candles[0].ts_open_ns) // MINUTE_NS
        assert span == len(candles) + missing
    stats = made.stats
    assert stats.usable + stats.duplicate + stats.out_of_order == len(arrivals)


def test_trades_that_are_missing_show_by_their_number_and_a_repeated_one_is_dropped() -> None:
    made = reader()

    told = taken(
        made,
        *(frame(trade(i), i) for i in (1, 2, 2, 1, 5)),
        frame(trade(6), 1, "next"),
        subject=TRADES,
    )

    assert [item for item in told if isinstance(item, Trade)] == [trade(i) for i in (1, 2, 5, 6)]
    (gap,) = [item for item in told if isinstance(item, FeedGap)]
    assert (gap.missing, gap.ts_from_ns) == (2, BEGIN_NS + 2)
    assert (made.stats.duplicate, made.stats.out_of_order) == (1, 1)


def test_of_a_real_market_the_trades_between_two_publishers_are_told_as_a_gap_once() -> None:
    made = reader()
    now_ns = BEGIN_NS + MINUTE_NS

    told = taken(
        made,
        frame(trade(1), 1),
        frame(trade(9), 2, "next"),
        frame(trade(10), 3, "next"),
        frame(gap_to(30), 4, "third"),  # a publisher that knows of it has told it itself
        frame(trade(30), 5, "third"),
        subject=TRADES,
        now_ns=now_ns,
    )

    gaps = [(item.ts_from_ns - BEGIN_NS, item.ts_to_ns - BEGIN_NS, item.missing) for item in told
            if isinstance(item, FeedGap)]  # fmt: skip
    assert gaps == [(1, 9, 0), (0, 30, 0)]
    assert made.stats.gaps == 2
    assert [type(item) for item in told] == [Trade, FeedGap, Trade, Trade, FeedGap, Trade]


def test_of_a_recorded_market_the_next_publisher_goes_on_without_a_gap() -> None:
    made = reader()

    told = taken(made, frame(trade(1), 1), frame(trade(9), 2, "next"), subject=TRADES)

    assert told == [trade(1), trade(9)]


@pytest.mark.parametrize("now_ns", [None, BEGIN_NS + MINUTE_NS], ids=["recorded", "real"])
def test_trades_of_several_publishers_that_are_all_read_again_are_told_once(
    now_ns: int | None,
) -> None:
    """As where a server has lost the last of what it had; a third publisher goes on there."""
    made = reader()
    stored = [frame(trade(i), i, "first") for i in (1, 2, 3)]
    stored += [frame(gap_to(4), 4, "second"), frame(trade(4), 5, "second")]
    lost = frame(trade(6), 6, "second")
    taken(made, *stored, lost, subject=TRADES, now_ns=now_ns)

    third = frame(trade(9), 6, "third")
    told = taken(made, *stored, third, subject=TRADES, now_ns=now_ns)

    assert [item for item in told if isinstance(item, Trade)] == [trade(9)]
    assert spans(told) == ([] if now_ns is None else [(6, 9)])


def spans(told: list[FeedItem]) -> list[tuple[int, int]]:
    return [(item.ts_from_ns - BEGIN_NS, item.ts_to_ns - BEGIN_NS) for item in told
            if isinstance(item, FeedGap)]  # fmt: skip


@pytest.mark.parametrize("writer", ["a", "next"])
@pytest.mark.parametrize("now_ns", [None, BEGIN_NS + MINUTE_NS], ids=["recorded", "real"])
def test_in_a_stream_made_anew_the_first_later_trade_tells_that_others_may_be_missing(
    now_ns: int | None, writer: str
) -> None:
    made = reader()
    taken(made, *(frame(trade(i), i) for i in (1, 2, 3)), subject=TRADES, now_ns=now_ns)

    made.begin_anew()
    anew = (frame(trade(9), 1, writer), frame(trade(10), 2, writer))
    told = taken(made, *anew, subject=TRADES, now_ns=now_ns)

    assert [type(item) for item in told] == [FeedGap, Trade, Trade]
    assert spans(told) == [(3, 9)]


@pytest.mark.parametrize("now_ns", [None, BEGIN_NS + MINUTE_NS], ids=["recorded", "real"])
def test_a_stream_made_anew_that_shows_what_was_told_goes_on_behind_it_without_a_hole(
    now_ns: int | None,
) -> None:
    """Two of three trades of one moment were told; the third comes."""
    made = reader()
    at = (1, 2, 2, 2, 5)
    stored = [frame(trade(when), number) for number, when in enumerate(at, 1)]
    taken(made, *stored[:3], subject=TRADES, now_ns=now_ns)

    made.begin_anew()
    told = taken(made, *stored, subject=TRADES, now_ns=now_ns)

    assert told == [trade(2), trade(5)]


def test_of_a_real_market_a_trade_of_the_very_time_does_not_show_that_nothing_is_missing() -> None:
    made, now_ns = reader(), BEGIN_NS + MINUTE_NS
    taken(made, frame(trade(3), 1), subject=TRADES, now_ns=now_ns)

    made.begin_anew()
    anew = (frame(trade(3), 1), frame(trade(9), 2))
    told = taken(made, *anew, subject=TRADES, now_ns=now_ns)

    assert spans(told) == [(3, 9)]


def test_a_gap_that_a_stream_made_anew_tells_itself_is_told_once() -> None:
    made, now_ns = reader(), BEGIN_NS + MINUTE_NS
    taken(made, frame(trade(3), 1), subject=TRADES, now_ns=now_ns)

    made.begin_anew()
    anew = (frame(gap_to(9), 1), frame(trade(9), 2))
    told = taken(made, *anew, subject=TRADES, now_ns=now_ns)

    assert spans(told) == [(0, 9)]


def test_trades_that_are_missing_before_a_gap_are_told_with_the_next_one() -> None:
    made = reader()

    told = taken(
        made, frame(trade(1), 1), frame(gap_to(30), 5), frame(trade(30), 6), subject=TRADES
    )

    assert spans(told) == [(0, 30), (1, 30)]


def test_what_was_known_before_is_passed_over_and_a_hole_behind_it_is_told() -> None:
    made = reader({BTC: BEGIN_NS + 2 * MINUTE_NS})

    told = taken(made, *(frame(candle(i), i + 1) for i in (0, 1, 3)))

    assert [type(item) for item in told] == [FeedGap, Candle]
    assert (made.stats.duplicate, made.stats.missing) == (0, 1)


# ------------------------------------------------------------ hostile


@given(st.binary(max_size=200), st.sampled_from([HERE, TRADES, "market.end", "other"]))
def test_no_payload_is_fatal_and_each_is_counted(payload: bytes, subject: str) -> None:
    made = reader()

    assert made.take(subject, payload, BEGIN_NS) == []
    assert made.take(subject, bytes([VERSION]) + payload, BEGIN_NS) == []
    assert (made.stats.malformed, made.foreign) == (2, 2)


@given(st.integers(1, 400), st.binary(min_size=1, max_size=4))
def test_a_frame_with_some_bytes_changed_is_taken_as_one_or_not_at_all(
    at: int, noise: bytes
) -> None:
    whole = encoded(frame(candle(0), 1))
    made = reader()

    told = made.take(HERE, whole[:at] + noise + whole[at + len(noise) :], None)

    assert len(told) <= 1
    assert made.stats.malformed + made.stats.usable == 1


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"close": Decimal("NaN")}, "a number that is none"),
        ({"volume": Decimal("Infinity")}, "a number that is none"),
        ({"low": Decimal(0)}, "prices that contradict each other"),
        ({"high": Decimal(1)}, "prices that contradict each other"),
        ({"volume": Decimal(-1)}, "prices that contradict each other"),
        ({"ts_event_ns": TimestampNs(BEGIN_NS + 1)}, "a candle of another length"),
        ({"begin_ns": -MINUTE_NS}, "it is from before 1970"),
        ({"begin_ns": BEGIN_NS + 3 * MINUTE_NS}, "it is 181 s in the future"),
    ],
)
def test_a_candle_that_makes_no_sense_is_counted_and_told(
    changed: dict[str, Any], why: str
) -> None:
    made = reader()

    told = taken(made, frame(candle(0, **changed), 1), now_ns=BEGIN_NS + MINUTE_NS - 10**9)

    assert told == []
    assert made.stats.problems == [f"{HERE!r}: {why}"]


def test_behind_a_hole_of_years_a_recording_goes_on_from_its_second_candle_as_in_a_replay() -> None:
    made, years = reader(), 500 * 24 * 60
    minutes = (0, 1, years, years + 1, years + 2)

    told = taken(made, *(frame(candle(minute), number) for number, minute in enumerate(minutes, 1)))

    candles = [item for item in told if isinstance(item, Candle)]
    assert candles == [candle(minute) for minute in (0, 1, years + 1, years + 2)]
    (gap,) = [item for item in told if isinstance(item, FeedGap)]
    assert gap.missing == years - 1
    assert made.stats.malformed == 1


def test_one_candle_that_claims_to_be_of_another_year_is_left_out_and_the_next_goes_on() -> None:
    made, years = reader(), 500 * 24 * 60

    told = taken(made, *(frame(candle(minute), minute + 1) for minute in (0, years, 1, 2)))

    assert told == [candle(0), candle(1), candle(2)]
