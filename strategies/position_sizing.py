"""How much to hold: pure functions from money and risk to a quantity on the venue's grid.

A strategy does not know the account's equity, so `capital` (quote currency) is what its owner
allots to it, a parameter. All round down, and give 0 where the venue would take no order.
"""

from decimal import Decimal
from math import isfinite

from messages.values import Instrument
from strategies.sizing import quantity_for_notional

_DIGITS = 9


def fixed_notional(notional: Decimal, price: Decimal, instrument: Instrument) -> Decimal:
    """Give q = notional / price. Base currency; `notional` in quote currency."""
    return quantity_for_notional(notional, price, instrument)


def fixed_fraction(
    capital: Decimal, fraction: float, price: Decimal, instrument: Instrument
) -> Decimal:
    """Give q = fraction * capital / price, `fraction` from 0 to 1 (Vince, 1990, without leverage).

    Raises:
        ValueError: `fraction` is below 0, above 1 or no number.
    """
    _demand(0 <= fraction <= 1, "fraction", fraction, "from 0 to 1")
    return quantity_for_notional(capital * steady(fraction), price, instrument)


def atr_risk(
    capital: Decimal,
    risk_fraction: float,
    stop_distance: float,
    price: Decimal,
    instrument: Instrument,
) -> Decimal:
    """Give q = risk_fraction * capital / stop_distance, at most capital / price.

    With stop_distance = multiple * ATR (quote currency per unit of base), a stop that is hit
    at its price costs `risk_fraction` of the capital: the Turtles' unit (Faith, Way of the
    Turtle, 2007), with 1 % and one ATR. A gap or a fee costs more. No leverage. A market
    without a range gives all that the capital buys.

    Raises:
        ValueError: `risk_fraction` is not from 0 to 1, or `stop_distance` is negative or no number.
    """
    _demand(0 <= risk_fraction <= 1, "risk_fraction", risk_fraction, "from 0 to 1")
    _demand(stop_distance >= 0, "stop_distance", stop_distance, "at least 0")
    part = _part(risk_fraction * float(price), stop_distance, most=1.0)
    return quantity_for_notional(capital * part, price, instrument)


def volatility_target(
    capital: Decimal,
    target: float,
    volatility: float,
    price: Decimal,
    instrument: Instrument,
    max_leverage: float = 1.0,
) -> Decimal:
    """Give q = capital / price * min(target / volatility, max_leverage).

    Both volatilities per year, as fractions (0.4 is 40 %): Moskowitz, Ooi and Pedersen, Time
    Series Momentum (2012). A market without volatility gives the most that is allowed.

    Raises:
        ValueError: one of the three is negative or no number.
    """
    for name, value in (("target", target), ("volatility", volatility)):
        _demand(value >= 0, name, value, "at least 0")
    _demand(max_leverage >= 0, "max_leverage", max_leverage, "at least 0")
    part = _part(target, volatility, most=max_leverage)
    return quantity_for_notional(capital * part, price, instrument)


def capped_kelly(
    capital: Decimal,
    mean_return: float,
    variance: float,
    price: Decimal,
    instrument: Instrument,
    multiplier: float = 0.5,
    cap: float = 0.25,
) -> Decimal:
    """Give q = capital / price * min(multiplier * mean_return / variance, cap), 0 where negative.

    Thorp's continuous form of Kelly (The Kelly Criterion, 2006): mean and variance of the
    return over one period, both of the same length, as fractions. The estimates are always
    worse than they look, so half of it (`multiplier`) and never more than `cap` of the capital.

    Raises:
        ValueError: `mean_return` is no number, `variance` negative or no number, or
            `multiplier` or `cap` not from 0 to 1.
    """
    _demand(isfinite(mean_return), "mean_return", mean_return, "a finite number")
    _demand(variance >= 0, "variance", variance, "at least 0")
    _demand(0 <= multiplier <= 1, "multiplier", multiplier, "from 0 to 1")
    _demand(0 <= cap <= 1, "cap", cap, "from 0 to 1")
    part = _part(multiplier * max(mean_return, 0.0), variance, most=cap)
    return quantity_for_notional(capital * part, price, instrument)


def steady(value: float) -> Decimal:
    """Give nine significant digits of a computed number as a Decimal.

    A strategy built anew has indicators that agree with the old one's to a part in 10**12.
    Without the digits after the ninth both decide on one quantity, also where the number is
    round: 99.99999999999999 and 100.0 must not end on two sides of a step.

    Raises:
        ValueError: it is infinite or not a number.
    """
    if not isfinite(value):
        raise ValueError(f"{value} is no number to size a position with")
    return Decimal(f"{value:.{_DIGITS}g}")


def _part(numerator: float, denominator: float, most: float) -> Decimal:
    """The quotient or `most`, whichever is less, without dividing by nothing."""
    if numerator >= most * denominator:
        return steady(most) if numerator else Decimal(0)
    return steady(numerator / denominator)


def _demand(holds: bool, name: str, value: float, what: str) -> None:
    if not holds or not isfinite(value):
        raise ValueError(f"{name} must be {what}, not {value}")
