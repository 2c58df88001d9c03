"""A connection, the feed or a follower ends: nothing is doubled, and what is lost is told."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from loguru import logger

from actors.live_memory import LiveKept, new_memory
from exchanges.source import total
from messages.ids import NS_PER_S, ActorPath, TimestampNs
from messages.lifecycle import InjectCrash, InjectHang, Ping
from messages.market import FeedGap, FeedHistory, FeedPhase, FeedReport, MarketBatch, Trade
from tests.actors.live_feed.desk import BTC, FEED, ONE, Desk, Line
from tests.actors.support import Lines


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    said: list[str] = []
    sink = logger.add(lambda line: said.append(str(line)), level="WARNING")
    yield said
    logger.remove(sink)


@pytest.mark.parametrize("blow", [InjectCrash(reason="a test"), InjectHang(reason="a test")])
def test_a_new_incarnation_goes_on_and_the_old_connection_is_void(
    blow: Any, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk()
    first, second = desk.now_candle(0), desk.now_candle(1)
    desk.line(1).tell(first)
    desk.seen.until_events(1)

    desk.feed.tell(blow)
    line = desk.line(2)
    desk.line(1).tell(desk.now_candle(9))
    line.tell(second)

    assert desk.seen.until_events(2) == [first, second]
    assert desk.lines[0].closed
    assert line.since_ns == {BTC: first.ts_event_ns}
    assert [b.first_index for b in desk.seen.of(MarketBatch)] == [0, 1]


def test_a_history_that_a_restart_falls_into_is_handed_on_by_the_next_one(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    past = desk.now_candle(0)
    desk.line(1).tell(FeedHistory(symbol=BTC, candles=(past,)))
    desk.line(1).tell(desk.state(FeedPhase.STOPPED, "KeyError: 'BNB'"))

    desk.line(2).tell(desk.state(FeedPhase.LIVE))

    assert desk.seen.until_events(1) == [past]
    assert desk.seen.of(MarketBatch)[0].is_history


def test_a_connection_that_ends_by_a_fault_is_made_anew(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()

    desk.line(1).tell(desk.state(FeedPhase.STOPPED, "KeyError: 'BNB'"))
    desk.line(2).tell(desk.now_candle(0))

    desk.seen.until_events(1)
    assert desk.feed.cell.last_error == "FeedLost: KeyError: 'BNB'"


def test_a_follower_that_restarts_is_sent_again_what_it_had_not_finished(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    candles = [desk.now_candle(n) for n in range(3)]
    desk.line().tell(candles[0])
    desk.seen.until_events(1)
    desk.seen.acks = False
    for candle in candles[1:]:
        desk.line().tell(candle)
    desk.seen.until_events(3)

    desk.seen.acks = True
    desk.runtime.address(ActorPath("follower")).tell(InjectCrash(reason="a test"))

    again = desk.seen.until_events(5)[3:]
    assert again == candles[1:]


def test_what_fell_out_of_the_buffer_is_told_and_never_passed_over_in_silence(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(capacity=4)
    desk.seen.acks = False
    candles = [desk.now_candle(n) for n in range(10)]
    for candle in candles:
        desk.line().tell(candle)
    desk.seen.until_events(10)

    desk.runtime.ask(desk.feed, Ping())
    desk.seen.acks = True
    desk.runtime.address(ActorPath("follower")).tell(InjectCrash(reason="a test"))

    desk.seen.until(lambda: any(b.lost for b in desk.seen.of(MarketBatch)))
    batch = next(b for b in desk.seen.of(MarketBatch) if b.lost)
    assert (batch.first_index, batch.lost) == (6, 6)
    assert desk.seen.until_events(1)[-1] == candles[-1]
    desk.told.until(lambda: bool(desk.told.of(FeedGap)))
    assert desk.told.of(FeedGap)[0].missing == 6


def trade_at(ns: int) -> Trade:
    at_ns = TimestampNs(ns)
    return Trade(symbol=BTC, price=ONE, quantity=ONE, aggressor_side=None, ts_event_ns=at_ns)


def test_trades_between_two_connections_are_a_gap_that_is_told_and_counted(
    open_desk: Callable[..., Desk], warnings: list[str]
) -> None:
    desk = open_desk()
    now_ns = desk.runtime.clock.utc_ns()
    desk.line(1).tell(trade_at(now_ns - 9 * NS_PER_S))
    desk.line(1).tell(trade_at(now_ns - 8 * NS_PER_S))
    desk.seen.until_events(2)
    assert desk.told.of(FeedGap) == []

    desk.feed.tell(InjectCrash(reason="a test"))
    for age_s in (2, 1):
        desk.line(2).tell(trade_at(now_ns - age_s * NS_PER_S))

    desk.seen.until_events(4)
    desk.told.until(lambda: bool(desk.told.of(FeedGap)))
    (gap,) = desk.told.of(FeedGap)
    assert (now_ns - gap.ts_from_ns, now_ns - gap.ts_to_ns) == (8 * NS_PER_S, 2 * NS_PER_S)
    assert gap.missing == 0, "nobody knows how many"
    desk.told.until(lambda: [one.gaps for one in desk.told.of(FeedReport)][-1:] == [1])
    assert "BTC/USDT: trades are missing over 6.0 s of the market" in " ".join(warnings)


def test_what_a_history_lacks_of_what_was_asked_for_is_said(
    open_desk: Callable[..., Desk], warnings: list[str]
) -> None:
    desk = open_desk()
    past = (desk.now_candle(0), desk.now_candle(1))

    desk.line(1).tell(FeedHistory(symbol=BTC, candles=past, missing=98))
    desk.line(1).tell(desk.state(FeedPhase.LIVE))

    assert desk.seen.until_events(2) == [*past]
    said = "BTC/USDT: 2 candles before now are there, 98 older ones are not told"
    assert said in " ".join(warnings)


def test_where_a_connection_goes_on_from_its_place_no_trade_is_missing(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    desk.line(1).place = 7
    desk.line(1).tell(trade_at(1 * NS_PER_S))
    desk.seen.until_events(1)

    desk.feed.tell(InjectCrash(reason="a test"))
    desk.line(2).tell(trade_at(9 * NS_PER_S))

    desk.seen.until_events(2)
    desk.runtime.ask(desk.feed, Ping())
    assert desk.told.of(FeedGap) == []
    assert desk.line(2).traded_ns == {BTC: NS_PER_S}, "so that it can tell where it can't go on"


def test_what_connections_have_counted_is_summed_up_and_not_kept_one_by_one() -> None:
    kept = LiveKept(new_memory([FEED], 10))
    for _ in range(50):
        line = Line()
        kept.replace(line)  # type: ignore[arg-type]  # it stands in for a feed
        line.stats.duplicate += 1
        line.stats.gaps += 2

    summed = total(kept.stats)
    assert (summed.duplicate, summed.gaps) == (50, 100)
    assert len(kept.stats) == 3


def test_many_that_come_late_are_said_once_and_counted_when_one_is_in_time(
    open_desk: Callable[..., Desk], lines: Lines
) -> None:
    """A line that stood still brings hundreds at once."""
    desk = open_desk()
    for number in range(40):
        desk.line().tell(desk.now_candle(number, age_s=30))
    desk.line().tell(desk.now_candle(40, age_s=1))

    desk.seen.until_events(41)
    late = [(level, line) for level, line in lines if "late" in line]
    assert [level for level, _ in late] == ["WARNING", "INFO"]
    assert "it decides nothing" in late[0][1]
    assert "BTC/USDT comes in time again, after 40 late events" in late[1][1]
