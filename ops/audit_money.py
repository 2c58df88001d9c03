"""Holds positions, money and profit of the summary against the executions in the ledger."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, DecimalException
from typing import Any

from decisions.metrics import money
from decisions.portfolio import Holding, Portfolio
from messages.exact import NOTHING
from messages.ids import Symbol, quote_of
from ops.audit_check import Check, held_none, why_behind
from ops.run_state import RunState
from persistence.lives import all_executions
from persistence.reader import LedgerReader

_DOUBT = Decimal("1e-12")
"""Of the money that went in and out: an average cost is rounded."""
_NO_FIGURES = (TypeError, KeyError, ValueError, DecimalException)
"""What a summary raises that holds none: a product may be beyond all numbers too."""


def money_check(summary: Mapping[str, Any], state: RunState, ledger: LedgerReader) -> Check:
    """Make the check; only after an orderly end, for a position may go either way meanwhile.

    Raises:
        LedgerUnavailable: the ledger cannot be read.
    """
    check = Check("money", "the summary's positions and money are those of the executions")
    told, earlier = summary.get("positions"), summary.get("earlier")
    if not isinstance(told, Mapping) or not isinstance(earlier, Mapping):
        check.note = held_none(summary)
    elif earlier.get("pending") or earlier.get("problem"):
        check.note = "the summary could not count what earlier processes executed"
    elif behind := why_behind(state, ledger):
        check.note = behind
    else:
        executed = _executed(ledger)
        for symbol, problem in _compared(told, executed):
            check.see(symbol, problem)
        pnl = summary.get("pnl")
        for quote, problem in _profits(pnl if isinstance(pnl, Mapping) else {}, told, executed):
            check.see(f"profit in {quote}", problem)
    return check


def _executed(ledger: LedgerReader) -> Portfolio:
    """Count them in any order: quantity and money do not depend on it, an average cost does."""
    portfolio = Portfolio()
    for one in all_executions(ledger):
        portfolio.record(one.symbol, one.side, one.fill)
    return portfolio


def _compared(told: Mapping[str, Any], executed: Portfolio) -> Iterator[tuple[str, str | None]]:
    for symbol in sorted({*told, *executed.holdings}):
        made = executed.holdings.get(Symbol(symbol), Holding())
        yield symbol, _problem(told.get(symbol), made)


def _profits(
    pnl: Mapping[str, Any], positions: Mapping[str, Any], executed: Portfolio
) -> Iterator[tuple[str, str | None]]:
    """Hold the profit in each currency against the positions that are told, and its fees."""
    for quote in sorted({*pnl, *executed.quotes()}):
        of_quote = [one for symbol, one in positions.items() if quote_of(Symbol(symbol)) == quote]
        fees = sum((one.fees for one in executed.of_quote(quote)), start=NOTHING)
        try:
            yield quote, _profit_problem(pnl[quote], of_quote, fees)
        except _NO_FIGURES:
            yield quote, "nothing is told that could be read"


def _profit_problem(told: Any, positions: Sequence[Any], fees: Decimal) -> str | None:
    realized, unrealized = (
        sum((Decimal(one[name]) for one in positions), start=NOTHING)
        for name in ("realized", "unrealized")
    )
    held = sum((Decimal(p["quantity"]) * Decimal(p["average_cost"]) for p in positions), NOTHING)
    doubt = _DOUBT * (1 + abs(realized) + abs(unrealized) + abs(fees) + abs(held))
    makes = {
        "realized": realized,
        "unrealized": unrealized,
        "equity": realized + unrealized,
        "fees": fees,
    }
    for name, amount in makes.items():
        if abs(Decimal(told[name]) - amount) > doubt:
            return f"{name}: {told[name]} is told, it makes {money(amount)}"
    return None


def _problem(told: Any, made: Holding) -> str | None:
    try:
        quantity, cost = Decimal(told["quantity"]), Decimal(told["average_cost"])
        cash = Decimal(told["realized"]) - quantity * cost
        is_known = quantity.is_finite() and cash.is_finite()
    except _NO_FIGURES:
        is_known = False
    if not is_known:
        return f"nothing is told, the executions make {money(made.quantity)}"
    if quantity != made.quantity:
        return f"{money(quantity)} is told, the executions make {money(made.quantity)}"
    if abs(cash - made.cash_flow) > _DOUBT * (1 + abs(quantity * cost) + abs(made.cash_flow)):
        return f"{money(cash)} came in, as is told; the executions make {money(made.cash_flow)}"
    return None
