"""When a live feed asks what is listed, and what it makes of the answer; without a connection."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from ccxt.base.errors import (
    BadSymbol,
    ExchangeError,
    OnMaintenance,
    RateLimitExceeded,
    RequestTimeout,
)

from exchanges.ccxt_call import current_call
from exchanges.feed_backfill import backfill_all
from exchanges.feed_candles import FeedCandles
from exchanges.feed_endings import NotBackfilled
from exchanges.feed_line import Line
from exchanges.feed_listing import FeedListing
from exchanges.responses import response_of
from exchanges.source import SourceStats
from messages.ids import NS_PER_S, Symbol
from tests.exchanges.feed_run import LAZY, request

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
GONE = ExchangeError("Unknown asset pair")


def lines_of(*symbols: Symbol) -> list[Line]:
    stats = SourceStats()
    return [
        Line(FeedCandles(one, request(), LAZY, stats, None, lambda: 0), request(), stats, lambda: 0)
        for one in symbols
    ]


class Listed:
    """A client that lists these symbols, and a feed's listing that asks it."""

    def __init__(self, listed: Sequence[Symbol], *followed: Symbol) -> None:
        self.listed, self.asked, self.now_s = listed, 0, 1_000
        self.listing = FeedListing(lines_of(*followed), "1m", 60_000, lambda: self.now_s * NS_PER_S)

    async def load_markets(self, *, reload: bool) -> dict[str, Any]:
        assert reload
        self.asked += 1
        call = current_call()
        assert call is not None
        call.response = response_of(200, {}, '{"some": "answer"}')
        return {symbol: {"active": True} for symbol in self.listed}

    def ended_by(self, *faults: BaseException) -> list[Symbol]:
        """End a connection so, and begin the next one; give what that follows."""
        self.listing.doubt(faults)
        asyncio.run(self.listing.renew(self))
        return [line.symbol for line in self.listing.lines]


@pytest.mark.parametrize("fault", [GONE, BadSymbol("no"), NotBackfilled("no")])
def test_an_answer_has_the_next_connection_follow_what_is_listed(fault: Exception) -> None:
    if isinstance(fault, NotBackfilled):
        fault.__cause__ = GONE

    assert Listed([BTC], BTC, ETH).ended_by(fault) == [BTC]


@pytest.mark.parametrize("fault", [RequestTimeout, RateLimitExceeded, OnMaintenance])
def test_an_exchange_that_is_away_is_not_asked_what_it_lists(fault: type[Exception]) -> None:
    exchange = Listed([BTC], BTC, ETH)

    assert exchange.ended_by(fault("no")) == [BTC, ETH]
    assert exchange.asked == 0


def test_one_symbol_alone_is_followed_whatever_is_listed() -> None:
    exchange = Listed([], BTC)

    assert exchange.ended_by(GONE) == [BTC]
    assert exchange.asked == 0


def test_where_none_is_listed_all_are_tried_again() -> None:
    exchange = Listed([], BTC, ETH)

    assert exchange.ended_by(GONE) == [BTC, ETH]
    assert exchange.listing.left_out == ""


def test_answers_that_are_of_no_listing_have_it_asked_once_a_minute() -> None:
    exchange = Listed([BTC, ETH], BTC, ETH)
    exchange.ended_by(GONE)
    for exchange.now_s in range(1_001, 1_060, 10):
        exchange.ended_by(GONE)
    assert exchange.asked == 1

    exchange.listed, exchange.now_s = [BTC], 1_060

    assert exchange.ended_by(GONE) == [BTC]


def test_an_answer_that_names_no_such_symbol_has_it_asked_at_once() -> None:
    exchange = Listed([BTC, ETH], BTC, ETH)
    exchange.ended_by(GONE)
    exchange.listed = [BTC]

    assert exchange.ended_by(BadSymbol("no")) == [BTC]


def test_while_one_is_left_out_each_connection_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = Listed([BTC], BTC, ETH)
    exchange.ended_by(GONE)
    exchange.listed = [BTC, ETH]

    async def answers(*_: object) -> list[Any]:
        return []

    monkeypatch.setattr(exchange, "fetch_ohlcv", answers, raising=False)

    assert exchange.ended_by() == [BTC, ETH]


def test_one_that_is_listed_again_and_still_refused_stays_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange = Listed([BTC], BTC, ETH)
    exchange.ended_by(GONE)
    exchange.listed = [BTC, ETH]

    async def refuses(*_: object) -> list[Any]:
        raise GONE

    monkeypatch.setattr(exchange, "fetch_ohlcv", refuses, raising=False)

    assert exchange.ended_by() == [BTC]
    assert exchange.listing.left_out == "without ETH/USDT: not traded any more"


def test_a_listing_that_is_not_told_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = Listed([BTC], BTC, ETH)

    async def fails(**_: object) -> dict[str, Any]:
        raise RequestTimeout("no")

    monkeypatch.setattr(exchange, "load_markets", fails)

    assert exchange.ended_by(GONE) == [BTC, ETH]


def test_a_listing_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = Listed([BTC], BTC, ETH)
    exchange.listing = FeedListing(exchange.listing.all, "1m", 1, lambda: 0)

    async def hangs(**_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(exchange, "load_markets", hangs)

    assert exchange.ended_by(GONE) == [BTC, ETH]


def asked_until(failure: Exception) -> list[Symbol]:
    """Backfill two symbols, the first in vain; give which of them were asked for."""
    asked: list[Symbol] = []

    async def ask(line: Line) -> None:
        asked.append(line.symbol)
        if line.symbol == ETH:
            raise failure

    with pytest.raises((NotBackfilled, RequestTimeout)):
        asyncio.run(backfill_all(lines_of(ETH, BTC), lambda _: None, ask))
    return asked


def test_a_refusal_of_one_symbols_backfill_keeps_no_other_from_its_own() -> None:
    assert asked_until(GONE) == [ETH, BTC]


def test_an_exchange_that_does_not_answer_is_not_waited_for_once_for_each_symbol() -> None:
    assert asked_until(RequestTimeout("no")) == [ETH]
