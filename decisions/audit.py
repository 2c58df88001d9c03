"""What must hold of a ledger's orders, one rule a function: the problem in words, or None. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from decisions.following_exits import rest_of
from decisions.order_keys import rest_key
from messages.exact import EXACT, NOTHING
from messages.ids import NS_PER_MS, StrategyId, StrategySymbol, Symbol
from messages.order_states import ABSENT_STATES, FINAL_STATES, LEGAL_TRANSITIONS
from messages.orders import Fill
from messages.values import OrderState, Side

_FIRST = {OrderState.CLAIMED, OrderState.SENT, OrderState.REFUSED}
"""SENT: claimed and sent in one commit."""
_MOST_RESTS = 1_000
_PRICE_DOUBT = Decimal("1e-9")
"""Of the value: venues round the mean price that they tell."""
SURELY_THERE = {
    OrderState.ACCEPTED,
    OrderState.PARTIALLY_FILLED,
    OrderState.FILLED,
    OrderState.CANCELED,
    OrderState.EXPIRED,
}


class StoredStep(msgspec.Struct, frozen=True):
    """One row of an order's history."""

    number: int
    from_state: OrderState | None
    to_state: OrderState


class Outcome(Protocol):
    """What became of an order, as the ledger has it."""

    @property
    def symbol(self) -> Symbol:
        """What it trades."""

    @property
    def state(self) -> OrderState:
        """What is known of it."""

    @property
    def filled_quantity(self) -> Decimal:
        """What is done."""


class Counted(Outcome, Protocol):
    """An order, as far as conservation is about it."""

    @property
    def order_key(self) -> str:
        """Its name; begins with its millisecond."""

    @property
    def strategy_id(self) -> StrategyId:
        """Whose it is."""

    @property
    def side(self) -> Side:
        """Which way."""

    @property
    def quantity(self) -> Decimal:
        """What was wanted."""

    @property
    def average_price(self) -> Decimal | None:
        """Of all that is done."""

    @property
    def decided_at_ns(self) -> int:
        """When, on the market's clock."""


class Decided(Counted, Protocol):
    """An order, with why it was decided."""

    @property
    def reason(self) -> str:
        """In words."""


class AtVenue(msgspec.Struct, frozen=True):
    """The same order as the venue's book has it."""

    state: OrderState
    filled_quantity: Decimal
    symbol: str
    side: Side
    quantity: Decimal
    value: Decimal | None = None
    """What all that is done came to, in the quote currency; None: it is not told."""


class Totals:
    """What the orders come to; they may be added in any order."""

    def __init__(self) -> None:
        self.states: Counter[OrderState] = Counter()
        self.filled: dict[StrategySymbol, Decimal] = {}

    def add(self, order: Counted) -> None:
        """Count one order."""
        self.states[order.state] += 1
        place = (order.strategy_id, order.symbol)
        signed = order.side.signed(order.filled_quantity)
        self.filled[place] = EXACT.add(self.filled.get(place, NOTHING), signed)


def history_problem(steps: Sequence[StoredStep], state: OrderState) -> str | None:
    """Hold an order's history against the table of legal steps, and its end against the state."""
    before: OrderState | None = None
    for place, step in enumerate(steps, 1):
        if step.number != place:
            return f"step {place} of its history is missing"
        if step.from_state is not before:
            return f"step {place} goes on from {step.from_state}, but it stood at {before}"
        onward = _FIRST if before is None else LEGAL_TRANSITIONS[before]
        if step.to_state not in onward:
            return f"step {place}, from {before} to {step.to_state}, is not legal"
        before = step.to_state
    if before is None:
        return "it has no history"
    return None if before is state else f"it is {state}, its history ends with {before}"


def fills_problem(order: Counted, fills: Sequence[Fill], *, all_known: bool) -> str | None:
    """Hold the filled quantity and the mean price against the executions.

    `all_known`: every execution must be in the ledger; else an order without any is passed.
    """
    names = [fill.trade_id for fill in fills]
    if len(set(names)) < len(names):
        return "an execution is there twice"
    if order.filled_quantity > order.quantity:
        return f"{order.filled_quantity} of {order.quantity} is filled"
    if not fills and not all_known:
        return None
    filled = value = NOTHING
    for fill in fills:
        filled = EXACT.add(filled, fill.quantity)
        value = EXACT.fma(fill.quantity, fill.price, value)
    if filled != order.filled_quantity:
        return f"{order.filled_quantity} is filled, its executions make {filled}"
    if order.average_price is None or not fills:
        return None
    told = EXACT.multiply(order.average_price, filled)
    if abs(EXACT.subtract(told, value)) > abs(value) * _PRICE_DOUBT:
        return f"its mean price is {order.average_price}, its executions make {value / filled}"
    return None


