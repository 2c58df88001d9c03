"""A live feed's gap is published; a recording's is of its candles, and shows by their times."""

from collections.abc import Callable
from typing import Any

import pytest

from actors.publisher import PublisherActor, PublisherKept
from messages.ids import ActorPath, Symbol, TimestampNs
from messages.market import FeedGap
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


@pytest.mark.parametrize(("is_recorded", "published"), [(True, []), (False, [GAP])])
def test_only_a_live_feeds_gap_is_published(
    driven: Callable[..., Driven], *, is_recorded: bool, published: list[FeedGap]
) -> None:
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

    runtime.address(cell.path).tell(GAP)
    runtime.run_until_idle()

    assert connection.published == published
