"""Equity after any history: found again, and that of an independent computation."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.portfolio import Portfolio
from decisions.risk import RiskLimits
from decisions.risk_equity import (
    EquityBook,
    QuoteEquity,
    forgive_drawdown,
    reached_limits,
    rebuild_equity,
    record_fill,
    record_mark,
)
from messages.ids import DAY_NS, Symbol, TimestampNs, quote_of
from messages.values import Side
from tests.decisions.risk_orders import BTC, CROSS, DAY_S, ETH, at, fill

Event = tuple[int, str, Symbol, Any]
MOMENTS = st.integers(0, 3 * DAY_S)
SYMBOLS = st.sampled_from([BTC, ETH, CROSS])
PRICES = st.decimals("1", "200", places=2)
FILLS = st.builds(
    lambda side, quantity, price, fee, currency: (side, quantity, price, fee, currency),
    st.sampled_from(Side),
    st.decimals("0.001", "9", places=3),
    PRICES,
    st.decimals("-1", "1", places=2),
    st.sampled_from(["USDT", "BTC", "ETH", "BNB"]),
)
HISTORIES = st.lists(
    st.tuples(MOMENTS, st.just("fill"), SYMBOLS, FILLS)
    | st.tuples(MOMENTS, st.just("mark"), SYMBOLS, PRICES),
    max_size=30,
    unique_by=lambda event: event[0],
)


def show(event: Event, book: EquityBook) -> None:
    second, kind, symbol, what = event
    if kind == "mark":
        record_mark(symbol, what, at(second), book)
    else:
        side, quantity, price, fee, currency = what
        record_fill(symbol, side, fill(quantity, price, second, fee, currency), book)


def rebuilt(history: Sequence[Event], resumed_at: int | None = None) -> EquityBook:
    fills: dict[Symbol, list[Any]] = {}
    marks: dict[Symbol, list[Any]] = {}
    for second, kind, symbol, what in sorted(history):
        if kind == "mark":
            marks.setdefault(symbol, []).append((at(second), what))
        else:
            side, quantity, price, fee, currency = what
            execution = fill(quantity, price, second, fee, currency)
            fills.setdefault(symbol, []).append((side, execution))
    return rebuild_equity(fills, marks, None if resumed_at is None else at(resumed_at))


@pytest.mark.slow
@given(history=HISTORIES, resumes=st.lists(MOMENTS, max_size=3))
def test_a_rebuilt_book_is_the_one_that_lived_through_it(
    history: list[Event], resumes: list[int]
) -> None:
    book = EquityBook()
    timeline = [(e[0], 0, e) for e in history] + [(second, 1, None) for second in resumes]
    for _, _, event in sorted(timeline, key=lambda entry: entry[:2]):
        if event is None:
            forgive_drawdown(book)
        else:
            show(event, book)

    assert rebuilt(history, max(resumes, default=None)) == book


@pytest.mark.slow
@given(history=HISTORIES, cut=st.integers(0, 30))
def test_a_book_that_was_written_down_and_read_back_goes_on_as_if_nothing_had_been(
    history: list[Event], cut: int
) -> None:
    history.sort()
    book = EquityBook()
    for event in history[:cut]:
        show(event, book)
    book = msgspec.json.decode(msgspec.json.encode(book), type=EquityBook)
    for event in history[cut:]:
        show(event, book)

    assert book == rebuilt(history)


@pytest.mark.slow
@given(history=HISTORIES, chance=st.randoms(use_true_random=False))
def test_fills_in_any_order_give_the_same_equity(history: list[Event], chance: Any) -> None:
    fills = [event for event in history if event[1] == "fill"]
    last = [(4 * DAY_S, "mark", symbol, Decimal(77)) for symbol in (BTC, ETH, CROSS)]
    shuffled = list(fills)
    chance.shuffle(shuffled)
    books = [EquityBook(), EquityBook()]
    for book, order in zip(books, (fills, shuffled), strict=True):
        for event in [*order, *last]:
            show(event, book)

    equities = [{q: one.equity for q, one in book.quotes.items()} for book in books]
    assert equities[0] == equities[1]


def naive_path(history: Sequence[Event], quote: str) -> list[tuple[int, Fraction]]:
    """Equity after each event, from all that came before it, in fractions."""
    path = []
    for end in range(1, len(history) + 1):
        worth = Fraction(0)
        for symbol in (s for s in (BTC, ETH, CROSS) if quote_of(s) == quote):
            held, cash, price = Fraction(0), Fraction(0), Fraction(0)
            for _, kind, where, what in history[:end]:
                if where != symbol:
                    continue
                if kind == "mark":
                    price = Fraction(what)
                    continue
                side, quantity, paid, fee, currency = what
                held += side.sign * Fraction(quantity)
                cash -= side.sign * Fraction(quantity) * Fraction(paid)
                held -= Fraction(fee) if currency == symbol.partition("/")[0] else 0
                cash -= Fraction(fee) if currency == quote else 0
                price = Fraction(paid)  # newer than any mark before it: no two are of one moment
            worth += cash + held * price
        path.append((history[end - 1][0], worth))
    return path


@pytest.mark.slow
@given(history=HISTORIES, quote=st.sampled_from(["USDT", "BTC"]))
def test_the_losses_are_those_of_an_independent_computation(
    history: list[Event], quote: str
) -> None:
    history.sort()
    path = [(0, Fraction(0)), *naive_path(history, quote)]
    equities = [equity for _, equity in path]
    deepest = max(max(equities[: end + 1]) - equities[end] for end in range(len(path)))
    today = path[-1][0] // DAY_S
    opening = [equity for second, equity in path if second // DAY_S < today]
    within = [equity for second, equity in path if second // DAY_S == today]
    lost_today = max((opening or [Fraction(0)])[-1] - min(within), Fraction(0))

    book = rebuilt(history)

    one = book.quotes.get(quote, QuoteEquity())
    assert Fraction(one.equity) == equities[-1]
    assert Fraction(one.drawdown) == deepest
    assert loss_on(book, quote, TimestampNs(today * DAY_NS)) == lost_today


def loss_on(book: EquityBook, quote: str, now_ns: TimestampNs) -> Fraction:
    """The loss that the daily limit sees: the largest limit that is reached."""
    one = book.quotes.get(quote, QuoteEquity())
    loss = one.day_loss if one.day == now_ns // DAY_NS else Decimal(0)
    limits = RiskLimits(max_daily_loss={quote: loss})
    above = RiskLimits(max_daily_loss={quote: loss + Decimal("1e-9")})
    assert reached_limits(limits, book, quote, now_ns)
    assert not reached_limits(above, book, quote, now_ns)
    return Fraction(loss)


@pytest.mark.slow
@given(history=HISTORIES)
def test_the_equity_is_the_portfolio_s(history: list[Event]) -> None:
    history.sort()
    portfolio = Portfolio()
    for second, kind, symbol, what in history:
        if kind == "mark":
            portfolio.mark(symbol, what)
        else:
            side, quantity, price, fee, currency = what
            portfolio.record(symbol, side, fill(quantity, price, second, fee, currency))
    ends = [(4 * DAY_S, "mark", symbol, Decimal(77)) for symbol in (BTC, ETH, CROSS)]
    for _, _, symbol, price in ends:
        portfolio.mark(symbol, price)

    book = rebuilt([*history, *ends])

    for quote in portfolio.quotes():
        ours, theirs = float(book.quotes[quote].equity), float(portfolio.equity(quote))
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)
