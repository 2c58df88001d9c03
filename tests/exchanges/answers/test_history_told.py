"""The history before a live feed begins, as it is made of what exchanges answer."""

import asyncio
from random import Random
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.feed_candles import FeedCandles
from exchanges.feed_settings import FeedItem
from exchanges.source import SourceStats
from messages.ids import NS_PER_MS
from messages.market import FeedHistory
from tests.exchanges.answers.answering import answering
from tests.exchanges.answers.test_candles_told import BEGUN_MS, MINUTE_MS, PATHS, rows_of
from tests.exchanges.feed_run import LAZY, request
from tests.exchanges.test_request_shapes import BTC

pytestmark = pytest.mark.slow

NOW_MS = BEGUN_MS + 10_000
GATE_KEEPS = 10_000
TOO_LONG_AGO = {
    "label": "INVALID_PARAM_VALUE",
    "message": "Candlestick too long ago. Maximum 10000 points recently are allowed",
}


def history_of(client: Any, wanted: int) -> FeedHistory:
    """Begin to follow a market; give what is told as its history."""
    told: list[FeedItem] = []
    client.milliseconds = lambda: NOW_MS
    client.seconds = lambda: NOW_MS // 1000
    asked = request(history=wanted)
    candles = FeedCandles(BTC, asked, LAZY, SourceStats(), None, lambda: 0)
    candles.tell = told.append

    async def begin() -> None:
        await candles.backfill(client, lambda: NOW_MS * NS_PER_MS)
        await client.close()

    asyncio.run(begin())
    (history,) = told
    assert isinstance(history, FeedHistory)
    return history


def minutes_of(history: FeedHistory) -> list[int]:
    """Give how many minutes before the one at work each candle opened."""
    return [(BEGUN_MS - one.ts_open_ns // NS_PER_MS) // MINUTE_MS for one in history.candles]


@pytest.mark.parametrize("exchange", PATHS)
@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.05])
def test_a_quiet_markets_history_is_as_long_as_was_asked_for(exchange: str, share: float) -> None:
    chance = Random(7)
    ago = [minutes for minutes in range(20_000, 0, -1) if chance.random() < share]
    opens_ms = [BEGUN_MS - minutes * MINUTE_MS for minutes in ago]
    answer = (200, lambda query: rows_of(exchange, opens_ms, query))
    client = answering(exchange, {PATHS[exchange]: answer})
    client.options |= {"uta": False, "hf": True}

    history = history_of(client, 200)

    assert minutes_of(history) == ago[-200:]
    assert history.missing == 0


@pytest.mark.parametrize("wanted", [5_000, 12_059])
def test_what_gate_does_not_tell_any_more_is_missing_and_the_rest_is_told(wanted: int) -> None:
    """It tells the newest 10,000 candles, and refuses a page that begins before them."""
    opens_ms = [BEGUN_MS - minutes * MINUTE_MS for minutes in range(20_000, -1, -1)]

    def answer(query: dict[str, str]) -> Any:
        oldest_ms = BEGUN_MS - GATE_KEEPS * MINUTE_MS
        is_too_old = int(query.get("from", 10**12)) < oldest_ms // 1000
        return TOO_LONG_AGO if is_too_old else rows_of("gate", opens_ms, query)

    history = history_of(answering("gate", {PATHS["gate"]: (200, answer)}), wanted)

    told = len(history.candles)
    assert minutes_of(history) == [*range(told, 0, -1)]
    assert told == wanted or GATE_KEEPS - 500 < told <= GATE_KEEPS
    assert history.missing == wanted - told
