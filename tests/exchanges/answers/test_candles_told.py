"""A market without a bar for longer than one answer reaches, and the bars after that."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.feed_candles import FeedCandles
from exchanges.feed_settings import FeedItem
from exchanges.source import SourceStats
from messages.ids import NS_PER_MS, NS_PER_S
from messages.market import Candle, FeedGap
from tests.exchanges.answers.answering import answering
from tests.exchanges.feed_run import LAZY, request
from tests.exchanges.test_request_shapes import BTC

pytestmark = pytest.mark.slow

MINUTE_MS = 60_000
BEGUN_MS = 1_700_000_040_000 // MINUTE_MS * MINUTE_MS
Query = dict[str, str]
Opens = list[int]

PATHS = {
    "okx": "candles",
    "kucoin": "/market/candles",
    "bitget": "/market/candles",
    "gate": "/candlesticks",
    "mexc": "/klines",
}


def rows_of(exchange: str, opens_ms: Opens, query: Query) -> Any:
    """Give what the exchange answers, of bars that opened at these moments."""
    if exchange == "okx":
        after, before = int(query.get("after", 10**15)), int(query.get("before", 0))
        told = [at for at in opens_ms if before < at < after][::-1][: int(query["limit"])]
        return {"code": "0", "data": [[str(at), *"11111111"] for at in told]}
    if exchange == "kucoin":
        begin, end = int(query["startAt"]), int(query["endAt"])
        told = [at // 1000 for at in opens_ms if begin <= at // 1000 < end]
        return {"code": "200000", "data": [[str(at), *"111111"] for at in told[::-1]]}
    if exchange == "gate":
        begin, end = int(query.get("from", 0)), int(query.get("to", 10**12))
        told = [at // 1000 for at in opens_ms if begin <= at // 1000 <= end]
        return [[str(at), *"1111111"] for at in told[-int(query.get("limit", 1000)) :]]
    begin, end = int(query.get("startTime", 0)), int(query.get("endTime", 10**15))
    told = [at for at in opens_ms if begin <= at < end][-int(query["limit"]) :]
    rows: list[Any] = [[at if exchange == "mexc" else str(at), *"1111111"] for at in told]
    return rows if exchange == "mexc" else {"code": "00000", "data": rows}


class Market:
    """One market at an exchange, whose bars come by REST alone, and what follows it."""

    def __init__(self, exchange: str, traded: Iterable[int]) -> None:
        self.exchange = exchange
        self.opens_ms = [BEGUN_MS + minute * MINUTE_MS for minute in sorted(traded)]
        self.minute = 0
        self.questions = 0
        self.shows: Callable[[Query, Opens], Opens] = lambda _query, opens_ms: opens_ms
        """What of the bars that are there the exchange shows."""
        self.told: list[FeedItem] = []
        self.client = answering(exchange, {PATHS[exchange]: (200, self._answer)})
        self.client.options |= {"uta": False, "hf": True}
        self.client.milliseconds = lambda: self.now_ms
        self.client.seconds = lambda: self.now_ms // 1000
        next_ns = BEGUN_MS * NS_PER_MS
        self.following = FeedCandles(BTC, request(), LAZY, SourceStats(), next_ns, self._clock)
        self.following.tell = self.told.append

    def _clock(self) -> int:
        return self.now_ms * NS_PER_MS

    @property
    def now_ms(self) -> int:
        return BEGUN_MS + self.minute * MINUTE_MS + 10_000

    def _answer(self, query: Query) -> Any:
        self.questions += 1
        there = [at for at in self.opens_ms if at <= self.now_ms]
        return rows_of(self.exchange, self.shows(query, there), query)

    def at(self, *minutes: int) -> "Market":
        """Have a turn of the feed at each of these minutes."""

        async def turns() -> None:
            for self.minute in minutes:
                await self.following.catch_up(self.client, self._clock)
            await self.client.close()

        asyncio.run(turns())
        return self

    @property
    def candles(self) -> list[int]:
        """The minutes whose candles were told."""
        opens_ns = [one.ts_open_ns for one in self.told if isinstance(one, Candle)]
        return [(at - BEGUN_MS * NS_PER_MS) // (60 * NS_PER_S) for at in opens_ns]

    @property
    def missing(self) -> list[int]:
        """How many candles each gap was told to leave out."""
        return [one.missing for one in self.told if isinstance(one, FeedGap)]


each_exchange = pytest.mark.parametrize("exchange", PATHS)


@each_exchange
@pytest.mark.parametrize("hole", [50, 350, 1_200])
def test_a_market_goes_on_after_a_hole_however_long_it_was(exchange: str, hole: int) -> None:
    market = Market(exchange, range(hole, hole + 5)).at(hole + 4)

    assert market.candles == [*range(hole, hole + 4)]
    assert market.missing == [hole]


@each_exchange
def test_a_bar_between_two_holes_is_told(exchange: str) -> None:
    market = Market(exchange, [0, 650, 1_300, 1_301]).at(1_301, 1_301, 1_301)

    assert market.candles == [0, 650, 1_300]
    assert market.missing == [649, 649]


@each_exchange
def test_a_market_that_stands_still_is_asked_for_little_and_waited_for(exchange: str) -> None:
    market = Market(exchange, [1_500, 1_501]).at(1_400)

    assert market.questions == 2
    assert market.told == []
    assert market.at(1_501).candles == [1_500]


def test_a_hole_that_is_longer_than_a_turns_questions_is_crossed_in_the_next_turns() -> None:
    market = Market("okx", range(15_000, 15_003)).at(15_002)

    assert market.questions < 25
    assert market.told == []
    assert market.at(15_002, 15_002).candles == [15_000, 15_001]
    assert market.missing == [15_000]


def test_what_an_answer_left_out_by_mistake_is_asked_for_before_it_is_passed_over() -> None:
    market = Market("okx", range(700))
    shown: list[Query] = []

    def forgets_once(query: Query, opens_ms: Opens) -> Opens:
        shown.append(query)
        return opens_ms if len(shown) > 1 else []

    market.shows = forgets_once

    assert market.at(700, 700, 700).candles == [*range(700)]
    assert market.missing == []


def test_what_an_exchange_does_not_show_yet_is_not_passed_over() -> None:
    market = Market("okx", range(310))
    market.shows = lambda _query, _opens_ms: []

    assert market.at(310, 310).told == []

    market.shows = lambda _query, opens_ms: opens_ms
    assert market.at(310, 310).candles == [*range(310)]
