"""One rate budget for all of this process that asks one exchange: its limits are an address's."""

import threading
from functools import partial
from typing import Any

from actors.log import logger
from exchanges.rate_budget import RateBudget

_budgets: dict[tuple[str, str], RateBudget] = {}
_making = threading.Lock()


def budget_for(exchange: str, settings: dict[str, Any]) -> RateBudget:
    """Give the budget of an exchange as these settings reach it; orders go before market data.

    It outlives whoever asks for it, so that a feed that is restarted still stays away for as
    long as the exchange has told the one before it.
    """
    where = {name: settings[name] for name in ("urls", "sandbox", "hostname") if name in settings}
    return _budget(exchange, repr(where))


def blocked_text(exchange: str, settings: dict[str, Any]) -> str:
    """Say for how long the exchange wants to hear nothing of us; empty where it does not mind.

    Any thread. No stream breaks then and no order fails: without a word, nothing would happen.
    """
    budget = budget_for(exchange, settings)
    left_ms = budget.blocked_for_ms
    return _blocked(exchange, budget.blocked_by, left_ms / 1_000) if left_ms else ""


def _blocked(exchange: str, http_status: int, seconds: float) -> str:
    return (
        f"{exchange} wants to hear nothing for {seconds:.0f} s (HTTP {http_status}: too many"
        " requests from this address): no order and no question leaves before"
    )


def _tell(exchange: str, http_status: int, seconds: float) -> None:
    logger.warning("{}", _blocked(exchange, http_status, seconds))


def _budget(exchange: str, where: str) -> RateBudget:
    with _making:  # two that ask for it at once share it
        if (exchange, where) not in _budgets:
            _budgets[exchange, where] = RateBudget(on_blocked=partial(_tell, exchange))
        return _budgets[exchange, where]
