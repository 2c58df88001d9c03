"""The gate of a feed, and its end."""

from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.feed_settings import FeedSettings
from exchanges.local.server import RunningExchange
from messages.errors import VenueRefused
from messages.ids import Symbol
from messages.market import FeedPhase
from tests.exchanges.feed_run import (
    following,
    public_config,
)
from tests.exchanges.live import BTC


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
        "ccxt has no exchange 'binanec': did you mean 'binance'? Correct --exchange, or"
        " venue.exchange where a file says it"
    )
    assert refused(config, symbols=(Symbol("BTC/USDTT"),)) == (
        "binance has no market BTC/USDTT: did you mean BTC/USDT?"
    )
    assert refused(config, symbols=(Symbol("FOO/USDT"),)) == (
        "binance has no market FOO/USDT: correct the symbol"
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
def test_it_ends_at_once_while_it_waits_in_backoff(still: RunningExchange) -> None:
    gone = public_config(still, urls={"test": {"public": "http://127.0.0.1:9/api/v3"}})
    patience = FeedSettings(backoff_ms=60_000)
    with following(gone, patience) as feed:
        feed.start().until_phase(FeedPhase.BACKOFF)

    assert feed.phases()[-1] is FeedPhase.STOPPED
