"""What a trial brought, and what that is worth by an objective. Pure; floats but for money."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from decisions.performance import DAYS_A_YEAR, Sharpe, daily_returns, moments, sharpe
from messages.ids import DAY_NS


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one stretch of time, begun with the whole capital and nothing held."""

    net: Decimal
    """Profit in quote currency, fees paid, what is held valued at the last price."""
    fees: Decimal
    orders: int
    """That filled, wholly or in part."""
    drawdown: float
    """The deepest fall of equity from a peak, in quote currency."""
    days: dict[int, float]
    """Profit so far at the end of each UTC day, by its number since 1970; the first is the day
    before the beginning."""

    def returns(self, capital: float) -> list[float]:
        """Give the daily returns."""
        return daily_returns(self.days, capital)


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a trial that came to its end."""

    value: float
    """By the objective: more is better."""
    net: Decimal
    fees: Decimal
    orders: int
    drawdown: float
    daily_sharpe: float | None
    """The ratio of one day, which the deflated Sharpe ratio asks of every trial."""


def value_of(objective: str, figures: Figures, capital: float) -> float | None:
    """Give what is maximised; None where it is not known.

    ``sharpe``: of daily returns, a year has 365. ``return``: net over capital. ``calmar``: a
    year's return (not compounded) over the deepest drawdown as a part of the capital.
    """
    if objective == "sharpe":
        found = sharpe(figures.returns(capital))
        return None if found is None else found.ratio
    if capital <= 0:
        return None
    earned = float(figures.net) / capital
    if objective == "return":
        return earned
    days = max(figures.days, default=0) - min(figures.days, default=0)
    if not days or not figures.drawdown:
        return None
    return earned * DAYS_A_YEAR / days / (figures.drawdown / capital)


def score_of(objective: str, figures: Figures, capital: float) -> Score | None:
    """Give what is kept; None where the objective is not known."""
    value = value_of(objective, figures, capital)
    if value is None:
        return None
    return Score(
        value=value,
        net=figures.net,
        fees=figures.fees,
        orders=figures.orders,
        drawdown=figures.drawdown,
        daily_sharpe=daily_sharpe_of(figures, capital),
    )


def daily_sharpe_of(figures: Figures, capital: float) -> float | None:
    """Give the Sharpe ratio of one day; None where it is not known."""
    found = moments(figures.returns(capital))
    return None if found is None else found.ratio


def unknown_because(objective: str, figures: Figures) -> str:
    """Say why an objective has no value."""
    if not figures.orders:
        return "no order filled"
    if objective == "sharpe":
        return "no Sharpe ratio: too few days, or days that are all alike"
    return f"no {objective}: equity never fell, or there is no capital"


def too_few(figures: Figures, least: int) -> str:
    """Say that a trial traded too little to be judged; empty when it did not."""
    if figures.orders >= least:
        return ""
    return f"{figures.orders} orders filled, and --min-orders asks for {least}"


def added(parts: Iterable[Figures]) -> Figures:
    """Put stretches one after the other: profits add up, each having begun with the capital.

    The drawdown is that of the sum at the ends of days, and at least the deepest within a part.
    """
    net = fees = Decimal(0)
    orders, drawdown, days = 0, 0.0, dict[int, float]()
    total = peak = 0.0
    for number, part in enumerate(parts):
        net, fees, orders = net + part.net, fees + part.fees, orders + part.orders
        drawdown = max(drawdown, part.drawdown)
        base = total
        for day in sorted(part.days)[1 if number else 0 :]:  # its beginning is where the last ended
            total = base + part.days[day]
            days[day] = total
            peak = max(peak, total)
            drawdown = max(drawdown, peak - total)
    return Figures(net=net, fees=fees, orders=orders, drawdown=drawdown, days=days)


def days_from(days: Mapping[int, float], begin_ns: int) -> dict[int, float]:
    """Give the days from a moment on, and the day before it with what there was by then: nothing.

    Before the beginning nothing is held.
    """
    first = begin_ns // DAY_NS
    return {first - 1: 0.0} | {day: profit for day, profit in days.items() if day >= first}


def sharpe_of(figures: Figures, capital: float) -> Sharpe | None:
    """Give the Sharpe ratio with its interval."""
    return sharpe(figures.returns(capital))
