"""A symbol that is gone takes no other's market with it, and is followed again when it is there."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from ccxt.base.errors import BadSymbol, BaseError, ExchangeError, ExchangeNotAvailable

from exchanges.feed_settings import FeedSettings
from exchanges.local.faults_streams import StreamFault
from exchanges.local.server import RunningExchange
from messages.ids import Symbol
from messages.market import FeedPhase
from tests.exchanges.feed_run import (
    MINUTE_NS,
    Following,
    assert_same_as_exchange,
    following,
    public_config,
)
from tests.exchanges.live import BTC

pytestmark = pytest.mark.slow

ETH = Symbol("ETH/USDT")
PATIENCE = FeedSettings(
    quiet_ms=1_000,
    grace_ms=200,
    backoff_ms=20,
    backoff_max_ms=200,
    ask_again_ms=20,
    confirm_ms=500,
)
WITHOUT_ETH = "without ETH/USDT: not listed any more"


def list_again(run: RunningExchange, *, is_trading: bool = True) -> None:
    with run.exchange.operation():
        market = run.exchange.engine.markets[ETH]
        market.is_listed, market.is_trading = True, is_trading


def refuse(feed: Following, is_refused: Callable[[str], bool], refusal: BaseError) -> None:
    """Have the exchange answer with an error of this class where candles are asked for."""
    client = feed.feed._client
    fetch = client.fetch_ohlcv

    async def fetch_ohlcv(symbol: str, *asked: Any) -> Any:
        if is_refused(symbol):
            raise refusal
        try:
            return await fetch(symbol, *asked)
        except BadSymbol:
            raise refusal from None

    client.fetch_ohlcv = fetch_ohlcv


def until_live(feed: Following, reason: str) -> None:
    """Wait until it is live, and lacks this, as the last it said."""
    feed.until(
        lambda: (feed.states()[-1].phase, feed.states()[-1].reason) == (FeedPhase.LIVE, reason)
    )


def until_more(feed: Following, symbol: Symbol = BTC) -> None:
    known = len(feed.candles(symbol))
    feed.until(lambda: len(feed.candles(symbol)) >= known + 2)


def assert_without_hole(feed: Following, symbol: Symbol) -> None:
    opens_ns = [candle.ts_open_ns for candle in feed.candles(symbol)]
    assert opens_ns == [*range(opens_ns[0], opens_ns[-1] + 1, MINUTE_NS)]


@pytest.mark.parametrize("refusal", [BadSymbol, ExchangeError, ExchangeNotAvailable])
def test_a_symbol_that_is_gone_leaves_the_others_live_whatever_the_exchange_says_of_it(
    refusal: type[BaseError], run: RunningExchange
) -> None:
    """Bitget's 40034 and Kraken's "Unknown asset pair" are no `BadSymbol` to ccxt."""
    with following(public_config(run), PATIENCE, symbols=(ETH, BTC)) as feed:
        feed.start().until_candles(2)
        refuse(feed, lambda _: False, refusal("Parameter ETHUSDT does not exist"))
        run.exchange.delist(ETH)
        run.exchange.strike_streams(StreamFault.CLOSE)

        until_live(feed, WITHOUT_ETH)
        until_more(feed)
        assert_same_as_exchange(run, feed.candles())


def test_one_that_is_shown_as_not_traded_and_refused_is_left_out_too(
    run: RunningExchange,
) -> None:
    with following(public_config(run), PATIENCE, symbols=(ETH, BTC)) as feed:
        feed.start().until_candles(2)
        refuse(feed, lambda symbol: symbol == ETH, ExchangeError("it is offline"))
        run.exchange.halt(ETH)
        run.exchange.strike_streams(StreamFault.CLOSE)

        until_live(feed, "without ETH/USDT: not traded any more")
        until_more(feed)


def test_one_that_is_halted_and_told_of_is_followed_on(run: RunningExchange) -> None:
    with following(public_config(run), PATIENCE, symbols=(ETH, BTC)) as feed:
        feed.start().until_candles(2)
        run.exchange.halt(ETH)
        feed.feed._listing.doubt([ExchangeError("something else")])
        run.exchange.strike_streams(StreamFault.CLOSE)

        feed.until_phase(FeedPhase.LIVE, times=2)
        assert feed.states()[-1].reason == ""
        run.exchange.halt(ETH, is_halted=False)
        until_more(feed, ETH)


def test_what_one_symbol_missed_is_told_though_another_is_refused_and_that_one_loses_nothing(
    run: RunningExchange,
) -> None:
    refused = [ETH]
    with following(public_config(run), PATIENCE, symbols=(ETH, BTC)) as feed:
        feed.start().until_candles(2)
        refuse(feed, lambda symbol: symbol in refused, ExchangeError("not now"))
        run.exchange.strike_streams(StreamFault.CLOSE)
        feed.until(lambda: feed.phases().count(FeedPhase.BACKOFF) >= 3)
        until_more(feed)

        said = "REST does not tell what was missed of ETH/USDT: ExchangeError: not now"
        assert said in [state.reason for state in feed.states()]
        refused.clear()
        until_live(feed, "")
        until_more(feed, ETH)
        assert_same_as_exchange(run, feed.candles())
        assert_without_hole(feed, ETH)


def test_a_symbol_that_is_listed_again_is_followed_by_the_next_connection(
    run: RunningExchange,
) -> None:
    with following(public_config(run), PATIENCE, symbols=(BTC, ETH)) as feed:
        feed.start().until_candles(2)
        run.exchange.delist(ETH)
        run.exchange.strike_streams(StreamFault.CLOSE)
        until_live(feed, WITHOUT_ETH)

        list_again(run)
        run.exchange.strike_streams(StreamFault.CLOSE)

        until_live(feed, "")
        until_more(feed, ETH)
        assert_same_as_exchange(run, feed.candles())


def test_a_symbol_that_is_listed_again_is_found_while_the_connection_lasts(
    run: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchanges.feed_listing.LOOK_EVERY_S", 0.1)
    with following(public_config(run), PATIENCE, symbols=(BTC, ETH)) as feed:
        feed.start().until_candles(2)
        run.exchange.delist(ETH)
        run.exchange.strike_streams(StreamFault.CLOSE)
        until_live(feed, WITHOUT_ETH)

        list_again(run)

        feed.until(lambda: "ETH/USDT can be followed again" in [s.reason for s in feed.states()])
        until_live(feed, "")
        until_more(feed, ETH)
        assert_same_as_exchange(run, feed.candles())
