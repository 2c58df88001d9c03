"""Old candles of one symbol through ccxt, page after page, however often it takes."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

import msgspec

from exchanges.backoff import backoff_ms
from exchanges.candle_builder import Bar
from exchanges.ccxt_asking import asking
from exchanges.ccxt_client import close_client, open_client
from exchanges.ccxt_feed_gate import pass_feed_gate
from exchanges.ccxt_market_rows import bars_of
from exchanges.ccxt_settings import CcxtSettings
from exchanges.feed_settings import FeedRequest
from exchanges.rate_budget import RateBudget, Urgency
from exchanges.source import SourceStats
from exchanges.times import parse_timeframe
from messages.errors import OutcomeUnknown
from messages.ids import NS_PER_MS, ActorPath, Symbol

USUAL_PAGE = 100
"""No exchange is known to give less; more is asked for where ccxt knows how many there may be."""
_SETTLE_MS = 1_000
"""How long after its end a candle still counts as open: the exchange may be working on it."""

_UNKNOWN_MS = 60_000
"""The same where the exchange tells no time, and this clock may be ahead of it."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How often a page is asked for, and the pauses between: doubling, half of each by chance."""

    tries: int = 8
    backoff_ms: int = 500
    backoff_max_ms: int = 30_000


class CcxtHistory:
    """Every coroutine must run on one and the same loop. `rng` spreads what is asked again."""

    def __init__(
        self,
        settings: CcxtSettings,
        symbol: Symbol,
        timeframe: str,
        *,
        rng: Random,
        patience: Patience | None = None,
        utc_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.stats = SourceStats()
        """What is counted of rows that could not be read."""
        self.retries = 0
        """How many questions had to be asked again."""
        self.page_size = USUAL_PAGE
        """How many candles a page has at most, once it is open."""
        self._settings, self._symbol, self._timeframe = settings, symbol, timeframe
        self._rng, self._patience = rng, patience or Patience()
        self._utc_ns, self._monotonic_ns = utc_ns, monotonic_ns
        self._client: Any = None
        self._ahead_ms = _UNKNOWN_MS

    async def open(self) -> None:
        """Make the client, list the markets, and measure the exchange's clock.

        Raises:
            VenueRefused: one sentence that says what is missing or wrong and what to do.
        """
        request = FeedRequest(
            path=ActorPath("history"),
            symbols=(self._symbol,),
            timeframe=self._timeframe,
            timeframe_ns=parse_timeframe(self._timeframe),
        )
        self._client = open_client(self._settings, None, RateBudget())
        facts = await pass_feed_gate(
            self._client, self._settings.exchange, request, self._utc_ns, self._monotonic_ns
        )
        self.page_size = page_size(self._client, self._symbol)
        self._ahead_ms = _UNKNOWN_MS if facts.skew_ms is None else _SETTLE_MS - facts.skew_ms

    @property
    def over_ms(self) -> int:
        """Every candle that ended by this moment is over, by the exchange's clock."""
        return self._utc_ns() // NS_PER_MS - self._ahead_ms

    async def page(self, since_ms: int, count: int) -> list[Bar]:
        """Give at most about `count` candles that open at `since_ms` or later, oldest first.

        The last one may not be over. None at all means that none opens within that many lengths.

        Raises:
            OutcomeUnknown: it was asked again and again, and there was no answer.
        """
        least_ms, most_ms = self._patience.backoff_ms, self._patience.backoff_max_ms
        for attempt in range(1, self._patience.tries):
            try:
                return await self._ask(since_ms, count)
            except OutcomeUnknown:
                self.retries += 1
                # What the exchange said of when to come back is kept by the rate budget.
                await asyncio.sleep(backoff_ms(attempt, least_ms, most_ms, self._rng) / 1000)
        return await self._ask(since_ms, count)

    async def close(self) -> None:
        """Let go of all connections."""
        client, self._client = self._client, None
        if client is not None:
            await close_client(client)

    async def _ask(self, since_ms: int, count: int) -> list[Bar]:
        with asking("give candles", lambda *_: None, is_signed=False, urgency=Urgency.DATA):
            rows = await self._client.fetch_ohlcv(self._symbol, self._timeframe, since_ms, count)
        return page_of(rows, since_ms, self.stats)


def page_of(rows: Iterable[Sequence[Any]], since_ms: int, stats: SourceStats) -> list[Bar]:
    """Give the candles of an answer that were asked for, oldest first; some give earlier ones."""
    bars = sorted(bars_of(rows, stats), key=lambda bar: bar.open_ns)
    return [bar for bar in bars if bar.open_ns >= since_ms * NS_PER_MS]


def page_size(client: Any, symbol: Symbol) -> int:
    """Give how many candles of a symbol one answer may hold: on spot and swaps not the same.

    It matters: some answer for as many candles' length from the start and no further, so that a
    longer step after an empty page would leave out what is there.
    """
    told = client.feature_value(symbol, "fetchOHLCV", "limit")
    return told if isinstance(told, int) and told > 0 else USUAL_PAGE
