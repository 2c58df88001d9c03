"""A feed whose streams break or fall silent loses nothing, and says what it does."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.feed_settings import FeedSettings
from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import StreamFault, StreamPlan
from exchanges.local.server import RunningExchange, running_exchange
from messages.ids import NS_PER_MS, Symbol
from messages.market import Candle, FeedPhase, FeedState
from tests.exchanges.ccxt_feed.conftest import SPEED
from tests.exchanges.feed_run import (
    ALL_CHANNELS,
    MINUTE_NS,
    QUICK,
    assert_same_as_exchange,
    following,
    klines,
    public_config,
)
from tests.exchanges.live import BTC
from tests.waiting import until

ETH = Symbol("ETH/USDT")


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [StreamFault.DROP, StreamFault.CLOSE, StreamFault.SERVER_SHUTDOWN]
)
def test_a_lost_connection_is_a_state_and_loses_and_doubles_nothing(
    fault: StreamFault, run: RunningExchange
) -> None:
    with following(public_config(run)) as feed:
        feed.start().until_candles(2)
        for times in (1, 2, 3):
            run.exchange.strike_streams(fault)
            feed.until_phase(FeedPhase.LIVE, times=times + 1)
        candles = feed.until_candles(len(feed.candles()) + 2)

        assert_same_as_exchange(run, candles)
        backoff = next(s for s in feed.states() if s.phase is FeedPhase.BACKOFF)
        assert backoff.reason
        assert backoff.retry_in_ms > 0


@pytest.mark.slow
def test_what_an_interruption_left_out_of_several_symbols_is_told_in_the_order_of_time(
    run: RunningExchange,
) -> None:
    patience = FeedSettings(quiet_ms=60_000, backoff_ms=2_000, ask_again_ms=20)
    with following(public_config(run), patience, symbols=(BTC, ETH)) as feed:
        feed.start().until_candles(2)
        run.exchange.strike_streams(StreamFault.DROP)
        feed.until_phase(FeedPhase.LIVE, times=2)

        states = [n for n, item in enumerate(feed.told) if isinstance(item, FeedState)]
        late = [item for item in feed.told[states[-2] : states[-1]] if isinstance(item, Candle)]
        assert {candle.symbol for candle in late} == {BTC, ETH}
        assert len(late) >= 4
        closed = [candle.ts_event_ns for candle in late]
        assert closed == sorted(closed)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [StreamFault.STALL, StreamFault.STALL_WITH_PONGS])
def test_a_silent_stream_is_found_out_by_work_and_connected_anew(
    fault: StreamFault, run: RunningExchange
) -> None:
    with following(public_config(run), QUICK) as feed:
        feed.start().until_candles(2)

        run.exchange.strike_streams(fault)
        feed.until_phase(FeedPhase.STALE)
        feed.until_phase(FeedPhase.LIVE, times=2)

        assert_same_as_exchange(run, feed.until_candles(len(feed.candles()) + 2))
        stale = next(s for s in feed.states() if s.phase is FeedPhase.STALE)
        assert "REST had a newer candle of BTC/USDT" in stale.reason


@pytest.mark.slow
def test_one_silent_stream_among_others_is_found_out(run: RunningExchange) -> None:
    with following(public_config(run), QUICK, channels=ALL_CHANNELS) as feed:
        feed.start().until_candles(1)

        run.exchange.strike_streams(StreamFault.STALL_WITH_PONGS, stream="*@trade")
        feed.until_phase(FeedPhase.STALE)

        stale = next(s for s in feed.states() if s.phase is FeedPhase.STALE)
        assert "the stream of trades was silent" in stale.reason


@pytest.mark.slow
def test_a_quiet_market_is_not_taken_for_a_stalled_stream(still: RunningExchange) -> None:
    with following(public_config(still), QUICK, channels=ALL_CHANNELS) as feed:
        feed.start().until_phase(FeedPhase.LIVE)
        before = len(still.exchange.requests(operation="klines"))

        until(lambda: len(still.exchange.requests(operation="klines")) >= before + 4)

        assert FeedPhase.STALE not in feed.phases()


@pytest.mark.slow
def test_a_refused_subscription_backs_off_ever_longer(run: RunningExchange) -> None:
    run.exchange.arm_stream(StreamPlan(fault=StreamFault.SUBSCRIBE_REFUSED, times=3))
    with following(public_config(run)) as feed:
        assert_same_as_exchange(run, feed.start().until_candles(2))

        attempts = [s.attempt for s in feed.states() if s.phase is FeedPhase.BACKOFF]
        assert attempts[:2] == [1, 2]


@pytest.mark.slow
def test_an_outage_of_rest_keeps_it_from_going_live_unfilled(run: RunningExchange) -> None:
    with following(public_config(run)) as feed:
        feed.start().until_candles(1)
        run.exchange.arm(Plan(fault=Fault.SERVER_ERROR_BEFORE, operation="klines", times=4))
        run.exchange.strike_streams(StreamFault.DROP)

        feed.until_phase(FeedPhase.LIVE, times=2)

        assert_same_as_exchange(run, feed.until_candles(len(feed.candles()) + 2))


@pytest.mark.slow
def test_an_exchange_that_is_gone_and_back_is_followed_again(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"seed": 5, "speed": SPEED, "state": tmp_path / "exchange.db"}
    with ExitStack() as first_life, ExitStack() as stack:
        first = first_life.enter_context(running_exchange(**settings))
        port = int(first.urls.http.rpartition(":")[2])
        feed = stack.enter_context(following(public_config(first)))
        feed.start().until_candles(2)
        first_life.close()
        feed.until_phase(FeedPhase.BACKOFF, times=2)
        known = len(feed.candles())

        # It comes back with its market's clock at the present: behind where it was.
        second = stack.enter_context(running_exchange(**settings, port=port))
        feed.until_phase(FeedPhase.LIVE, times=2)
        candles = feed.until_candles(known + 3)

        opens = [candle.ts_open_ns for candle in candles]
        assert opens == sorted(set(opens))
        assert_same_as_exchange(second, candles[-2:])


@pytest.mark.slow
def test_a_second_run_goes_on_where_the_first_one_stood(run: RunningExchange) -> None:
    with following(public_config(run)) as before:
        known = before.start().until_candles(2)
    with following(public_config(run)) as after:
        after.start({BTC: known[-1].ts_event_ns})
        candles = after.until_candles(3)

        assert after.history() == []
        assert_same_as_exchange(run, known + candles)


@pytest.mark.slow
def test_bars_that_the_exchange_has_no_more_are_a_gap(still: RunningExchange) -> None:
    still.exchange.advance(120)
    with following(public_config(still), history=1) as feed:
        feed.start().until_phase(FeedPhase.LIVE)
        last_ns = feed.history()[-1].ts_event_ns
    with following(public_config(still)) as late:
        late.start({BTC: last_ns - 5_000 * MINUTE_NS})
        late.until_phase(FeedPhase.LIVE)

        gap = late.gaps()[0]
        assert gap.ts_from_ns == last_ns - 5_000 * MINUTE_NS
        assert gap.missing == 5_000 - len(late.candles())


@pytest.mark.slow
def test_a_market_that_goes_back_in_time_is_not_called_live_without_a_word(
    run: RunningExchange,
) -> None:
    """As a compressed exchange that was started again: its stream lives, and tells nothing new."""
    ahead_ns = max(bar[0] for bar in klines(run, 0, 1_000_000)) * NS_PER_MS + 20 * MINUTE_NS
    with following(public_config(run), QUICK) as feed:
        feed.start({BTC: ahead_ns})
        feed.until(lambda: any("has gone back" in state.reason for state in feed.states()))

        told = next(state for state in feed.states() if state.reason)
        assert (told.phase, feed.candles()) == (FeedPhase.LIVE, [])
        assert told.reason.startswith("the market of BTC/USDT has gone back to times that were")
        feed.until_candles(2)
        feed.until_phase(FeedPhase.LIVE, times=3)
        assert feed.states()[-1].reason == "", "it is there again"
        assert FeedPhase.BACKOFF not in feed.phases(), "a new connection would not mend it"
