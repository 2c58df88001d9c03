"""One symbol of a live feed, without a connection: what is made of the trades that it takes."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")

from exchanges.feed_candles import FeedCandles
from exchanges.feed_line import Line
from exchanges.feed_settings import Channel
from exchanges.source import SourceStats
from messages.ids import NS_PER_MS, NS_PER_S, Symbol
from tests.exchanges.feed_run import LAZY, request

BTC = Symbol("BTC/USDT")
DAY_NS = 86_400 * NS_PER_S


def november_ns(day: int) -> int:
    """The 26th was a Thursday."""
    return int(datetime(2026, 11, day, tzinfo=UTC).timestamp()) * NS_PER_S


NOW_NS = november_ns(20)
A_YEAR_MS = 365 * DAY_NS // NS_PER_MS


def minute(number: int, volume: int = 1) -> list[int]:
    return [NOW_NS // NS_PER_MS + number * 60_000, 100, 110, 90, 105, volume]


def a_line() -> tuple[FeedCandles, Line, SourceStats]:
    """As after history that ends now."""
    asked, stats = request(), SourceStats()
    candles = FeedCandles(BTC, asked, LAZY, stats, NOW_NS, lambda: 0)
    return candles, Line(candles, asked, stats, lambda: 0), stats


def test_a_candle_a_year_ahead_is_no_reason_to_think_that_others_are_over() -> None:
    candles, line, stats = a_line()
    line.take_bars([minute(0)], NOW_NS)

    line.take_bars([[minute(1)[0] + A_YEAR_MS, *minute(1)[1:]]], NOW_NS)
    line.take_bars([minute(0, volume=2)], NOW_NS)

    assert not candles.builder.is_due(NOW_NS)
    assert stats.malformed == 1
    assert "far ahead of its market" in stats.problems[-1]
    line.take_bars([minute(1)], NOW_NS)
    assert candles.builder.is_due(NOW_NS)


class Answering:
    """A client whose every answer is one and the same."""

    def __init__(self, rows: list[list[int]]) -> None:
        self.rows = rows

    async def fetch_ohlcv(self, *_: object) -> list[list[int]]:
        return self.rows


class Newest(Answering):
    """One that gives as many of the newest as it is asked for."""

    async def fetch_ohlcv(self, *asked: Any) -> list[list[int]]:
        return self.rows[-asked[3] :]


@pytest.mark.parametrize("length", [3, 10, 500])
@pytest.mark.parametrize("odd", [0, -1])
def test_of_a_first_answer_what_is_a_year_ahead_of_most_is_not_believed(
    length: int, odd: int
) -> None:
    rows = [minute(number - length) for number in range(length)]
    rows[odd][0] += A_YEAR_MS
    stats = SourceStats()
    candles = FeedCandles(BTC, request(), LAZY, stats, None, lambda: 0)

    bars = asyncio.run(candles.bars(Answering(rows), None, length))

    assert len(bars) == length - 1
    assert stats.malformed == 1


def test_a_first_answer_with_a_gap_of_years_is_believed_as_far_as_the_exchanges_clock() -> None:
    rows = [minute(number - 10) for number in range(10)]
    for row in rows[:8]:
        row[0] -= 3 * A_YEAR_MS
    stats = SourceStats()
    candles = FeedCandles(BTC, request(), LAZY, stats, None, lambda: 0)

    async def begin() -> None:
        await candles.backfill(Answering(rows), lambda: NOW_NS)

    asyncio.run(begin())

    assert stats.malformed == 0
    assert candles.builder.next_open_ns == minute(-1)[0] * NS_PER_MS  # not over for the grace


def test_nor_is_a_trade() -> None:
    candles, line, stats = a_line()
    rows = [
        {"id": str(number), "timestamp": minute(0)[0] + later_ms, "price": 100, "amount": 1}
        for number, later_ms in enumerate((1_000, A_YEAR_MS, 2_000))
    ]

    line.take_trades(rows, NOW_NS)

    assert not candles.builder.is_due(NOW_NS)
    assert stats.malformed == 1


@pytest.mark.parametrize("weekday", [19, 16], ids=["Thursday", "Monday"])
def test_weeks_made_of_trades_open_where_the_weeks_of_the_exchanges_history_do(
    weekday: int,
) -> None:
    asked = request(timeframe="1w", timeframe_ns=7 * DAY_NS)
    opens_ns = november_ns(weekday)
    stats = SourceStats()
    candles = FeedCandles(BTC, asked, LAZY, stats, opens_ns, lambda: 0)
    line = Line(candles, asked, stats, lambda: 0)
    moments = [opens_ns - DAY_NS, *(opens_ns + day * DAY_NS for day in range(7))]
    rows = [
        {"id": str(number), "timestamp": at_ns // NS_PER_MS, "price": 100, "amount": 1}
        for number, at_ns in enumerate(moments)
    ]

    line.take_trades(rows, opens_ns)

    week = candles.builder.release(opens_ns + 8 * DAY_NS)
    assert [(int(one.ts_open_ns), one.volume) for one in week] == [(opens_ns, Decimal(7))]


@pytest.mark.parametrize("empty", [1, 2, 7])
def test_a_bar_that_was_traded_is_news_behind_empty_ones_too(empty: int) -> None:
    """However many began since the stream was heard: a dead stream is not a quiet market."""
    now_ns, asked, stats = [0], request(), SourceStats()
    candles = FeedCandles(BTC, asked, LAZY, stats, NOW_NS, lambda: now_ns[0])
    line = Line(candles, asked, stats, lambda: now_ns[0])
    line.take_bars([minute(0)], NOW_NS)
    now_ns[0] = empty * asked.timeframe_ns
    quiet = [minute(0), *(minute(number, volume=0) for number in range(1, 1 + empty))]
    traded = [minute(0), minute(1), *(minute(2 + number, volume=0) for number in range(empty))]

    def news_of(rows: list[list[int]]) -> str:
        asking = line.is_behind(Newest(rows), "kraken", Channel.CANDLES)
        return asyncio.run(asking)

    assert news_of(quiet) == ""
    assert news_of(traded) == "a newer candle of BTC/USDT"
