"""Names and numbers on the bus: a next publisher goes on where the stream ends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.bus_frames import (
    VERSION,
    NoFrame,
    encoded,
    frame_of,
    head_of,
    message_id,
    subject_of,
    subjects_of,
)
from exchanges.bus_numbers import Numbers
from exchanges.bus_reader import BusReader
from exchanges.feed_settings import Channel, FeedItem
from exchanges.source import SourceStats
from messages.bus import BusFrame
from messages.codec import to_msgpack
from messages.ids import ActorPath, Symbol, TimestampNs
from messages.market import Candle, FeedEnded, FeedGap, Trade
from tests.exchanges.bus_run import BEGIN_NS, BTC, ETH, candle, head
from tests.exchanges.test_bus_reader import HERE, TRADES, frame, gap_to, request, tick, trade


@given(st.lists(st.text("AZ2E.%-/", min_size=1, max_size=5), unique=True, max_size=6))
def test_no_two_symbols_share_a_subject_and_none_leaves_the_streams(symbols: list[str]) -> None:
    found = subjects_of("market", ("candles",), map(Symbol, symbols))

    assert len(set(found)) == len(symbols) + 1
    assert all(subject.count(".") == 2 for subject in found[:-1])


def test_a_payload_belongs_to_its_subject() -> None:
    assert frame_of("market", HERE, encoded(frame(candle(0), 1))).sequence == 1
    assert frame_of("market", "market.end", encoded(frame(end(), 1))).what == end()
    for subject in (TRADES, subject_of("market", "candles", ETH), "market.end", "else.candles"):
        with pytest.raises(NoFrame):
            frame_of("market", subject, encoded(frame(candle(0), 1)))
    with pytest.raises(NoFrame, match="it is no market event"):
        frame_of("market", HERE, bytes([VERSION]) + to_msgpack(candle(0)))


def end() -> FeedEnded:
    return FeedEnded(feed=ActorPath("f"), delivered=1)


def test_a_head_comes_back_from_its_metadata_and_a_foreign_one_is_none() -> None:
    assert head_of(head().metadata() | {"_nats.ver": "2.15"}) == head()
    assert head_of({"watchkeeper_source": "demo"}) is None


def test_the_name_of_a_frame_can_be_foretold_by_nobody_else() -> None:
    one = frame(candle(0), 1)

    assert message_id(HERE, one, b"k") == message_id(HERE, one, b"k")
    assert message_id(HERE, one, b"k") != message_id(HERE, one, b"l")
    assert message_id(HERE, one, b"k") != message_id(TRADES, one, b"k")


def test_numbers_go_on_where_the_stream_ends() -> None:
    numbers = Numbers("market", "next", is_replayed=True)
    numbers.learn(HERE, BusFrame(**fields(candle(4), sequence=5, index=8)))

    assert numbers.next_index == 9
    assert numbers.frame(candle(4), 8, 1) is None
    made = numbers.frame(candle(5), 9, 1)
    assert made is not None
    assert (made[0], made[1].sequence, made[1].index) == (HERE, 6, 9)
    assert numbers.repeated == 1


def test_ticks_go_on_where_the_publishers_actor_begins_anew() -> None:
    """It has the name of the one before, and no stream keeps a tick that would tell the number."""
    ticks = subject_of("market", "ticks", BTC)
    made = BusReader("market", request(Channel.TICKS), SourceStats())
    told: list[FeedItem] = []
    for start in (0, 100):
        numbers = Numbers("market", "one", is_replayed=False)
        for number in range(start, start + 3):
            framed = numbers.frame(tick(number), 0, BEGIN_NS + number // 2)  # two at one moment
            assert framed is not None
            told += made.take(ticks, encoded(framed[1]), BEGIN_NS)

    assert told == [tick(number) for number in (0, 1, 2, 100, 101, 102)]


def test_the_end_of_a_recording_is_no_event_of_it_and_a_longer_one_goes_on_behind() -> None:
    numbers = Numbers("market", "next", is_replayed=True)
    numbers.learn(HERE, BusFrame(**fields(candle(4), sequence=5, index=4)))
    numbers.learn("market.end", BusFrame(**fields(end(), sequence=1, index=5)))

    assert numbers.next_index == 5
    assert numbers.frame(candle(5), 5, 1) is not None


def test_a_gap_is_published_wherever_it_stands_and_what_follows_it_is_not_taken_for_there() -> None:
    """Of one process, whose publisher was restarted behind a gap that was stored."""
    numbers = Numbers("market", "before", is_replayed=False)
    numbers.learn(TRADES, BusFrame(**fields(gap_to(12), sequence=10, index=802)))

    assert numbers.frame(trade(10), 801, 1) is None
    assert numbers.frame(trade(13), 802, 1) is not None
    assert numbers.frame(gap_to(30), 0, 1) is not None


def test_of_a_real_market_the_time_of_a_candle_says_whether_the_stream_has_it() -> None:
    numbers = Numbers("market", "next", is_replayed=False)
    numbers.learn(HERE, BusFrame(**fields(candle(4), sequence=5, index=800)))

    assert numbers.next_index == 0  # another process has counted that
    assert numbers.frame(candle(4), 0, 1) is None
    assert numbers.frame(candle(5), 1, 1) is not None
    assert numbers.frame(candle(5), 2, 1) is None


def test_how_far_a_stream_had_come_is_known_by_its_newest_candle_and_trade() -> None:
    numbers = Numbers("market", "next", is_replayed=False)
    numbers.learn(HERE, BusFrame(**fields(candle(4), sequence=5, index=800)))
    numbers.learn(TRADES, BusFrame(**fields(trade(7), sequence=9, index=801)))

    assert numbers.reached((BTC, ETH)) == ({BTC: candle(4).ts_event_ns}, {BTC: BEGIN_NS + 7})
    numbers.learn(TRADES, BusFrame(**fields(gap_to(12), sequence=10, index=802)))
    assert numbers.reached((BTC,)).traded_ns == {BTC: BEGIN_NS + 12}


def fields(what: Candle | Trade | FeedGap | FeedEnded, **more: int) -> dict[str, Any]:
    return {"writer": "before", "ts_published_ns": TimestampNs(1), "what": what} | more
