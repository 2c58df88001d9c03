"""Where there are no streams, and what trades and ticks are: each once."""

from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_feed import CcxtFeed
from exchanges.feed_candles import PAGE
from exchanges.feed_settings import Channel
from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import StreamFault, StreamPlan
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.local.settings import Profile
from messages.market import FeedPhase
from tests.exchanges.ccxt_feed.conftest import SPEED
from tests.exchanges.feed_run import (
    ALL_CHANNELS,
    QUICK,
    assert_same_as_exchange,
    following,
    public_config,
)
from tests.exchanges.live import BTC

EVERYTHING_AT_ONCE = {
    "watchOHLCV": False,
    "watchTrades": False,
    "watchBidsAsks": False,
    "watchOrderBook": False,
}


@pytest.mark.slow
def test_without_streams_everything_is_polled(run: RunningExchange) -> None:
    config = public_config(run, has=EVERYTHING_AT_ONCE)
    with following(config, QUICK, channels=ALL_CHANNELS) as feed:
        facts = feed.open()
        candles = feed.start().until_candles(4)
        feed.until(lambda: len(feed.trades()) > 3 and len(feed.ticks()) > 1)

        assert facts.streams == frozenset()
        assert_same_as_exchange(run, candles)


@pytest.mark.slow
def test_more_trades_than_an_answer_holds_between_two_polls_are_a_gap(
    still: RunningExchange,
) -> None:
    still.exchange.advance(20)  # a trade a second, from the first on
    config = public_config(still, has=EVERYTHING_AT_ONCE)
    with following(config, QUICK, channels=frozenset({Channel.TRADES})) as feed:
        last = feed.start().until_trades(21)[20]

        still.exchange.advance(PAGE + 100)
        first = feed.until_trades(22)[21]

        assert [(gap.ts_from_ns, gap.ts_to_ns, gap.missing) for gap in feed.gaps()] == [
            (last.ts_event_ns, first.ts_event_ns, 0)
        ]


@pytest.mark.slow
def test_a_stream_of_trades_tells_when_candles_are_over(run: RunningExchange) -> None:
    with following(public_config(run, has={"watchOHLCV": False})) as feed:
        assert_same_as_exchange(run, feed.start().until_candles(4))
        assert feed.trades() == []


@pytest.mark.slow
def test_okx_is_polled_where_it_has_no_streams() -> None:
    with running_exchange(seed=5, speed=SPEED, profile=Profile.OKX) as run:
        config = public_config(run, has=EVERYTHING_AT_ONCE)
        with following(config, QUICK, exchange="okx", history=3) as feed:
            assert_same_as_exchange(run, feed.start().until_candles(3))


LATE_SUBSCRIPTION = StreamPlan(
    fault=StreamFault.SLOW_SUBSCRIBE, stream="*@trade", delay_ms=300, times=None
)
LATE_CANDLES = Plan(fault=Fault.DELAYED_REPLY, operation="klines", delay_ms=300, times=None)


@pytest.mark.slow
@pytest.mark.parametrize("late", [None, LATE_SUBSCRIPTION, LATE_CANDLES])
def test_trades_and_ticks_come_each_once_over_a_lost_connection(
    late: StreamPlan | Plan | None, run: RunningExchange
) -> None:
    with following(public_config(run), channels=frozenset({Channel.TRADES, Channel.TICKS})) as feed:
        feed.start().until_phase(FeedPhase.LIVE)
        feed.until(lambda: len(feed.trades()) > 10)
        if isinstance(late, StreamPlan):
            run.exchange.arm_stream(late)
        elif late is not None:
            run.exchange.arm(late)
        run.exchange.strike_streams(StreamFault.DROP)
        feed.until_phase(FeedPhase.LIVE, times=2)
        before = len(feed.trades())
        feed.until(lambda: len(feed.trades()) > before + 10 and len(feed.ticks()) > 5)

        told = [(t.ts_event_ns // 10**6, t.price, t.quantity) for t in feed.trades()]
        with run.exchange.operation():
            recent = list(run.exchange.players[BTC].recent)
        there = [(t.ts_ns // 10**6, t.price, t.quantity) for t in recent]
        first = there.index(told[0])
        assert told == there[first : first + len(told)]
        assert all(0 < tick.bid_price < tick.ask_price for tick in feed.ticks())


@pytest.mark.slow
def test_a_trade_that_a_cut_connection_left_in_ccxts_cache_hides_none_of_those_after_it(
    run: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that came right before the cut, and that nobody had the time to take."""
    end = CcxtFeed._end

    async def with_one_left(feed: CcxtFeed, tasks: Any) -> None:
        row = (await feed._client.fetch_trades(BTC, None, 1))[-1]
        feed._client.trades[BTC].append(row)
        await end(feed, tasks)

    with following(public_config(run), channels=frozenset({Channel.TRADES})) as feed:
        feed.start().until_phase(FeedPhase.LIVE)
        feed.until(lambda: len(feed.trades()) > 10)
        monkeypatch.setattr(CcxtFeed, "_end", with_one_left)
        run.exchange.arm_stream(LATE_SUBSCRIPTION)
        run.exchange.strike_streams(StreamFault.DROP)
        feed.until_phase(FeedPhase.LIVE, times=2)
        before = len(feed.trades())
        feed.until(lambda: len(feed.trades()) > before + 10)
        monkeypatch.setattr(CcxtFeed, "_end", end)

        told = [(t.ts_event_ns // 10**6, t.price, t.quantity) for t in feed.trades()]
        with run.exchange.operation():
            recent = list(run.exchange.players[BTC].recent)
        there = [(t.ts_ns // 10**6, t.price, t.quantity) for t in recent]
        first = there.index(told[0])
        assert told == there[first : first + len(told)]
