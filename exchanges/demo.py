"""A generated market for demos: seeded, and the same on every machine and Python version.

Only `random.Random.random`, whose sequence Python promises to keep, and arithmetic that IEEE
754 defines are used; prices are whole ticks. It wanders through regimes (trends, ranges,
volatile times), with bursts of volume and with bars left out, as real recordings have.
"""

import zlib
from collections.abc import Iterator
from decimal import Decimal
from random import Random

from exchanges.source import GapSpan, SourceStats
from messages.ids import MINUTE_NS, NS_PER_S, Symbol, TimestampNs, base_of
from messages.market import Candle

START_NS = TimestampNs(1_704_067_200 * NS_PER_S)
"""2024-01-01 00:00 UTC."""

DEFAULT_SEED = 13
"""Chosen because a 5/15 average crossing on BTC/USDT buys within the first forty candles."""

_START_TICKS = {"BTC": 60_000_00, "ETH": 3_000_00}
_OTHER_START_TICKS = 100_00
_LOWEST_TICKS = 100

# Drift and volatility of one bar, as fractions of the price.
_REGIMES = (
    (0.0004, 0.0006),
    (-0.0004, 0.0006),
    (0.0, 0.0004),
    (0.0, 0.0018),
)
_RANGE = 2
_REGIME_ENDS = 1 / 90
_GAP_BEGINS = 1 / 600
_BURST_BEGINS = 1 / 300
_LONGEST_GAP = 10
_LONGEST_BURST = 20


class DemoSource:
    """One-minute candles without end, or `limit` of them. Every symbol has a market of its own."""

    def __init__(
        self,
        symbol: Symbol,
        *,
        seed: int = DEFAULT_SEED,
        start_ns: TimestampNs = START_NS,
        limit: int | None = None,
    ) -> None:
        self._symbol = symbol
        self._seed = seed
        self._start_ns = start_ns
        self._limit = limit
        self._stats = SourceStats()

    @property
    def stats(self) -> SourceStats:
        """What was generated so far; there is nothing malformed in it, but there are gaps."""
        return self._stats

    def events(self, start_index: int = 0) -> Iterator[Candle]:
        """Give the candles; those before `start_index` are generated and skipped."""
        market = _Market(self._symbol, self._seed)
        open_ns, index = int(self._start_ns), 0
        while self._limit is None or index < self._limit:
            missing = market.missing_bars() if index else 0
            index += 1
            self._count(index, open_ns, missing)
            open_ns += (missing + 1) * MINUTE_NS
            bar = market.next_bar()
            if index > start_index:
                yield _candle(self._symbol, bar, open_ns - MINUTE_NS)

    def _count(self, number: int, open_ns: int, missing: int) -> None:
        stats = self._stats
        if number <= stats.reached:
            return
        stats.reached = stats.usable = number
        if missing:
            until_ns = open_ns + missing * MINUTE_NS
            stats.note_gap(GapSpan(open_ns, until_ns, missing, self._symbol))


_Bar = tuple[int, int, int, int, int]


class _Market:
    """The state of one generated market; prices in ticks of 0.01."""

    def __init__(self, symbol: Symbol, seed: int) -> None:
        self._random = Random(f"{seed}:{zlib.crc32(symbol.encode())}").random  # noqa: S311 - prices and faults, not secrets
        self._price = _START_TICKS.get(base_of(symbol), _OTHER_START_TICKS)
        self._anchor = self._price
        self._regime = _RANGE
        self._burst_left = 0

    def missing_bars(self) -> int:
        if self._random() >= _GAP_BEGINS:
            return 0
        return 1 + int(self._random() * _LONGEST_GAP)

    def next_bar(self) -> _Bar:
        """Give open, high, low, close in ticks, and volume in units of 0.00001."""
        self._turn()
        opened = self._price
        drift, volatility = _REGIMES[self._regime]
        if self._regime == _RANGE:
            drift = (self._anchor - opened) / opened * 0.05
        if self._burst_left:
            self._burst_left -= 1
            volatility *= 3
        closed = self._moved(opened, drift + volatility * self._noise())
        high = self._moved(max(opened, closed), volatility * 0.5 * self._random())
        low = self._moved(min(opened, closed), -volatility * 0.5 * self._random())
        self._price = closed
        return opened, high, low, closed, self._volume()

    def _turn(self) -> None:
        if self._random() < _REGIME_ENDS:
            self._regime = int(self._random() * len(_REGIMES))
            self._anchor = self._price
        if not self._burst_left and self._random() < _BURST_BEGINS:
            self._burst_left = 5 + int(self._random() * (_LONGEST_BURST - 5))

    def _volume(self) -> int:
        calm = 200_000 + int(self._random() * 1_800_000)
        return calm * 6 if self._burst_left else calm

    def _moved(self, ticks: int, change: float) -> int:
        return max(_LOWEST_TICKS, ticks + round(ticks * change))

    def _noise(self) -> float:
        """Give nearly normal noise, mean 0 and variance 1: each uniform has a variance of 1/12."""
        return 2 * (self._random() + self._random() + self._random() - 1.5)


def _candle(symbol: Symbol, bar: _Bar, open_ns: int) -> Candle:
    opened, high, low, closed, volume = bar
    return Candle(
        symbol=symbol,
        open=_price(opened),
        high=_price(high),
        low=_price(low),
        close=_price(closed),
        volume=Decimal(volume).scaleb(-5),
        ts_open_ns=TimestampNs(open_ns),
        ts_event_ns=TimestampNs(open_ns + MINUTE_NS),
    )


def _price(ticks: int) -> Decimal:
    return Decimal(ticks).scaleb(-2)
