"""Each gap of a recording is told once, with its symbol and the line after it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.address import Address
from actors.market_feed import FeedKept, FeedMemory, MarketFeedActor
from decisions.market_feed import FlowControl
from exchanges.merge import MergedSource
from exchanges.replay import ReplaySource
from messages.ids import NS_PER_S, ActorPath, Symbol
from messages.market import FeedGap
from tests.actors.hand_runtime import Driven
from tests.actors.test_feed_rhythm import Listener

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")


def recorded(path: Path, minutes: list[int]) -> Path:
    rows = [f"{1_704_067_200 + minute * 60},100,110,90,105,7\n" for minute in minutes]
    path.write_text("".join(rows))
    return path


def told(runtime: Driven, source: MergedSource, window: int) -> list[FeedGap]:
    """Show all of it, a report after every event, in virtual time."""
    heard: list[Any] = []
    feed = runtime.address(ActorPath("feed"))
    follower: Address[Any] = runtime.address(ActorPath("follower"))
    for path in ("metrics", "follower"):
        arguments = {"heard": heard, "feed": feed, "acks": path == "follower"}
        assert not runtime.start(runtime.populate(ActorPath(path), Listener, arguments)).problem
    arguments = {
        "open_source": lambda: source,
        "followers": [follower],
        "kept": FeedKept(FeedMemory(flow=FlowControl([follower.path], window))),
        "metrics": runtime.address(ActorPath("metrics")),
        "speed": 1.0,
    }
    cell = runtime.populate(ActorPath("feed"), MarketFeedActor, arguments)
    assert not runtime.start(cell).problem
    runtime.run_for(40 * 60 * NS_PER_S)
    return [one for one in heard if isinstance(one, FeedGap)]


def test_a_gap_is_told_once_also_where_two_markets_are_one(
    tmp_path: Path, driven: Callable[..., Driven]
) -> None:
    bitcoin = recorded(tmp_path / "btc.csv", [0, 1, 5, 6, 9, 20])
    ether = recorded(tmp_path / "eth.csv", [0, 3, 4, 8, 20])
    source = MergedSource([ReplaySource(bitcoin, BTC), ReplaySource(ether, ETH)])

    gaps = told(driven(), source, window=4)

    found = sorted((one.symbol, one.place, one.missing) for one in gaps)
    assert found == [
        (BTC, "btc.csv:3", 3),
        (BTC, "btc.csv:5", 2),
        (BTC, "btc.csv:6", 10),
        (ETH, "eth.csv:2", 2),
        (ETH, "eth.csv:4", 3),
        (ETH, "eth.csv:5", 11),
    ]
