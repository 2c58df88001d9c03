"""The candles of a feed are the exchange's own, each once, and none before it is over."""

from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.feed_settings import FeedSettings
from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import StreamFault, StreamPlan
from exchanges.local.server import RunningExchange
from messages.ids import NS_PER_MS
from messages.market import FeedPhase
from tests.exchanges.ccxt_feed.clock import clock_before_the_end_of_a_bar
from tests.exchanges.feed_run import (
    assert_same_as_exchange,
    following,
    public_config,
)


@pytest.mark.slow
def test_closed_candles_arrive_and_are_the_exchanges_own(run: RunningExchange) -> None:
    with following(public_config(run), history=30) as feed:
        feed.start()
        candles = feed.until_candles(5)

        assert_same_as_exchange(run, feed.history() + candles)
        assert len(feed.history()) == 30
        assert feed.phases() == [FeedPhase.CONNECTING, FeedPhase.BACKFILLING, FeedPhase.LIVE]
        assert feed.gaps() == []


@pytest.mark.slow
def test_history_may_be_longer_than_a_page(
    still: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchanges.feed_line.PAGE", 100)
    with following(public_config(still), history=330) as feed:
        feed.start().until(lambda: len(feed.history()) == 330)

        assert_same_as_exchange(still, feed.history())


@pytest.mark.slow
def test_shorter_pages_of_old_candles_leave_no_hole_in_a_history(
    still: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at bitget, which gives a thousand of the newest candles, and two hundred of old ones."""
    monkeypatch.setattr("exchanges.feed_line.PAGE", 100)
    with following(public_config(still), history=330) as feed:
        feed.open()
        ask = feed.feed._client.fetch_ohlcv

        def ask_shortly(symbol: str, timeframe: str, since: int | None, limit: int) -> Any:
            return ask(symbol, timeframe, since, limit if since is None else min(limit, 40))

        monkeypatch.setattr(feed.feed._client, "fetch_ohlcv", ask_shortly)
        feed.start().until(lambda: len(feed.history()) == 330)

        assert_same_as_exchange(still, feed.history())


@pytest.mark.slow
def test_nothing_is_told_of_a_bar_that_is_not_over(still: RunningExchange) -> None:
    clock_before_the_end_of_a_bar(still, 30_000)  # which is the market's affair here alone
    with following(public_config(still)) as feed:
        feed.start().until_phase(FeedPhase.LIVE)

        still.exchange.advance(59)
        still.exchange.advance(2)

        assert_same_as_exchange(still, feed.until_candles(1))
        assert len(feed.candles()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [StreamFault.DUPLICATE_EVENT, StreamFault.DROPPED_EVENT, StreamFault.OUT_OF_ORDER]
)
def test_a_stuttering_stream_gives_each_candle_once_and_exact(
    fault: StreamFault, run: RunningExchange
) -> None:
    for nth in range(2, 60, 4):
        run.exchange.arm_stream(StreamPlan(fault=fault, stream="*@kline_1m", nth=nth))
    with following(public_config(run)) as feed:
        assert_same_as_exchange(run, feed.start().until_candles(6))


@pytest.mark.slow
def test_rest_that_answers_late_delays_a_candle_and_changes_none(run: RunningExchange) -> None:
    run.exchange.arm(Plan(fault=Fault.DELAYED_REPLY, operation="klines", delay_ms=150, times=None))
    with following(public_config(run)) as feed:
        assert_same_as_exchange(run, feed.start().until_candles(4))


@pytest.mark.slow
def test_an_answer_that_comes_after_the_end_of_a_bar_and_was_made_before_it_ends_no_bar(
    still: RunningExchange,
) -> None:
    still.exchange.advance(20)
    for by_ms in (
        1_800,
        5_000,
        20_000,
    ):  # a busy machine may take longer to open than a bar is left
        end_ms = clock_before_the_end_of_a_bar(still, by_ms)
        with following(public_config(still), history=3) as feed:
            feed.open()
            left_ms = end_ms - still.exchange.clock.now_ns() // NS_PER_MS
            if left_ms < by_ms / 2:
                continue
            late = Plan(fault=Fault.DELAYED_REPLY, operation="klines", delay_ms=left_ms + 100)
            still.exchange.arm(late)
            # Asked once more, a market that stands would say of the old minute that it is over.
            still.exchange.arm(
                Plan(fault=Fault.SERVER_ERROR_BEFORE, operation="klines", times=None)
            )
            feed.start().until_phase(FeedPhase.LIVE)
            still.exchange.advance(60)  # a trade of the old minute comes after its end
            still.exchange.disarm()

            assert_same_as_exchange(still, feed.history() + feed.until_candles(1))
            return
    pytest.fail("this machine opens no feed within ten seconds")


@pytest.mark.slow
def test_patience_with_rest_begins_anew_with_each_connection(run: RunningExchange) -> None:
    """A question was under way when the connection broke: that it waited long is over, too."""
    patience = FeedSettings(quiet_ms=60_000, confirm_ms=400, backoff_ms=800, ask_again_ms=20)
    run.exchange.arm(Plan(fault=Fault.DELAYED_REPLY, operation="klines", delay_ms=300, times=None))
    with following(public_config(run), patience) as feed:
        feed.start()
        for times in (1, 2, 3):
            feed.until_phase(FeedPhase.LIVE, times=times)
            feed.until_candles(len(feed.candles()) + 2)
            run.exchange.strike_streams(StreamFault.DROP)
        feed.until_phase(FeedPhase.LIVE, times=4)

        assert_same_as_exchange(run, feed.until_candles(len(feed.candles()) + 2))


@pytest.mark.slow
def test_without_rest_for_long_candles_are_given_as_streamed(run: RunningExchange) -> None:
    patience = FeedSettings(quiet_ms=60_000, grace_ms=100, confirm_ms=200, ask_again_ms=20)
    with following(public_config(run), patience) as feed:
        feed.start().until_candles(1)
        run.exchange.arm(Plan(fault=Fault.SERVER_ERROR_BEFORE, operation="klines", times=None))
        known = len(feed.candles())

        assert_same_as_exchange(run, feed.until_candles(known + 3))
        assert FeedPhase.BACKOFF not in feed.phases()


@pytest.mark.slow
def test_html_in_place_of_candles_is_no_answer(run: RunningExchange) -> None:
    with following(public_config(run)) as feed:
        feed.start().until_candles(1)
        run.exchange.arm(Plan(fault=Fault.HTML_BODY, operation="klines", times=3))

        assert_same_as_exchange(run, feed.until_candles(5))
        assert feed.gaps() == []
