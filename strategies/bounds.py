"""The bounds of parameters, as types: a config's reader and an optimiser read the same ones."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

Bars = Annotated[int, Meta(ge=2, le=10_000)]
"""How many candles an indicator looks back."""

SmoothedBars = Annotated[int, Meta(ge=2, le=500)]
"""The period of a mean that never quite forgets: its warm-up, which a strategy's memory and a
live feed's history must hold, is up to 33 times as long."""

Multiple = Annotated[float, Meta(gt=0, le=100)]
"""How many ATRs or deviations."""

Percent = Annotated[float, Meta(ge=0, le=100)]
"""A level of an oscillator from 0 to 100."""

Part = Annotated[float, Meta(gt=0, le=1)]
"""A fraction of something, more than nothing."""


def capital_problems(capital: Decimal | None) -> list[str]:
    """Give what is wrong with an allotted capital (quote currency; None: the order_notional)."""
    if capital is None or (capital.is_finite() and capital > 0):
        return []
    return [f"capital must be more than 0, not {capital}"]


def refuse(problems: list[str]) -> None:
    """Raise ValueError with all that is wrong in one text, if anything is."""
    if problems:
        raise ValueError("; ".join(problems))
