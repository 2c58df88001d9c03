"""A feed that was followed by nobody yet is handed on: nothing twice, nothing left out."""

import threading
from decimal import Decimal
from random import Random
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_feed import CcxtFeed
from exchanges.ccxt_settings import CcxtSettings
from exchanges.feed_settings import FeedItem
from exchanges.local.server import running_exchange
from exchanges.warm_feed import WarmFeed
from messages.ids import ActorPath, TimestampNs
from messages.market import Candle, FeedGap, FeedHistory, FeedPhase, FeedState
from tests.exchanges.feed_run import (
    LIMIT_S,
    MINUTE_NS,
    QUICK,
    assert_same_as_exchange,
    public_config,
    request,
)
from tests.exchanges.live import BTC
from tests.waiting import until

pytestmark = pytest.mark.slow
KEEPS = 6
PATH = ActorPath("feeds/feed:ccxt")


class Told:
    """What an heir was told."""

    def __init__(self) -> None:
        self.items: list[FeedItem] = []
        self._news = threading.Condition()

    def __call__(self, item: FeedItem) -> None:
        with self._news:
            self.items.append(item)
            self._news.notify_all()

    def until_live_candles(self, count: int) -> list[Candle]:
        def live() -> list[Candle]:
            return [item for item in self.items if isinstance(item, Candle)]

        with self._news:
            assert self._news.wait_for(lambda: len(live()) >= count, LIMIT_S)
            return live()


def made(config: dict[str, Any]) -> WarmFeed:
    settings = CcxtSettings(exchange="binance", config=config)
    asked = request(history=KEEPS)
    return WarmFeed(
        lambda: CcxtFeed(settings, asked, rng=Random(5), patience=QUICK), PATH, keeps=KEEPS
    )


def test_what_closed_before_is_history_and_what_closes_after_follows_without_a_break() -> None:
    with running_exchange(seed=5, speed=300.0) as run:
        feed, told, seen = made(public_config(run)), Told(), list[Candle]()
        feed.open(LIMIT_S)
        assert not feed.has_history((BTC,))
        feed.warm()

        def has_seen_enough() -> bool:
            seen.extend(feed.news())
            return len(seen) >= KEEPS + 3

        until(has_seen_enough)
        assert feed.phase is FeedPhase.LIVE
        assert feed.has_history((BTC,))

        feed.run(told, {})
        after = told.until_live_candles(3)
        assert feed.news() == []
        listing = feed.listing(LIMIT_S)
        assert feed.close(LIMIT_S)

        (history,) = [item for item in told.items if isinstance(item, FeedHistory)]
        assert told.items[0] is history
        assert len(history.candles) == KEEPS
        assert_same_as_exchange(run, [*history.candles, *after])
        assert_same_as_exchange(run, seen)
        assert history.candles[-1].ts_event_ns >= seen[-1].ts_event_ns
        assert next(s.phase for s in told.items if isinstance(s, FeedState)) is FeedPhase.LIVE
        assert BTC in {row["symbol"] for row in listing}
        assert not [one for one in run.exchange.requests() if "timestamp" in one.params]


def candle(minute: int) -> Candle:
    price = Decimal(100)
    return Candle(
        symbol=BTC,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=price,
        ts_open_ns=TimestampNs(minute * MINUTE_NS),
        ts_event_ns=TimestampNs((minute + 1) * MINUTE_NS),
    )


def gap(first: int, last: int) -> FeedGap:
    return FeedGap(
        feed=PATH,
        symbol=BTC,
        ts_from_ns=TimestampNs(first * MINUTE_NS),
        ts_to_ns=TimestampNs(last * MINUTE_NS),
        missing=last - first,
    )


def test_of_what_was_kept_only_the_last_has_the_place_to_go_on_from() -> None:
    """A restart in between is told all of it once more, and of trades from before none."""
    feed, places = made({}), list[int]()
    feed._feed.place = 7  # type: ignore[attr-defined]  # as of a market that has places
    feed._take(FeedHistory(symbol=BTC, candles=(candle(1),)))
    feed._take(gap(0, 2))
    feed._feed.place = 9  # type: ignore[attr-defined]  # of what is still to be told

    feed.run(lambda _: places.append(feed.place), {})
    feed._take(candle(2))
    feed.close(LIMIT_S)

    assert places == [0, 7, 9]


def test_of_gaps_only_those_in_what_is_kept_are_told_and_bars_that_are_due_are_counted() -> None:
    feed, told = made({}), Told()
    for item in (FeedHistory(symbol=BTC, candles=(candle(1),)), gap(2, 4), candle(4)):
        feed._take(item)
    for minute in range(5, 5 + KEEPS):
        if minute != 8:
            feed._take(candle(minute))
        else:
            feed._take(gap(8, 9))
    closed_ns = (5 + KEEPS) * MINUTE_NS

    assert feed.behind(closed_ns + MINUTE_NS - 1, MINUTE_NS) == 0
    assert feed.behind(closed_ns + 3 * MINUTE_NS, MINUTE_NS) == 3
    feed.run(told, {})
    feed.close(LIMIT_S)

    assert [item for item in told.items if isinstance(item, FeedGap)] == [gap(8, 9)]
