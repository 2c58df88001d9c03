"""A history before now is as long as was asked for, wherever the exchange has and tells so much."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from ccxt.base.errors import (
    BadRequest,
    BadSymbol,
    ExchangeError,
    ExchangeNotAvailable,
    RequestTimeout,
)
from hypothesis import given
from hypothesis import strategies as st

from exchanges.candle_builder import Bar
from exchanges.feed_history import with_older
from messages.ids import NS_PER_S

MINUTE_NS = 60 * NS_PER_S
NOW = 1_000_000
"""The number of the minute at work, from 1970."""
PAGE = 10
ONE = Decimal(1)


def bar(minute: int) -> Bar:
    return Bar(minute * MINUTE_NS, ONE, ONE, ONE, ONE, ONE)


class Exchange:
    """Answers for a page's length from a moment and no further, as KuCoin, OKX and Gate do."""

    def __init__(self, ago: Iterable[int], *, most: int = PAGE) -> None:
        self.minutes = sorted(NOW - minutes for minutes in ago)
        self.most = most
        """How many bars an answer holds."""
        self.questions: list[int] = []
        """How many minutes before now each of them began."""
        self.refuses_at: dict[int, Exception] = {}
        """By which question it is."""
        self.refuses_before, self.refusal = -1, BadRequest("too long ago")

    async def answer(self, since_ns: int, limit: int) -> list[Bar]:
        since = since_ns // MINUTE_NS
        self.questions.append(NOW - since)
        refusal = self.refuses_at.get(len(self.questions))
        if refusal is None and since < self.refuses_before:
            refusal = self.refusal
        if refusal is not None:
            raise refusal
        return [bar(at) for at in self.minutes if since <= at < since + limit][: self.most]

    def history(self, wanted: int) -> tuple[list[int], bool]:
        """Give how long ago the bars of a history opened, and whether there may be more."""
        newest = [bar(at) for at in self.minutes if at >= NOW - PAGE]
        asking = with_older(newest, self.answer, wanted=wanted, page=PAGE, timeframe_ns=MINUTE_NS)
        rows, is_cut = asyncio.run(asking)
        return [NOW - row.open_ns // MINUTE_NS for row in rows], is_cut


@pytest.mark.parametrize("every", [1, 2, 7, 23])
def test_a_quiet_markets_history_is_as_long_as_a_busy_ones(every: int) -> None:
    there = [*range(1, 2_000, every)]

    ago, is_cut = Exchange(there).history(40)

    assert len(ago) >= 40
    assert ago == there[: len(ago)][::-1]
    assert not is_cut


def test_a_hole_of_some_pages_ends_no_history() -> None:
    ago, _ = Exchange([1, 2, *range(50, 90)]).history(40)

    assert ago == [*range(89, 49, -1), 2, 1][-len(ago) :]
    assert len(ago) >= 40


def test_a_market_that_began_not_long_ago_is_asked_for_little_more() -> None:
    exchange = Exchange(range(1, 15))

    assert exchange.history(40) == ([*range(14, 0, -1)], False)
    assert len(exchange.questions) < 10


def test_a_market_with_hardly_a_bar_is_not_asked_for_for_ever() -> None:
    exchange = Exchange(range(1, 100_000, 3 * PAGE))

    ago, is_cut = exchange.history(1_000)

    assert is_cut
    assert 1_000 < len(exchange.questions) < 5_000
    assert len(ago) > 100


def test_shorter_answers_of_old_bars_leave_no_hole() -> None:
    ago, _ = Exchange(range(1, 200), most=3).history(40)

    assert ago == [*range(len(ago), 0, -1)]


def test_a_page_that_is_too_old_for_the_exchange_ends_the_history_and_keeps_what_is_there() -> None:
    exchange = Exchange(range(1, 200))
    exchange.refuses_before = NOW - 45

    ago, is_cut = exchange.history(100)

    assert ago == [*range(40, 0, -1)]
    assert is_cut


@pytest.mark.parametrize("error", [RequestTimeout, ExchangeError, BadSymbol])
def test_another_error_is_no_end_of_a_history(error: type[Exception]) -> None:
    exchange = Exchange(range(1, 200))
    exchange.refuses_at = {3: error("busy")}

    with pytest.raises(error):
        exchange.history(100)


def test_a_refusal_within_a_page_leaves_no_hole() -> None:
    exchange = Exchange(range(1, 200), most=4)
    exchange.refuses_at = {5: BadRequest("no")}  # of the second page's second part

    ago, is_cut = exchange.history(100)

    assert ago == [*range(2 * PAGE, 0, -1)]
    assert is_cut


def test_what_an_exchange_says_of_a_time_before_its_market_began_keeps_it_from_nothing() -> None:
    exchange = Exchange(range(1, 15))
    exchange.refuses_before, exchange.refusal = NOW - 35, ExchangeError("no such time")

    assert exchange.history(40) == ([*range(14, 0, -1)], False)


def test_an_exchange_that_is_away_behind_an_empty_page_is_asked_again() -> None:
    exchange = Exchange(range(1, 15))
    exchange.refuses_before, exchange.refusal = NOW - 35, ExchangeNotAvailable("503")

    with pytest.raises(ExchangeNotAvailable):
        exchange.history(40)


def test_nothing_is_asked_of_before_1970() -> None:
    exchange = Exchange([1])
    asking = with_older(
        [bar(NOW)], exchange.answer, wanted=9, page=NOW // 2, timeframe_ns=MINUTE_NS
    )

    asyncio.run(asking)

    assert max(exchange.questions) < NOW


@given(st.sets(st.integers(1, 400), min_size=1), st.integers(1, 60), st.integers(1, PAGE))
def test_a_history_is_each_bar_once_in_order_and_without_one_left_out(
    there: set[int], wanted: int, most: int
) -> None:
    there |= {1}

    ago, _ = Exchange(there, most=most).history(wanted)

    assert ago == sorted(there, reverse=True)[-len(ago) :]
