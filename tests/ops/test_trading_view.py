"""Which words of a connection concern one strategy."""

from decimal import Decimal

import pytest

from messages.ids import ActorPath, Symbol, TimestampNs
from messages.market import FeedPhase, FeedState
from messages.orders import PriceMark
from ops.run_facts import RunFacts
from ops.trading_view import _never_came, _phase


@pytest.mark.parametrize(
    ("reason", "symbol", "is_told"),
    [
        ("the market of BTC/USDT has gone back to times", "BTC/USDT", True),
        ("the market of BTC/USDT has gone back to times", "ETH/USDT", False),
        ("without STETH/USDT, ETH/BTC: not listed any more", "ETH/USDT", False),
        ("without STETH/USDT, ETH/BTC: not listed any more", "ETH/BTC", True),
        ("", "ETH/BTC", False),
    ],
)
def test_what_a_live_market_lacks_keeps_from_trading_whoever_trades_that(
    reason: str, symbol: str, *, is_told: bool
) -> None:
    link = {"phase": "live", "reason": reason, "for_s": 3.0}

    assert _phase(link, symbol) == (reason if is_told else "")


FEED, BTC = ActorPath("feeds/feed:ccxt"), Symbol("BTC/USDT")


def facts_with(*messages: object) -> RunFacts:
    facts = RunFacts(lambda: 0)
    for message in messages:
        facts.observe(message)
    return facts


def down(reason: str) -> FeedState:
    return FeedState(
        feed=FEED, phase=FeedPhase.BACKOFF, reason=reason, attempt=3, retry_in_ms=9, skew_ms=None,
        ts_ns=TimestampNs(1),
    )  # fmt: skip


def test_a_market_that_never_came_is_the_reason_and_no_warm_up() -> None:
    assert _never_came(facts_with(down("no route")), FEED, BTC) == (
        "its market never came (backoff: no route)"
    )


def test_a_market_that_came_and_went_is_not_called_never_there() -> None:
    seen = PriceMark(symbol=BTC, price=Decimal(1), ts_event_ns=TimestampNs(1))

    assert _never_came(facts_with(seen, down("no route")), FEED, BTC) == ""


def test_a_recording_has_no_connection_to_speak_of() -> None:
    assert _never_came(facts_with(), FEED, BTC) == ""
