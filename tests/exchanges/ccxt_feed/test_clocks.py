"""A clock that is set ends no candle early, and is compared with the exchange's."""

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import RunningExchange
from messages.ids import NS_PER_S
from messages.market import FeedPhase
from tests.exchanges.ccxt_feed.clock import clock_before_the_end_of_a_bar
from tests.exchanges.feed_run import (
    ALL_CHANNELS,
    QUICK,
    assert_same_as_exchange,
    following,
    public_config,
)


@pytest.mark.slow
def test_a_machine_whose_clock_is_put_right_ends_no_candle_early(still: RunningExchange) -> None:
    clock_before_the_end_of_a_bar(still, 30_000)
    with following(public_config(still), channels=ALL_CHANNELS) as feed:
        feed.clock_ahead_ns = -600 * NS_PER_S
        feed.start().until_phase(FeedPhase.LIVE)

        feed.clock_ahead_ns = 0
        for trades in (1, 2, 3):  # each of them is news of the bar at work
            still.exchange.advance(5)
            feed.until_trades(trades)
        still.exchange.advance(60)

        assert_same_as_exchange(still, feed.until_candles(1))


@pytest.mark.slow
def test_a_clock_that_was_set_is_compared_again_at_once(still: RunningExchange) -> None:
    with following(public_config(still), QUICK) as feed:
        feed.clock_ahead_ns = -600 * NS_PER_S
        feed.start().until_phase(FeedPhase.LIVE)
        assert feed.states()[-1].skew_ms == pytest.approx(600_000, abs=100)

        feed.clock_ahead_ns = 0
        feed.until_phase(FeedPhase.LIVE, times=2)

        assert feed.states()[-1].skew_ms == pytest.approx(0, abs=100)


@pytest.mark.slow
def test_the_clocks_difference_is_measured(still: RunningExchange) -> None:
    still.exchange.skew_clock(1_500)
    with following(public_config(still)) as feed:
        assert feed.open().skew_ms == pytest.approx(1_500, abs=100)
