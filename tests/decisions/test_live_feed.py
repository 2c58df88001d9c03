"""A bounded, numbered run of live events: what is lost is counted, what is old is history."""

from collections import deque
from copy import deepcopy
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from decisions.live_feed import LiveBuffer, Piece
from messages.ids import NS_PER_S, Symbol, TimestampNs
from messages.market import Candle, MarketEvent

BTC = Symbol("BTC/USDT")
MINUTE_NS = 60 * NS_PER_S
NOTHING_IS_OLD = -1


def candle(number: int) -> Candle:
    one = Decimal(1)
    return Candle(
        symbol=BTC,
        open=one,
        high=one,
        low=one,
        close=one,
        volume=one,
        ts_open_ns=TimestampNs(number * MINUTE_NS),
        ts_event_ns=TimestampNs((number + 1) * MINUTE_NS),
    )


def buffer_of(count: int, capacity: int = 100) -> LiveBuffer:
    buffer = LiveBuffer(capacity=capacity)
    for number in range(count):
        buffer.add(candle(number))
    return buffer


def pieces(buffer: LiveBuffer, first: int, oldest_ns: int = NOTHING_IS_OLD) -> list[Piece]:
    return list(buffer.pieces(first, buffer.end, 256, oldest_ns))


def test_events_are_numbered_from_0_whatever_was_forgotten() -> None:
    buffer = buffer_of(5)
    buffer.forget(3)

    (piece,) = pieces(buffer, 3)

    assert (piece.first_index, piece.events, piece.lost) == (3, (candle(3), candle(4)), 0)
    assert buffer.end == 5


def test_what_does_not_fit_is_lost_oldest_first_and_counted_for_whoever_needed_it() -> None:
    buffer = buffer_of(10, capacity=4)

    (piece,) = pieces(buffer, 2)

    assert (piece.first_index, piece.lost) == (6, 4)
    assert piece.events == tuple(candle(n) for n in range(6, 10))
    assert buffer.dropped_from_ns == candle(0).ts_event_ns


def test_what_is_lost_later_is_no_part_of_what_all_have_come_past() -> None:
    buffer = buffer_of(10, capacity=4)
    buffer.forget(5)
    assert buffer.dropped_from_ns == candle(0).ts_event_ns, "somebody has not had 5"

    buffer.forget(8)
    for number in range(10, 14):
        buffer.add(candle(number))

    assert buffer.base == 10
    assert buffer.dropped_from_ns == candle(8).ts_event_ns


def test_history_and_what_is_too_old_come_in_pieces_of_their_own() -> None:
    buffer = LiveBuffer(capacity=100)
    buffer.add_history([candle(0), candle(1)])
    for number in (2, 3, 4):
        buffer.add(candle(number))

    found = pieces(buffer, 0, oldest_ns=candle(3).ts_event_ns)

    assert [(p.first_index, len(p.events), p.is_history) for p in found] == [
        (0, 3, True),
        (3, 2, False),
    ]


def test_history_stays_history_however_young_it_is() -> None:
    buffer = LiveBuffer(capacity=100)
    buffer.add_history([candle(7)])

    assert pieces(buffer, 0)[0].is_history


@given(st.integers(1, 30), st.integers(0, 60), st.integers(1, 9), st.data())
def test_pieces_give_every_event_that_is_held_once_in_order(
    capacity: int, count: int, size: int, data: st.DataObject
) -> None:
    buffer = buffer_of(count, capacity)
    first = data.draw(st.integers(0, count))
    stop = data.draw(st.integers(first, count))
    oldest_ns = data.draw(st.integers(0, 61)) * MINUTE_NS

    found = list(buffer.pieces(first, stop, size, oldest_ns))

    indexes = [p.first_index + n for p in found for n in range(len(p.events))]
    assert indexes == list(range(max(first, count - capacity), stop))
    assert [e for p in found for e in p.events] == [candle(n) for n in indexes]
    assert all(len(p.events) <= size for p in found)
    assert sum(p.lost for p in found) == (max(first, count - capacity) - first if found else 0)
    for piece in found:
        assert all((e.ts_event_ns < oldest_ns) is piece.is_history for e in piece.events)


def test_a_copy_has_the_same_events_under_the_same_numbers_and_nobody_else_adds_to_it() -> None:
    buffer = buffer_of(5, capacity=3)

    copy = deepcopy(buffer)
    buffer.add(candle(5))

    assert (copy.base, copy.end) == (2, 5)
    assert list(copy.events) == [candle(2), candle(3), candle(4)]
    assert (buffer.base, buffer.end) == (3, 6)


def test_a_copy_is_of_one_moment_though_an_abandoned_feed_adds_to_what_is_copied() -> None:
    buffer = buffer_of(5, capacity=3)

    class Moving(deque[MarketEvent]):
        moves = 3

        def copy(self) -> "Moving":
            found = Moving(self)
            if self.moves:
                self.moves -= 1
                buffer.add(candle(buffer.end))
            return found

    buffer.events = Moving(buffer.events)
    copy = deepcopy(buffer)

    assert (copy.base, copy.end, next(iter(copy.events))) == (5, 8, candle(5))
