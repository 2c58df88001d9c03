"""Equity per quote currency, and the loss limits on it."""

from decimal import Decimal
from typing import Any

import pytest

from decisions.risk import RiskLimits, RiskState, saw_fill, saw_market
from decisions.risk_equity import (
    EquityBook,
    QuoteEquity,
    forgive_drawdown,
    reached_limits,
    record_fill,
    record_mark,
)
from messages.ids import DAY_NS, Symbol, quote_of
from tests.decisions.risk_orders import BTC, BUY, CROSS, DAY_S, ETH, SELL, at, fill

LIMITS = RiskLimits(max_daily_loss={"USDT": Decimal(50)}, max_drawdown={"USDT": Decimal(80)})


def bought(price: str = "1000", second: float = 0) -> EquityBook:
    book = EquityBook()
    record_fill(BTC, BUY, fill("1", price, second), book)
    return book


def marked(book: EquityBook, *marks: tuple[float, int], symbol: Symbol = BTC) -> EquityBook:
    for second, price in marks:
        record_mark(symbol, Decimal(price), at(second), book)
    return book


def codes(book: EquityBook, second: float, limits: RiskLimits = LIMITS) -> list[str]:
    return [reached.code for reached in reached_limits(limits, book, "USDT", at(second))]


def usdt(book: EquityBook) -> QuoteEquity:
    return book.quotes["USDT"]


# ---------------------------------------------------------------- what equity is


def test_a_round_trip_brings_the_difference_less_both_fees() -> None:
    book = EquityBook()

    record_fill(BTC, BUY, fill("2", "100", fee="1"), book)
    record_fill(BTC, SELL, fill("2", "110", fee="1"), book)

    assert usdt(book).equity == 18


def test_a_fee_in_the_base_currency_takes_units() -> None:
    book = EquityBook()

    record_fill(BTC, BUY, fill("1", "100", fee="0.01", currency="BTC"), book)
    marked(book, (1, 200))

    assert usdt(book).equity == Decimal("0.99") * 200 - 100


def test_a_fee_in_a_third_currency_is_in_no_loss() -> None:
    book = EquityBook()

    record_fill(BTC, BUY, fill("1", "100", fee="5", currency="BNB"), book)

    assert usdt(book).equity == 0


def test_currencies_are_never_added_to_each_other() -> None:
    book = EquityBook()
    record_fill(ETH, BUY, fill("1", "100"), book)
    record_fill(CROSS, BUY, fill("1", "0.05", currency="BTC"), book)

    marked(book, (1, 90), symbol=ETH)
    record_mark(CROSS, Decimal("0.06"), at(1), book)

    assert {q: one.equity for q, one in book.quotes.items()} == {
        "USDT": Decimal(-10),
        "BTC": Decimal("0.01"),
    }


def test_a_swap_s_profit_is_in_its_quote_currency() -> None:
    assert quote_of(Symbol("BTC/USDT:USDT")) == "USDT"


def test_before_a_mark_a_position_is_valued_at_its_last_fill() -> None:
    book = bought("100")

    record_fill(BTC, BUY, fill("1", "90", 1), book)

    assert usdt(book).equity == -10


# ---------------------------------------------------------------- the day


def test_a_day_s_loss_is_counted_from_the_equity_at_midnight() -> None:
    book = marked(bought(), (10, 1100), (DAY_S + 1, 1060))

    assert codes(book, DAY_S + 2) == []
    marked(book, (DAY_S + 3, 1050))
    assert codes(book, DAY_S + 4) == ["max_daily_loss"]


def test_a_daily_loss_once_reached_stays_reached_when_the_market_comes_back() -> None:
    book = marked(bought(), (1, 950), (2, 1500))

    assert codes(book, 3) == ["max_daily_loss"]


def test_a_daily_loss_ends_with_the_utc_day_though_nothing_happens() -> None:
    book = marked(bought(), (1, 950))
    (reached,) = reached_limits(LIMITS, book, "USDT", at(2))

    assert reached.until_ns == DAY_NS
    assert codes(book, DAY_S - 1) == ["max_daily_loss"]
    assert codes(book, DAY_S) == []


