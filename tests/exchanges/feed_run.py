"""A feed at a local exchange, and everything that it told."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from random import Random
from typing import Any

from exchanges.ccxt_feed import CcxtFeed
from exchanges.ccxt_settings import CcxtSettings
from exchanges.feed_settings import Channel, FeedItem, FeedRequest, FeedSettings
from exchanges.local.server import RunningExchange
from exchanges.venue_loop import VenueLoop
from messages.ids import NS_PER_MS, NS_PER_S, ActorPath, Symbol
from messages.market import Candle, FeedPhase, Tick
from tests.exchanges.live import BTC
from tests.exchanges.told import Told

LIMIT_S = 60.0
MINUTE_NS = 60 * NS_PER_S
SECRETS = ("apiKey", "secret", "password")
LAZY = FeedSettings(quiet_ms=60_000, grace_ms=200, backoff_ms=20, ask_again_ms=20)
QUICK = FeedSettings(quiet_ms=300, grace_ms=150, backoff_ms=20, ask_again_ms=20, poll_ms=100)


def public_config(run: RunningExchange, **changes: Any) -> dict[str, Any]:
    """Lead ccxt to an exchange of this machine, without a key."""
    return {k: v for k, v in run.ccxt_config(**changes).items() if k not in SECRETS}


def request(**changes: Any) -> FeedRequest:
    values: dict[str, Any] = {
        "path": ActorPath("feeds/feed:ccxt"),
        "symbols": (BTC,),
        "timeframe": "1m",
        "timeframe_ns": MINUTE_NS,
    }
    return FeedRequest(**values | changes)


class Following(Told):
    """One feed, the loop it lives on, and what it told."""

    def __init__(self, settings: CcxtSettings, asked: FeedRequest, patience: FeedSettings) -> None:
        super().__init__()
        self.problems: list[str] = []
        self._news = threading.Condition()
        self.loop = VenueLoop("feed-of-a-test", self.problems.append)
        self.loop.start()
        self.clock_ahead_ns = 0
        """By how much the machine's clock is put forward."""
        self.feed = CcxtFeed(
            settings, asked, rng=Random(5), patience=patience, utc_ns=self._machine_ns
        )
        self._run: Future[None] | None = None

    def _machine_ns(self) -> int:
        return time.time_ns() + self.clock_ahead_ns

    def open(self) -> Any:
        return self.loop.submit(self.feed.open()).result(LIMIT_S)

    def start(self, since_ns: dict[Symbol, int] | None = None) -> "Following":
        self._run = self.loop.submit(self.feed.run(self._tell, since_ns))
        return self

    def _tell(self, item: FeedItem) -> None:
        with self._news:
            self.told.append(item)
            self._news.notify_all()

    def until(self, is_so: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(is_so, LIMIT_S), self.states()

    def candles(self, symbol: Symbol = BTC) -> list[Candle]:
        return [x for x in self.told if isinstance(x, Candle) and x.symbol == symbol]

    def ticks(self) -> list[Tick]:
        return [x for x in self.told if isinstance(x, Tick)]

    def stop(self) -> None:
        """End as a process does: whatever it is doing, soon and without a trace."""
        if self._run is None:
            self.loop.submit(self.feed.close()).result(LIMIT_S)
        assert self.loop.close(LIMIT_S)
        if self._run is not None and self.told:
            assert self.phases()[-1] is FeedPhase.STOPPED
        assert not [p for p in self.problems if "never retrieved" not in p], self.problems


@contextmanager
def following(
    config: dict[str, Any], patience: FeedSettings = LAZY, exchange: str = "binance", **asked: Any
) -> Iterator[Following]:
    """Give a feed that is neither open nor started."""
    settings = CcxtSettings(exchange=exchange, timeout_ms=2_000, config=config)
    made = Following(settings, request(**asked), patience)
    try:
        yield made
    finally:
        made.stop()


def klines(run: RunningExchange, first_ns: int, count: int) -> list[tuple[Any, ...]]:
    """Give what the exchange itself has of `count` bars, from the one that opened at a moment."""
    exchange = run.exchange
    with exchange.operation():
        bars = exchange.players[BTC].bars.of("1m")
    found = [bar for bar in bars if bar.open_ms * NS_PER_MS >= first_ns]
    return [(b.open_ms, b.open, b.high, b.low, b.close, b.volume) for b in found[:count]]


def as_klines(candles: list[Candle]) -> list[tuple[Any, ...]]:
    return [(c.ts_open_ns // NS_PER_MS, c.open, c.high, c.low, c.close, c.volume) for c in candles]


def assert_same_as_exchange(run: RunningExchange, candles: list[Candle]) -> None:
    """Every bar once, in order, none missing, each exactly the exchange's."""
    assert as_klines(candles) == klines(run, candles[0].ts_open_ns, len(candles))


ALL_CHANNELS = frozenset(Channel)
