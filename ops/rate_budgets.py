"""One rate budget for all of this process that asks one exchange: its limits are an address's."""

from functools import cache
from typing import Any

from exchanges.rate_budget import RateBudget


def budget_for(exchange: str, settings: dict[str, Any]) -> RateBudget:
    """Give the budget of an exchange as these settings reach it; orders go before market data.

    It outlives whoever asks for it, so that a feed that is restarted still stays away for as
    long as the exchange has told the one before it.
    """
    where = {name: settings[name] for name in ("urls", "sandbox", "hostname") if name in settings}
    return _budget(exchange, repr(where))


@cache
def _budget(exchange: str, where: str) -> RateBudget:  # noqa: ARG001 - what it is kept by
    return RateBudget()
