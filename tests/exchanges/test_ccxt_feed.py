"""A live feed at an exchange that breaks its streams: the candles are the exchange's, each once."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_feed import CcxtFeed
from exchanges.feed_line import PAGE
from exchanges.feed_settings import Channel, FeedSettings
from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import StreamFault, StreamPlan
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.local.settings import Profile
from messages.errors import VenueRefused
from messages.ids import NS_PER_MS, NS_PER_S, Symbol
from messages.market import Candle, FeedPhase, FeedState
from tests.exchanges.feed_run import (
    ALL_CHANNELS,
    LAZY,
    MINUTE_NS,
    QUICK,
    assert_same_as_exchange,
    following,
    public_config,
)
from tests.exchanges.live import BTC

ETH = Symbol("ETH/USDT")
SPEED = 300.0
"""Market seconds per second: five candles a second."""
EVERYTHING_AT_ONCE = {
    "watchOHLCV": False,
    "watchTrades": False,
    "watchBidsAsks": False,
    "watchOrderBook": False,
}


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=SPEED) as run:
        yield run


@pytest.fixture
def still() -> Iterator[RunningExchange]:
    """An exchange whose market moves only when it is told to."""
    with running_exchange(seed=5, speed=0) as run:
        yield run


def clock_before_the_end_of_a_bar(run: RunningExchange, by_ms: int) -> int:
    """Set the exchange's clock; give when its bar at work is over by it, in ms."""
    minute_ms = MINUTE_NS // NS_PER_MS
    end_ms = (run.exchange.clock.market_ns() // MINUTE_NS + 1) * minute_ms + LAZY.grace_ms
    run.exchange.skew_clock(end_ms - by_ms - run.exchange.clock.machine_ns() // NS_PER_MS)
    return end_ms


# ------------------------------------------------------------------ candles


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
    end_ms = clock_before_the_end_of_a_bar(still, 1_800)
    with following(public_config(still), history=3) as feed:
        feed.open()
        left_ms = end_ms - still.exchange.clock.now_ns() // NS_PER_MS
        late = Plan(fault=Fault.DELAYED_REPLY, operation="klines", delay_ms=max(0, left_ms) + 100)
        still.exchange.arm(late)
        feed.start().until_phase(FeedPhase.LIVE)
        still.exchange.advance(60)  # a trade of the old minute comes after its end

        assert_same_as_exchange(still, feed.history() + feed.until_candles(1))


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


# ------------------------------------------------------------------ interruptions


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

        wait = threading.Event()
        while len(still.exchange.requests(operation="klines")) < before + 4:
            wait.wait(0.05)

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


# ------------------------------------------------------------------ polling, trades, ticks


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


# ------------------------------------------------------------------ the gate


def refused(config: dict[str, Any], **asked: Any) -> str:
    with following(config, **asked) as feed, pytest.raises(VenueRefused) as refusal:
        feed.open()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.mark.slow
def test_the_gate_says_in_one_sentence_what_is_wrong_and_what_to_do(
    still: RunningExchange,
) -> None:
    config = public_config(still)

    assert refused(config, exchange="binanec") == (
        "ccxt has no exchange 'binanec': did you mean 'binance'? Correct venue.exchange"
    )
    assert refused(config, symbols=(Symbol("BTC/USDTT"),)) == (
        "binance has no market BTC/USDTT: did you mean BTC/USDT?"
    )
    assert refused(config, symbols=(Symbol("QQ/ZZ"),)) == (
        "binance has no market QQ/ZZ: correct the symbol"
    )
    assert refused(config, timeframe="7m").startswith(
        "binance has no candles of 7m: set the timeframe to one of 1s, 1m,"
    )
    assert refused(config | {"has": {"fetchOHLCV": False}}) == (
        "binance offers no candles through ccxt: take another exchange"
    )
    still.exchange.halt(BTC)
    assert refused(config) == "binance does not trade BTC/USDT now: wait, or take another symbol"


@pytest.mark.slow
def test_the_gate_says_that_nobody_is_there(still: RunningExchange) -> None:
    gone = public_config(still, urls={"test": {"public": "http://127.0.0.1:9/api/v3"}})

    assert refused(gone) == (
        "binance cannot be reached (ExchangeNotAvailable): check the network, the proxy and urls"
    )


@pytest.mark.slow
def test_the_clocks_difference_is_measured(still: RunningExchange) -> None:
    still.exchange.skew_clock(1_500)
    with following(public_config(still)) as feed:
        assert feed.open().skew_ms == pytest.approx(1_500, abs=100)


# ------------------------------------------------------------------ the end


@pytest.mark.slow
def test_it_ends_at_once_while_it_waits_in_backoff(still: RunningExchange) -> None:
    gone = public_config(still, urls={"test": {"public": "http://127.0.0.1:9/api/v3"}})
    patience = FeedSettings(backoff_ms=60_000)
    with following(gone, patience) as feed:
        feed.start().until_phase(FeedPhase.BACKOFF)

    assert feed.phases()[-1] is FeedPhase.STOPPED