def test_a_person_s_resume_does_not_end_the_day() -> None:
    book = marked(bought(), (1, 950))

    forgive_drawdown(book)

    assert codes(book, 2) == ["max_daily_loss"]


def test_what_is_reported_after_midnight_counts_for_the_new_day() -> None:
    book = marked(bought(), (DAY_S + 1, 1000))

    record_fill(BTC, SELL, fill("1", "940", DAY_S - 1), book)

    assert usdt(book).day == 1
    assert codes(book, DAY_S + 2) == ["max_daily_loss"]


def test_a_clock_that_jumps_back_a_day_lifts_nothing() -> None:
    book = marked(bought(), (DAY_S + 1, 950))

    assert codes(book, 10) == ["max_daily_loss"]


def test_a_stamp_of_tomorrow_ends_no_day_where_a_clock_of_ours_is_known() -> None:
    state = RiskState(equity=marked(bought(), (10, 940)))

    saw_market(BTC, Decimal(950), at(DAY_S + 1), state, now_ns=at(20))
    saw_fill(BTC, SELL, fill("1", "950", DAY_S + 1), state, now_ns=at(20))

    assert codes(state.equity, 30) == ["max_daily_loss"]
    assert state.market_at[BTC] == at(DAY_S + 1)


# ---------------------------------------------------------------- the drawdown


def test_a_drawdown_is_from_the_peak_of_equity_over_days() -> None:
    book = marked(bought(), (1, 1100), (DAY_S + 1, 1055), (2 * DAY_S + 1, 1021))

    assert codes(book, 2 * DAY_S + 2) == []
    marked(book, (2 * DAY_S + 3, 1020))
    assert codes(book, 2 * DAY_S + 4) == ["max_drawdown"]


def test_a_drawdown_lasts_until_a_person_resumes() -> None:
    book = marked(bought(), (1, 900), (2, 2000), (3, 1950))
    reached = reached_limits(LIMITS, book, "USDT", at(30 * DAY_S))[0]

    assert (reached.code, reached.until_ns) == ("max_drawdown", None)

    forgive_drawdown(book)
    assert codes(book, 30 * DAY_S) == []
    marked(book, (30 * DAY_S, 1871))
    assert "max_drawdown" not in codes(book, 30 * DAY_S)
    marked(book, (30 * DAY_S, 1870))
    assert "max_drawdown" in codes(book, 30 * DAY_S)


def test_of_two_limits_the_longer_lasting_is_said_first() -> None:
    assert codes(marked(bought(), (1, 900)), 2) == ["max_drawdown", "max_daily_loss"]


# ---------------------------------------------------------------- numbers that are none


@pytest.mark.parametrize("price", ["NaN", "sNaN", "Infinity", "-5", "0"])
def test_a_senseless_mark_neither_hides_a_loss_nor_makes_one(price: str) -> None:
    book = marked(bought(), (1, 990))

    record_mark(BTC, Decimal(price), at(2), book)

    assert usdt(book).equity == -10
    assert codes(marked(book, (3, 900)), 4) == ["max_drawdown", "max_daily_loss"]


@pytest.mark.parametrize(
    "broken", [fill("NaN", "100"), fill("1", "sNaN"), fill("1", "100", fee="Infinity")]
)
def test_a_fill_that_makes_no_sense_stops_new_risk_for_good(broken: Any) -> None:
    book = bought()

    record_fill(BTC, BUY, broken, book)
    marked(book, (1, 5000))

    found = reached_limits(LIMITS, book, "USDT", at(9 * DAY_S))
    assert [(reached.code, reached.until_ns) for reached in found] == [
        ("max_drawdown", None),
        ("max_daily_loss", None),
    ]
    assert found[0].text.startswith("the equity is not known, since fill t of BTC/USDT")


def test_without_a_limit_nothing_stops() -> None:
    assert codes(marked(bought(), (1, 1)), 2, RiskLimits()) == []
