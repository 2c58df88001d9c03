"""What a passive process does while it waits for its account: it gets warm, and says how warm.

It has no lease, no key and no gateway: it follows the public market, shows it to strategies whose
decisions nobody is told, and looks at the ledger through a connection that cannot write. All of
it on a thread of its own, so that nothing of it keeps the process from taking the lease.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

import msgspec

from actors.error_text import sentence_of
from actors.log import logger
from exchanges.ccxt_client import import_ccxt
from messages.errors import WatchkeeperError, said_by
from messages.ids import TimestampNs
from messages.market import Candle, FeedPhase, MarketBatch
from ops.config import Config, FeedType, IdempotencyBackend
from ops.run_files import LEDGER
from ops.secret_values import cleaner, secrets_of
from ops.wiring_execution import strategy_alone
from ops.wiring_feeds import path_of_feed
from ops.wiring_strategies import ask_strategies, warmup_of
from persistence.ledger_place import LedgerPlace
from persistence.reader import LedgerReader

if TYPE_CHECKING:
    from decisions.strategy import StrategyRun
    from exchanges.warm_feed import WarmFeed

_MODULES = ("actors.live_gateway", "loguru", "ops.live_venue")
_MODULES_OF_POSTGRES = ("persistence.postgres.ledger", "persistence.postgres.session")
_RAISED = (Exception, SystemExit)
"""What a user's code may raise: anything, and it may call sys.exit."""
_NEAR = 2
"""So many candles may be on their way to one that is warm."""
_LOOK_S = 0.1
_LEDGER_S = 10.0
_LISTING_S = 600.0
_LISTING_LIMIT_S = 30.0
_AGAIN_S, _AGAIN_MAX_S = 1.0, 30.0
_CLOSE_S = 3.0


class Handed(msgspec.Struct, frozen=True):
    """What whoever takes over goes on with. `feed` is then the taker's to close."""

    feed: "WarmFeed | None" = None
    listing: tuple[dict[str, Any], ...] = ()
    """What the exchange lists; empty: to be asked."""


