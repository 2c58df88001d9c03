"""A live feed that runs before anybody may act on it, and is then handed on without a break.

Who stands by for an account follows its market: what closed meanwhile is history to whoever takes
the feed over, as it is to one that has just connected.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from exchanges.feed_connection import FeedConnection, LiveFeed, Tell
from exchanges.feed_settings import FeedItem
from messages.errors import VenueRefused
from messages.ids import NS_PER_MS, ActorPath, Symbol
from messages.market import Candle, FeedGap, FeedHistory, FeedPhase, FeedState, Tick

_GAPS = 64
_NEWS = 100_000


class WarmFeed(FeedConnection):
    """`warm` begins to follow; `run`, once, hands on what was kept and all that comes after.

    It keeps the last `keeps` candles of each symbol, the last tick, and the gaps among them;
    trades it does not keep, for a feed that has just connected has none either.
    """

    def __init__(
        self,
        make: Callable[[], LiveFeed],
        path: ActorPath,
        on_error: Callable[[str], object] = lambda _: None,
        *,
        keeps: int,
    ) -> None:
        self._lock = threading.Lock()
        self._keeps = keeps
        self._candles: dict[Symbol, deque[Candle]] = {}
        self._ticks: dict[Symbol, Tick] = {}
        self._gaps: deque[FeedGap] = deque(maxlen=_GAPS)
        self._state: FeedState | None = None
        self._closed_ns: dict[Symbol, int] = {}
        self._heir: Tell | None = None
        self._place = 0
        self._news: deque[Candle] = deque(maxlen=_NEWS)
        super().__init__(make, path, on_error)

    def warm(self) -> None:
        """Begin to follow, for whoever takes it over."""
        super().run(self._take, {})

    def run(
        self,
        tell: Tell,
        since_ns: Mapping[Symbol, int],
        place: int = 0,
        traded_ns: Mapping[Symbol, int] | None = None,
    ) -> None:
        """Tell all that was kept, as history, and from now on what comes."""
        del since_ns, place, traded_ns  # of a feed that told nobody anything
        with self._lock:  # so that nothing overtakes what was kept
            kept, at, self._place = list(self._kept()), self._place, 0
            for item in kept[:-1]:  # whoever has not had the last of it has nothing yet
                tell(item)
            self._place = at
            for item in kept[-1:]:
                tell(item)
            self._heir = tell
            self._candles, self._ticks = {}, {}
            self._news.clear()

    @property
    def place(self) -> int:
        """Where the source has what is told now; 0 where it can't go on from a place."""
        return self._place

    @property
    def phase(self) -> FeedPhase:
        """How far it can be relied on now; from any thread, as all that follows."""
        state = self._state
        return FeedPhase.CONNECTING if state is None else state.phase

    @property
    def problem(self) -> str:
        """Why it is not live, where that is known."""
        state = self._state
        return "" if state is None else state.reason

    def has_history(self, symbols: tuple[Symbol, ...]) -> bool:
        """Whether of each symbol the candles before now have been told."""
        return self._candles.keys() >= set(symbols)

    def behind(self, utc_ns: int, timeframe_ns: int) -> int:
        """Count the bars that are over by the exchange's clock and not here: of the slowest."""
        with self._lock:
            skew_ns = ((self._state and self._state.skew_ms) or 0) * NS_PER_MS
            closed = list(self._closed_ns.values())
        return max((max(0, utc_ns + skew_ns - at) // timeframe_ns for at in closed), default=0)

    def news(self) -> list[Candle]:
        """Give, once, the candles that were kept since this was called last, as they came."""
        with self._lock:
            news = list(self._news)
            self._news.clear()
            return news

    def listing(self, limit_s: float) -> list[dict[str, Any]]:
        """Ask what the exchange lists now, in ccxt's words; the feed itself goes on as it is.

        Raises:
            TimeoutError: it took too long.
            VenueRefused: it does not tell.
        """
        ask = getattr(self._feed, "listing", None)
        if ask is None:
            raise VenueRefused("a market that another process publishes lists nothing")
        rows: list[dict[str, Any]] = self._loop.submit(ask()).result(limit_s)
        return rows

    # ------------------------------------------------------------ on the feed's own thread

    def _take(self, item: FeedItem) -> None:
        with self._lock:
            self._place = getattr(self._feed, "place", 0)
            if isinstance(item, FeedState):
                self._state = item
            if self._heir is not None:
                self._heir(item)
                return
            match item:
                case FeedHistory():
                    self._candles[item.symbol] = deque(item.candles, maxlen=self._keeps)
                    self._closed(item.symbol, item.candles)
                case Candle():
                    self._candles.setdefault(item.symbol, deque(maxlen=self._keeps)).append(item)
                    self._closed(item.symbol, (item,))
                case Tick():
                    self._ticks[item.symbol] = item
                case FeedGap():
                    self._gaps.append(item)

    def _closed(self, symbol: Symbol, candles: tuple[Candle, ...]) -> None:
        if candles:
            self._news.extend(candles)
            self._closed_ns[symbol] = candles[-1].ts_event_ns

    def _kept(self) -> Iterator[FeedItem]:
        for symbol, candles in self._candles.items():
            yield FeedHistory(symbol=symbol, candles=tuple(candles))
        for gap in self._gaps:
            held = self._candles.get(gap.symbol)
            if held and gap.ts_to_ns > held[0].ts_open_ns:
                yield gap
        if self.phase is FeedPhase.LIVE:
            yield from self._ticks.values()
        if self._state is not None:
            yield self._state
