"""Monthly returns in UTC, by hand."""

from datetime import date

import pytest

from decisions.months import month_of, monthly_returns


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()


def test_a_month_is_on_what_was_there_when_it_began_and_the_year_is_compounded() -> None:
    days = {
        day("2023-12-30"): 10.0,
        day("2023-12-31"): 20.0,
        day("2024-01-05"): 10.0,
        day("2024-01-31"): 80.0,
        day("2024-03-01"): 26.0,
    }
    before, year = monthly_returns(days, 100.0)

    assert before.year == 2023
    assert before.months[:11] == (None,) * 11
    assert before.months[11] == pytest.approx(0.2)
    assert before.total == pytest.approx(0.2)
    assert year.months[0] == pytest.approx(0.5)
    assert year.months[1] == 0
    assert year.months[2] == pytest.approx(-0.3)
    assert year.months[3:] == (None,) * 9
    assert year.total == pytest.approx(126 / 120 - 1)


def test_nothing_is_returned_on_nothing() -> None:
    days = {day("2024-01-31"): -100.0, day("2024-02-01"): 0.0}

    assert monthly_returns(days, 100.0)[0].months[:2] == (-1.0, None)
    assert monthly_returns({}, 100.0) == []
    assert monthly_returns(days, 0.0) == []


def test_a_leap_day_and_the_days_before_1970_have_their_month() -> None:
    assert month_of(day("2024-02-29")) == (2024, 2)
    assert month_of(-1) == (1969, 12)
