"""The crash rehearsal's verdict: the exchange's own truth against the ledger. Pure."""

from collections.abc import Mapping, Sequence, Set
from decimal import Decimal

import msgspec

from messages.exact import NOTHING
from messages.ids import ClientOrderId, Symbol
from messages.order_states import ABSENT_STATES, FINAL_STATES, RESTING_STATES
from messages.values import OrderState, Side

KEY_REFUSED = "trading is halted: binance refuses the key (HTTP 401, code -2015)"
"""What a process says that hears of a key which is not valid any more."""
METRICS_LEFT = "metrics failed at the end, and what waited for it is not done"
"""What a process says at its end whose metrics hang."""


class AtExchange(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the exchange has it."""

    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    filled: Decimal
    is_open: bool


class InLedger(msgspec.Struct, frozen=True, kw_only=True):
    """One decision as the ledger has it."""

    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    state: OrderState
    filled: Decimal
    reason: str


def problems(
    exchange: Sequence[AtExchange],
    ledger: Sequence[InLedger],
    expected: Set[ClientOrderId] = frozenset(),
    dead_letters: Set[ClientOrderId] = frozenset(),
) -> list[str]:
    """Say what breaks the promise; nothing when all is well.

    `expected` are the decisions of an undisturbed run: each must be in the ledger, or be
    reported as a dead letter, for a message that brought its actor down is not given to it again.
    """
    by_id: dict[ClientOrderId, list[AtExchange]] = {}
    for order in exchange:
        by_id.setdefault(order.client_order_id, []).append(order)
    known = {entry.client_order_id: entry for entry in ledger}
    return [
        *_doubled(by_id),
        *(f"{one}: the ledger does not know this order" for one in by_id if one not in known),
        *(
            f"{one}: the decision was lost"
            for one in sorted(expected - known.keys() - dead_letters)
        ),
        *(text for entry in ledger for text in _differs(entry, by_id)),
        *_positions(exchange, ledger),
    ]


def expected_at_exchange(entry: InLedger | None) -> str:
    """Say how many orders the exchange should have, going by what the ledger claims."""
    if entry is None or entry.state in ABSENT_STATES:
        return "0"
    if entry.state in (OrderState.UNKNOWN, OrderState.SENT):
        return "0..1"
    return "0" if entry.state is OrderState.REJECTED else "1"


def beyond_repair(exchange: Sequence[AtExchange], ledger: Sequence[InLedger]) -> bool:
    """Whether an order has ended here and there, and not with the same fills: it stays so."""
    ended = {order.client_order_id: order.filled for order in exchange if not order.is_open}
    return any(
        entry.state in FINAL_STATES
        and entry.filled != ended.get(entry.client_order_id, entry.filled)
        for entry in ledger
    )


def came_late(ledger: Sequence[InLedger], dead_letters: Set[ClientOrderId]) -> bool:
    """Whether a decision that was reported dead was written after all, and is not settled.

    An executor that hangs in its commit is taken for dead, and the commit may yet succeed: what
    it was about is then settled by the one that comes after it.
    """
    return any(
        entry.client_order_id in dead_letters and entry.state not in FINAL_STATES | RESTING_STATES
        for entry in ledger
    )


def wrong_words(errors: str, *, key_refused: bool = False, metrics_hang: bool = False) -> str:
    """Say what is wrong with what a process wrote to its standard error; nothing when all is well.

    One whose key was refused must say that it has halted for it, and one whose metrics hang what
    is not done for it. No other may, and none may say anything else.
    """
    lines = errors.splitlines()
    for must, words, silence in (
        (key_refused, KEY_REFUSED, "the key was refused, and nobody said that trading is halted"),
        (metrics_hang, METRICS_LEFT, "the metrics hung, and nobody said what is not done for it"),
    ):
        others = [line for line in lines if words not in line]
        if must:
            lines = others if len(others) < len(lines) else [*lines, silence]
    return "\n".join(lines)


def _doubled(by_id: Mapping[ClientOrderId, Sequence[AtExchange]]) -> list[str]:
    return [f"{one}: {len(orders)} orders" for one, orders in by_id.items() if len(orders) > 1]


def _differs(entry: InLedger, by_id: Mapping[ClientOrderId, Sequence[AtExchange]]) -> list[str]:
    """Say how one decision's end differs from what the exchange has of it."""
    name, state = entry.client_order_id, entry.state
    orders = by_id.get(name, ())
    if state is OrderState.UNKNOWN:
        return [] if entry.reason else [f"{name}: UNKNOWN without a reason"]
    if state not in FINAL_STATES | RESTING_STATES:
        return [f"{name}: still {state}"]
    there = expected_at_exchange(entry) == "1"
    if there is not bool(orders):
        has = "has" if orders else "does not have"
        return [f"{name}: the ledger says {state}, the exchange {has} it"]
    filled = sum((order.filled for order in orders), NOTHING)
    if filled != entry.filled:
        return [f"{name}: filled {filled:f} at the exchange, {entry.filled:f} in the ledger"]
    if orders and (state in RESTING_STATES) is not any(order.is_open for order in orders):
        return [f"{name}: the ledger says {state}, which the exchange's order is not"]
    return []


def _positions(exchange: Sequence[AtExchange], ledger: Sequence[InLedger]) -> list[str]:
    """Compare by symbol. What is UNKNOWN is reported, and excused by its report alone."""
    unknown = {entry.symbol for entry in ledger if entry.state is OrderState.UNKNOWN}
    real, told = _totals(exchange), _totals(ledger)
    return [
        f"{symbol}: the position is {real.get(symbol, NOTHING):f}, the ledger explains"
        f" {told.get(symbol, NOTHING):f}"
        for symbol in sorted({*real, *told})
        if real.get(symbol, NOTHING) != told.get(symbol, NOTHING) and symbol not in unknown
    ]


def _totals(orders: Sequence[AtExchange] | Sequence[InLedger]) -> dict[Symbol, Decimal]:
    totals: dict[Symbol, Decimal] = {}
    for order in orders:
        totals[order.symbol] = totals.get(order.symbol, NOTHING) + order.side.signed(order.filled)
    return totals
