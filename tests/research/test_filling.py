"""What an exchange may answer, and what of it becomes the store: the candles that are over, once.

Pages overlap, are short, long, shuffled, hold rows twice and candles that are not over; the store
has some candles already.
"""

import asyncio
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.candle_builder import Bar
from exchanges.ccxt_history import page_of
from exchanges.source import SourceStats
from research.candle_row import StoredRow
from research.downloading import Downloaded, DownloadOptions, Filler
from research.merging import Merged, in_order, merge
from tests.research.candles import BTC, MINUTE_MS, SERIES, T0_MS, row

SINCE, UNTIL, LAST = 10, 40, 45
"""What is asked for, and what the exchange has at most: the last five are not over."""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What an exchange does to every page."""

    has: frozenset[int]
    page_size: int
    earlier: int
    """So many candles from before the moment that was asked for."""
    shortened: int
    """It gives so many fewer than it was asked for, but one at least."""
    longer: int
    is_bound: bool
    """It answers for as many candles' length as it was asked for and no further."""
    is_doubled: bool
    is_shuffled: bool


class Exchange:
    """Asked as `CcxtHistory` is; what it says is read as that reads it."""

    def __init__(self, answers: Answers) -> None:
        self.page_size = answers.page_size
        self.questions = 0
        self._answers, self._rng = answers, random.Random(3)

    async def page(self, since_ms: int, count: int) -> list[Bar]:
        self.questions += 1
        how, since = self._answers, (since_ms - T0_MS) // MINUTE_MS
        end = since + count if how.is_bound else LAST
        count = max(1, min(count, how.page_size) - how.shortened) + how.longer
        has = [n for n in sorted(how.has) if n < end]
        numbers = [n for n in has if since - how.earlier <= n < since]
        numbers += [n for n in has if n >= since][:count]
        if how.is_doubled:
            numbers *= 2
        if how.is_shuffled:
            self._rng.shuffle(numbers)
        rows: list[Any] = [row(n) if n < UNTIL else row(n, close="100.5") for n in numbers]
        return page_of(rows, since_ms, SourceStats())


class Shelf:
    """A series in memory, merged as on disk."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self.rows: list[StoredRow] = [row(n) for n in sorted(numbers)]

    def times(self) -> Iterator[int]:
        return (one[0] for one in self.rows)

    def add(self, rows: Iterable[StoredRow], *, replace: bool) -> Merged:
        merged = Merged()
        ordered = in_order(rows, merged, replace=replace)
        self.rows = list(merge(self.rows, ordered, merged, replace=replace))
        return merged


def filled(shelf: Shelf, exchange: Exchange) -> Downloaded:
    options = DownloadOptions(exchange="binance", symbol=BTC, since="", root=Path())
    filler = Filler(options, SERIES, exchange, shelf)  # type: ignore[arg-type]  # see their texts
    return asyncio.run(filler.fill((row(SINCE)[0], row(UNTIL)[0])))


answers = st.builds(
    Answers,
    has=st.frozensets(st.integers(0, LAST - 1)),
    page_size=st.integers(1, 20),
    earlier=st.integers(0, 3),
    shortened=st.integers(0, 19),
    longer=st.integers(0, 3),
    is_bound=st.booleans(),
    is_doubled=st.booleans(),
    is_shuffled=st.booleans(),
)


@pytest.mark.slow
@given(how=answers, stored=st.frozensets(st.integers(0, LAST - 1)))
def test_the_store_has_all_that_is_over_once_and_what_it_had(
    how: Answers, stored: frozenset[int]
) -> None:
    shelf, exchange = Shelf(stored), Exchange(how)

    result = filled(shelf, exchange)

    asked = frozenset(range(SINCE, UNTIL))
    assert shelf.rows == [row(n) for n in sorted(stored | (how.has & asked))]
    assert result.wanted == len(asked - stored)
    assert result.merged.added == len((how.has & asked) - stored)
    assert (result.merged.kept, result.malformed, result.stopped) == (0, 0, "")
    assert exchange.questions == result.pages <= result.wanted
