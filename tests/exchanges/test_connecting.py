"""A network that lets REST through and no web socket: what the feed and the order stream say."""

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_watch import StreamSettings
from exchanges.facts import StreamPhase, StreamState
from exchanges.feed_settings import FeedSettings
from exchanges.local.server import RunningExchange, running_exchange
from messages.market import FeedPhase
from tests.exchanges.feed_run import following, public_config
from tests.exchanges.live import desk
from tests.exchanges.test_ccxt_watch import Watcher

pytestmark = pytest.mark.slow

TOLD = " did not connect within 0.3 s: check that the network and the proxy let web sockets through"


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=0) as run:
        yield run


@pytest.fixture
def hole() -> Iterator[str]:
    """A host that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def into(hole: str, urls: Any) -> Any:
    """Lead the addresses of web sockets there, and no others."""
    if isinstance(urls, dict):
        return {name: into(hole, inner) for name, inner in urls.items()}
    return urls.replace(urlsplit(urls).netloc, hole) if urls.startswith("ws") else urls


def test_a_feed_says_what_to_check(run: RunningExchange, hole: str) -> None:
    config = public_config(run)
    config["urls"] = into(hole, config["urls"])

    with following(config, FeedSettings(connect_ms=300, backoff_ms=20)) as feed:
        feed.start()
        feed.until_phase(FeedPhase.BACKOFF)
        reason = next(one.reason for one in feed.states() if one.phase is FeedPhase.BACKOFF)

    assert reason == f"the streams{TOLD}"


def test_the_accounts_stream_says_what_to_check(run: RunningExchange, hole: str) -> None:
    config = run.ccxt_config()
    config["urls"] = into(hole, config["urls"])
    quick = StreamSettings(compare_every_ms=60_000, backoff_ms=20, connect_ms=300)

    with desk(config, stream=quick) as opened:
        opened.call(opened.venue.open())
        watcher = Watcher(opened)
        watcher.until_phase(StreamPhase.BACKOFF)
        states = [one for one in watcher.told if isinstance(one, StreamState)]
        watcher.stop()

    reason = next(one.reason for one in states if one.phase is StreamPhase.BACKOFF)
    assert reason == f"the stream of orders{TOLD}"