class Warming:
    """Follows until `hand_over` or `close`; what it shows may be asked from any thread."""

    def __init__(self, config: Config, ledger: LedgerPlace | None = None) -> None:
        self._config, self._ledger_at = config, ledger
        self._clean = cleaner(secrets_of(config))  # nobody else has: there is no run yet
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._feed: WarmFeed | None = None
        self._listing: tuple[dict[str, Any], ...] = ()
        self._runs: list[StrategyRun] = []
        self._shown = 0
        self._is_rehearsed = False
        self._ledger: dict[str, Any] = {}
        self._problems: dict[str, str] = {}
        self._due: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="standby", daemon=True)

    def start(self) -> Self:
        """Begin to get warm, once; a market that is no exchange's needs nothing."""
        if self._config.feed.type is FeedType.CCXT and not self._thread.ident:
            self._thread.start()
        return self

    def close(self) -> None:
        """End it; a feed that was not handed over is let go of."""
        feed = self.hand_over().feed
        if feed is not None:
            feed.close(_CLOSE_S)

    def hand_over(self) -> Handed:
        """Give what is warm, and do nothing more; nothing is waited for."""
        self._over.set()
        with self._lock:
            feed, self._feed = self._feed, None
        if feed is None:
            return Handed()
        if feed.phase is FeedPhase.STOPPED or not feed.has_history(self._config.feed.symbols):
            feed.close(0)
            return Handed()
        own = self._config.feed.ccxt or self._config.venue.ccxt
        return Handed(feed, self._listing if own == self._config.venue.ccxt else ())

    def snapshot(self) -> dict[str, Any]:
        """Say how warm it is."""
        feed, timeframe_ns = self._feed, self._config.feed.timeframe_ns
        behind = None if feed is None else feed.behind(time.time_ns(), timeframe_ns)
        is_live = feed is not None and feed.phase is FeedPhase.LIVE
        has_history = feed is not None and feed.has_history(self._config.feed.symbols)
        problems = dict(self._problems)
        if feed is not None:
            problems.pop("market", "")
            if feed.problem:
                problems["market"] = self._clean(feed.problem)
        is_near = behind is not None and behind <= _NEAR
        return {
            "is_warm": is_live and is_near and self._is_rehearsed and bool(self._listing),
            "candles_behind": behind if has_history else None,
            "feed": str(feed.phase) if feed is not None else "connecting",
            "strategies": {str(run.strategy_id): list(run.memory.warmed) for run in self._runs},
            "ledger": self._ledger,
            "problems": problems,
        }

    # ------------------------------------------------------------ on its own thread

    def _run(self) -> None:
        again_s = _AGAIN_S
        while not self._over.is_set():
            try:
                self._step()
                pause_s, again_s = _LOOK_S, _AGAIN_S
                self._problems.pop("standby", None)
            except _RAISED as error:  # whatever it is, the waiting goes on
                self._problem("standby", error)
                pause_s, again_s = again_s, min(2 * again_s, _AGAIN_MAX_S)
            self._over.wait(pause_s)

    def _step(self) -> None:
        feed = self._feed
        if feed is not None and feed.phase is FeedPhase.STOPPED:
            self._lose(feed)
        if self._feed is None:
            _import_all(self._config)
            self._connect()
        if not self._runs:
            self._runs = [strategy_alone(one, self._config) for one in self._config.strategies]
        self._rehearse()
        self._every(_LEDGER_S, "ledger", self._look_at_ledger)
        self._every(_LISTING_S, "listing", self._ask_listing)

    def _connect(self) -> None:
        from ops.live_feed import open_warm  # an exchange's parts

        feed = open_warm(
            self._config,
            path_of_feed(self._config),
            warmup_of(ask_strategies(self._config).values()),
        )
        with self._lock:
            if not self._over.is_set():
                self._feed = feed
                return
        feed.close(_CLOSE_S)

    def _lose(self, feed: "WarmFeed") -> None:
        """Begin anew after a fault of the feed's own."""
        self._problems["market"] = self._clean(feed.problem)
        with self._lock:
            self._feed = None
        feed.close(_CLOSE_S)
        self._runs, self._shown, self._is_rehearsed = [], 0, False

    def _rehearse(self) -> None:
        """Show the strategies what came, as history: what they decide on it is thrown away."""
        feed = self._feed
        if feed is None:
            return
        has_history = feed.has_history(self._config.feed.symbols)
        if news := feed.news():
            self._show(news)
        self._is_rehearsed = has_history

    def _show(self, news: list[Candle]) -> None:
        batch = MarketBatch(
            feed=path_of_feed(self._config),
            first_index=self._shown,
            events=tuple(news),
            is_history=True,
        )
        self._shown += len(news)
        for run in self._runs:
            name = f"strategy {run.strategy_id}"
            try:
                deque(run.take_batch(batch, _now_ns), maxlen=0)  # of history: nothing comes
                self._problems.pop(name, None)
            except _RAISED as error:
                self._problem(name, error)
                run.memory.next_index = self._shown
                with suppress(*_RAISED):  # a fresh one is begun with
                    run.warm_up()

    def _look_at_ledger(self) -> None:
        where = self._ledger_at or self._config.run_dir / LEDGER
        if self._config.idempotency.backend is IdempotencyBackend.MEMORY:
            return
        if self._ledger_at is None and not (self._config.run_dir / LEDGER).exists():
            return
        with LedgerReader(where) as ledger, ledger.one_moment():
            orders = sum(ledger.states().values())
            self._ledger = {"orders": orders, "open": len(ledger.open_keys())}

    def _ask_listing(self) -> None:
        feed = self._feed
        if feed is not None:
            self._listing = tuple(feed.listing(_LISTING_LIMIT_S))

    def _every(self, seconds: float, name: str, act: Callable[[], None]) -> None:
        now = time.monotonic()
        if now < self._due.get(name, 0.0):
            return
        self._due[name] = now + seconds
        try:
            act()
            self._problems.pop(name, None)
        except (WatchkeeperError, TimeoutError) as error:
            self._due[name] = now + min(seconds, _AGAIN_MAX_S)
            self._problem(name, error)

    def _problem(self, name: str, error: BaseException) -> None:
        text = said_by(error)
        if not isinstance(error, WatchkeeperError):
            text = f"{type(error).__name__}: {text}".removesuffix(": ")
        text = sentence_of(text, self._clean)
        if self._problems.get(name) != text:
            logger.warning("standing by: {}: {}", name, text)
        self._problems[name] = text


@contextmanager
def standing_by(config: Config, ledger: LedgerPlace | None) -> Iterator[Warming]:
    """Be able to get warm; a feed that is warm is let go of unless it was handed over."""
    warming = Warming(config, ledger)
    try:
        yield warming
    finally:
        warming.close()


def _now_ns() -> TimestampNs:
    return TimestampNs(time.time_ns())


def _import_all(config: Config) -> None:
    """Import what a takeover would import otherwise: most of a second."""
    is_elsewhere = config.idempotency.backend is IdempotencyBackend.POSTGRES
    for name in _MODULES + (_MODULES_OF_POSTGRES if is_elsewhere else ()):
        import_module(name)
    import_ccxt(config.venue.exchange)