def key_problem(order: Decided) -> str | None:
    """Hold the key against the moment of the decision that it begins with."""
    floor = f"{max(order.decided_at_ns, 0) // NS_PER_MS:012x}"
    is_named = order.order_key.startswith(floor) or _is_rest(order)
    return None if is_named else "its key is of another moment"


def _is_rest(order: Decided) -> bool:
    """Whether it follows an exit that could not take all: its key is of the exit's moment."""
    exit_of = rest_of(order.reason)
    if exit_of is None:
        return False
    return any(rest_key(exit_of, number) == order.order_key for number in range(1, _MOST_RESTS))


def venue_problem(order: Counted, there: AtVenue | None) -> str | None:
    """Hold an order against the venue's book, which was read after it.

    The book may be ahead of an order that is not final; a final one can change no more. An order
    that was rejected may be in the book, as such: it is, unless it was refused at the door.
    """
    if there is None:
        is_missing = order.state in SURELY_THERE
        return f"it is {order.state}, and the venue has no such order" if is_missing else None
    if order.state in ABSENT_STATES:
        return f"it is {order.state}, and the venue has it as {there.state}"
    if (there.symbol, there.side, there.quantity) != (order.symbol, order.side, order.quantity):
        return f"the venue has {there.side} {there.quantity} {there.symbol} under its name"
    if there.filled_quantity < order.filled_quantity:
        return f"{order.filled_quantity} is filled, at the venue {there.filled_quantity}"
    if order.state not in FINAL_STATES:
        return None
    if (there.state, there.filled_quantity) != (order.state, order.filled_quantity):
        return (
            f"it is {order.state} with {order.filled_quantity} filled, at the venue {there.state}"
            f" with {there.filled_quantity}"
        )
    return _price_problem(order, there.value)


def _price_problem(order: Counted, value: Decimal | None) -> str | None:
    if value is None or order.average_price is None:
        return None
    told = EXACT.multiply(order.average_price, order.filled_quantity)
    if abs(EXACT.subtract(told, value)) <= abs(value) * _PRICE_DOUBT:
        return None
    return (
        f"{order.filled_quantity} is filled at a mean price of {order.average_price}, at the venue"
        f" for {value:f}"
    )


def run_totals(
    states: Mapping[OrderState, int], filled: Mapping[StrategySymbol, Decimal]
) -> dict[str, Any]:
    """Give the totals of a run directory since its beginning as JSON has them, keys sorted."""
    strategies: dict[str, dict[str, str]] = {}
    for (strategy, symbol), amount in sorted(filled.items()):
        if not amount:  # whether a row of nothing is kept tells nothing
            continue
        strategies.setdefault(strategy, {})[symbol] = _digits(amount)
    return {
        "by_state": {state.value: states[state] for state in sorted(states) if states[state]},
        "filled": states.get(OrderState.FILLED, 0),
        "open": sum(count for state, count in states.items() if state not in FINAL_STATES),
        "orders": sum(states.values()),
        "positions": strategies,
        "rejected": states.get(OrderState.REFUSED, 0) + states.get(OrderState.REJECTED, 0),
    }


def totals_problem(told: Mapping[str, Any], counted: Mapping[str, Any]) -> str | None:
    """Hold totals that were told at an orderly end against the orders: all must be equal."""
    for name, amount in counted.items():
        if told.get(name) != amount:
            return f"{name}: {told.get(name)} is told, the orders make {amount}"
    return None


def ahead_problem(told: Mapping[str, Any], counted: Mapping[str, Any]) -> str | None:
    """Hold totals that may be older than the orders against them: none may be ahead.

    Orders are never taken away, and one that has ended stays as it is.
    """
    final = [state.value for state in sorted(FINAL_STATES)]
    pairs = [("orders", told.get("orders"), counted["orders"])]
    by_state = told.get("by_state")
    if isinstance(by_state, Mapping):
        pairs += [(s, by_state.get(s, 0), counted["by_state"].get(s, 0)) for s in final]
    for name, was, now in pairs:
        if not isinstance(was, int) or was > now:
            return f"{name}: {was} was told, the orders make {now}"
    return None


def differences(
    kept: Mapping[StrategySymbol, Decimal], counted: Mapping[StrategySymbol, Decimal]
) -> Iterable[tuple[StrategySymbol, str]]:
    """Give the positions that are not what the orders make of them."""
    for place in sorted({*kept, *counted}):
        was, makes = kept.get(place, NOTHING), counted.get(place, NOTHING)
        if was != makes:
            yield place, f"{was} is kept, the orders make {makes}"


def _digits(amount: Decimal) -> str:
    text = f"{amount:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
