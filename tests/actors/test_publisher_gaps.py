"""A live feed's gap is published, and a recording's end; its gaps show by its candles' times."""

from collections.abc import Callable
from typing import Any

import pytest

from actors.publisher import PublisherActor, PublisherKept
from messages.ids import ActorPath, Symbol, TimestampNs
from messages.market import FeedEnded, FeedGap
from tests.actors.hand_runtime import Driven

GAP = FeedGap(
    feed=ActorPath("feed"),
    symbol=Symbol("BTC/USDT"),
    ts_from_ns=TimestampNs(1),
    ts_to_ns=TimestampNs(9),
    missing=2,
    place="a.csv:3",
)


class Connection:
    """Keeps what it is to publish."""

    def __init__(self) -> None:
        self.published: list[Any] = []

    def run(self, *_: Any) -> None:
        pass

    def feed_is(self, *_: Any) -> None:
        pass

    def put(self, events: Any, _: int) -> None:
        self.published += events


END = FeedEnded(feed=ActorPath("feed"), delivered=20)


@pytest.fixture
def published_of(driven: Callable[..., Driven]) -> Callable[..., list[Any]]:
    """Give what is published of one thing that a feed tells of itself."""

    def publish(told: FeedGap | FeedEnded, *, is_recorded: bool) -> list[Any]:
        runtime, connection = driven(), Connection()
        arguments = {
            "connect": lambda: connection,
            "kept": PublisherKept(),
            "feed": runtime.address(ActorPath("feed")),
            "metrics": runtime.address(ActorPath("metrics")),
            "is_recorded": is_recorded,
        }
        cell = runtime.populate(ActorPath("publisher"), PublisherActor, arguments)
        assert not runtime.start(cell).problem
        runtime.address(cell.path).tell(told)
        runtime.run_until_idle()
        return connection.published

    return publish


def test_only_a_live_feeds_gap_is_published(published_of: Callable[..., list[Any]]) -> None:
    assert published_of(GAP, is_recorded=True) == []
    assert published_of(GAP, is_recorded=False) == [GAP]


def test_only_a_recordings_end_is_published(published_of: Callable[..., list[Any]]) -> None:
    """A live one ends with `--max-events`, and all bots ended with it."""
    assert published_of(END, is_recorded=True) == [END]
    assert published_of(END, is_recorded=False) == []
