"""A feed wakes seldom where nothing happens, and soon where somebody is to be served."""

from collections.abc import Callable
from typing import Any

import pytest

from actors.actor import Actor
from actors.address import Address
from actors.cell import Cell
from actors.market_feed import FeedKept, FeedMemory, MarketFeedActor
from decisions.market_feed import FlowControl
from exchanges.demo import DemoSource
from messages.ids import NS_PER_MS, NS_PER_S, ActorPath, Symbol
from messages.market import FeedReport, MarketAck, MarketBatch
from tests.actors.hand_runtime import Driven


class Listener(Actor):
    """Writes down what it gets, and finishes a batch at once, or never."""

    def __init__(self, *, heard: list[Any], feed: Address[Any], acks: bool = True) -> None:
        super().__init__()
        self._heard, self._feed, self._acks = heard, feed, acks

    def receive(self, message: Any) -> None:
        self._heard.append(message)
        if isinstance(message, MarketBatch) and self._acks:
            stop = message.first_index + len(message.events)
            self.ctx.tell(self._feed, MarketAck(follower=self.ctx.path, next_index=stop))


class Market:
    """A candle a minute, in virtual time, for one follower."""

    def __init__(self, runtime: Driven, *, acks: bool = True) -> None:
        self.runtime = runtime
        self.reports: list[Any] = []
        self.seen: list[Any] = []
        feed = self.runtime.address(ActorPath("feed"))
        self._start("metrics", Listener, heard=self.reports, feed=feed)
        self.follower = self._start("follower", Listener, heard=self.seen, feed=feed, acks=acks)
        follower = self.runtime.address(ActorPath("follower"))
        self.feed = self._start(
            "feed",
            MarketFeedActor,
            open_source=lambda: DemoSource(Symbol("BTC/USDT")),
            followers=[follower],
            kept=FeedKept(FeedMemory(flow=FlowControl([follower.path], window=8))),
            metrics=self.runtime.address(ActorPath("metrics")),
            speed=1.0,
        )

    def _start(self, path: str, actor: type[Actor], **arguments: Any) -> Cell:
        cell = self.runtime.populate(ActorPath(path), actor, arguments)
        assert not self.runtime.start(cell).problem
        return cell

    def woken(self, seconds: float) -> int:
        """How often the feed handles something in this time."""
        before = self.feed.processed
        self.runtime.run_for(int(seconds * NS_PER_S))
        return self.feed.processed - before


def test_between_two_candles_a_feed_wakes_twice_a_second(driven: Callable[..., Driven]) -> None:
    market = Market(driven())
    market.runtime.run_for(NS_PER_S)
    assert market.woken(30) == 60


def test_what_is_told_already_is_told_again_every_five_seconds(
    driven: Callable[..., Driven],
) -> None:
    market = Market(driven())
    market.runtime.run_for(50 * NS_PER_S)
    reports = [one for one in market.reports if isinstance(one, FeedReport)]
    assert 9 <= len(reports) <= 12
    assert len({one.delivered for one in reports}) <= 2


@pytest.mark.parametrize("acks", [True, False])
def test_who_is_started_anew_is_sent_soon_what_it_had_not_finished(
    driven: Callable[..., Driven], *, acks: bool
) -> None:
    market = Market(driven(), acks=acks)
    market.runtime.run_for(10 * NS_PER_S)
    market.seen.clear()
    market.runtime.fence(market.follower)
    assert not market.runtime.start(market.follower).problem
    market.runtime.run_for(60 * NS_PER_MS)
    assert len(market.seen) == (0 if acks else 1)


def test_who_runs_when_the_feed_begins_is_sent_nothing_twice(
    driven: Callable[..., Driven],
) -> None:
    """Which incarnations there are is known before anything is sent."""
    market = Market(driven(), acks=False)
    market.runtime.run_for(10 * NS_PER_S)
    assert len(market.seen) == 1
