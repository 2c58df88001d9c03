"""What each month and year returned, by UTC. Pure; floats."""

from collections.abc import Mapping
from datetime import date

import msgspec

_EPOCH = date(1970, 1, 1).toordinal()


class Year(msgspec.Struct, frozen=True, kw_only=True):
    """One calendar year; a month that the data has nothing of is None."""

    year: int
    months: tuple[float | None, ...]
    """Twelve of them, as fractions."""
    total: float | None
    """All of them compounded."""


def month_of(day: int) -> tuple[int, int]:
    """Give year and month of a day by its number since 1970."""
    found = date.fromordinal(_EPOCH + day)
    return found.year, found.month


def monthly_profit(days: Mapping[int, float]) -> dict[tuple[int, int], float]:
    """Give the last profit of each month that has a day, in order; profit since the beginning."""
    return {month_of(day): days[day] for day in sorted(days)}


def monthly_returns(days: Mapping[int, float], capital: float) -> list[Year]:
    """Give what each month returned on what was there when it began, year by year.

    `days` holds the profit since the beginning at the end of a day, by its number since 1970. A
    month between others that has no day returned nothing; from where nothing is left, all is None.
    """
    ends = monthly_profit(days)
    if not ends or capital <= 0:
        return []
    (first_year, first_month), (last_year, last_month) = min(ends), max(ends)
    before, years = capital, list[Year]()
    for year in range(first_year, last_year + 1):
        months: list[float | None] = []
        began = before
        for month in range(1, 13):
            is_inside = (first_year, first_month) <= (year, month) <= (last_year, last_month)
            if not is_inside or before <= 0:
                months.append(None)
                continue
            after = capital + ends.get((year, month), before - capital)
            months.append(after / before - 1)
            before = after
        is_known = any(one is not None for one in months)
        total = before / began - 1 if is_known else None
        years.append(Year(year=year, months=tuple(months), total=total))
    return years
