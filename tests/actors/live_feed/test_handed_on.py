"""What a live feed hands on: numbered batches, history apart from what may be acted on, its end."""

import re
from collections.abc import Callable
from decimal import Decimal

import msgspec

from actors.late_events import ALWAYS_LATE
from messages.ids import TimestampNs
from messages.lifecycle import ActorState, Ping
from messages.market import FeedEnded, FeedHistory, FeedPhase, FeedState, MarketBatch, Tick
from tests.actors.live_feed.desk import BTC, ETH, FEED, Desk
from tests.waiting import until


def test_events_come_numbered_and_history_decides_nothing(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    past, present = [desk.now_candle(0), desk.now_candle(1)], desk.now_candle(2)

    desk.line().tell(FeedHistory(symbol=BTC, candles=tuple(past)))
    desk.line().tell(present)

    assert desk.seen.until_events(3) == [*past, present]
    batches = desk.seen.of(MarketBatch)
    assert [(b.first_index, b.is_history, b.lost) for b in batches] == [
        (0, True, 0),
        (2, False, 0),
    ]


def test_the_histories_of_several_symbols_are_one_market_in_the_order_of_time(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    bitcoins = [desk.now_candle(number) for number in (0, 1, 2)]
    ethers = [msgspec.structs.replace(one, symbol=ETH) for one in bitcoins]

    desk.line().tell(FeedHistory(symbol=BTC, candles=tuple(bitcoins)))
    desk.line().tell(FeedHistory(symbol=ETH, candles=tuple(ethers)))
    desk.line().tell(desk.state(FeedPhase.LIVE))

    told = desk.seen.until_events(6)
    assert told == [one for pair in zip(bitcoins, ethers, strict=True) for one in pair]
    assert all(batch.is_history for batch in desk.seen.of(MarketBatch))


def test_the_history_of_a_symbol_that_begins_late_waits_for_nothing(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    desk.line().tell(desk.state(FeedPhase.LIVE))

    desk.line().tell(FeedHistory(symbol=BTC, candles=(desk.now_candle(0),)))

    assert len(desk.seen.until_events(1)) == 1


def test_a_candle_that_comes_too_late_to_act_on_is_history(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()

    desk.line().tell(desk.now_candle(0, age_s=6))
    desk.line().tell(desk.now_candle(1, age_s=1))

    desk.seen.until_events(2)
    assert [b.is_history for b in desk.seen.of(MarketBatch)] == [True, False]


def test_age_is_measured_on_the_exchanges_clock(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()

    desk.line().tell(desk.state(FeedPhase.LIVE, skew_ms=-60_000))
    desk.line().tell(desk.now_candle(0, age_s=62))

    desk.seen.until_events(1)
    assert not desk.seen.of(MarketBatch)[0].is_history


def tick_at(ns: int) -> Tick:
    return Tick(
        symbol=BTC,
        bid_price=Decimal(1),
        ask_price=Decimal(2),
        ts_event_ns=TimestampNs(ns),
        ts_received_ns=TimestampNs(ns + 1),
    )


def test_ticks_go_to_every_follower_as_they_are(open_desk: Callable[..., Desk]) -> None:
    desk, tick = open_desk(), tick_at(1)

    desk.line().tell(tick)

    desk.seen.until(lambda: desk.seen.of(Tick) == [tick])


def test_ticks_do_not_go_to_who_is_halted_and_are_no_lost_messages(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    follower = desk.runtime.cell("follower")
    desk.runtime.close(follower, "halted")

    for number in range(5):
        desk.line().tell(tick_at(number))
    desk.line().tell(desk.state(FeedPhase.LIVE))
    desk.told.until(lambda: bool(desk.told.of(FeedState)))

    assert desk.runtime.dead_letters.count(follower.path) == 0


def test_while_the_market_is_not_live_health_says_why(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    state = desk.state(FeedPhase.BACKOFF, "the wire is cut", retry_in_ms=4_000, attempt=2)

    desk.line().tell(state)
    desk.told.until(lambda: state in desk.told.of(FeedState))
    desk.runtime.ask(desk.feed, Ping())
    cell = desk.feed.cell
    assert (cell.state, cell.problem) == (
        ActorState.BACKOFF,
        "the wire is cut; attempt 3 in 4.0 s",
    )

    desk.line().tell(desk.state(FeedPhase.LIVE))
    desk.told.until(lambda: len(desk.told.of(FeedState)) == 2)
    desk.runtime.ask(desk.feed, Ping())
    assert (cell.state, cell.problem) == (ActorState.RUNNING, "")


def test_after_so_many_events_it_ends_and_history_does_not_count(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(max_events=2)
    desk.line().tell(FeedHistory(symbol=BTC, candles=(desk.now_candle(0),)))
    for number in (1, 2, 3):
        desk.line().tell(desk.now_candle(number))

    desk.told.until(lambda: bool(desk.told.of(FeedEnded)))
    assert len(desk.seen.until_events(3)) == 3
    desk.stop()
    assert desk.lines[0].closed


def test_an_orderly_stop_closes_the_connection(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    line = desk.line()

    desk.stop()

    assert line.closed


def test_a_market_whose_candles_all_come_too_late_says_so_until_one_is_in_time(
    open_desk: Callable[..., Desk],
) -> None:
    """An exchange that answers once a second has the eighth symbol's candle after eight."""
    desk = open_desk()
    cell = desk.runtime.cell(FEED)
    desk.line().tell(desk.state(FeedPhase.LIVE))
    for number in range(ALWAYS_LATE):
        desk.line().tell(desk.now_candle(number, age_s=8))

    until(lambda: bool(cell.problem))
    assert cell.state is ActorState.RUNNING
    assert re.fullmatch(
        r"each candle of BTC/USDT comes too late to decide on, up to 8\.\d s: follow fewer symbols,"
        r" or raise risk\.max_decision_age_ms",
        cell.problem,
    )

    desk.line().tell(desk.now_candle(9, age_s=1))
    until(lambda: not cell.problem)


def test_the_late_candles_of_an_interruption_are_no_such_thing(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    desk.line().tell(desk.state(FeedPhase.BACKFILLING))
    for number in range(2 * ALWAYS_LATE):
        desk.line().tell(desk.now_candle(number, age_s=100))
    desk.line().tell(desk.state(FeedPhase.LIVE))
    desk.line().tell(desk.now_candle(9, age_s=1))

    desk.seen.until_events(2 * ALWAYS_LATE + 1)
    assert desk.runtime.cell(FEED).problem == ""
