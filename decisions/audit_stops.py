"""What must hold of the stops that a ledger keeps: the problem in words, or None. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from decisions.order_keys import exit_key
from decisions.stop_exits import KnownOrder, Orders, leaves, left_to_protect
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategyId, StrategySymbol, Symbol
from messages.order_states import FINAL_STATES
from messages.stops import Stop, StopState
from messages.values import Side

_PROTECTS = re.compile(r"\[protects ([0-9a-f]{32})\]")


def protected_entry(order: KnownOrder) -> OrderKey | None:
    """Give the entry that an order says it protects; None of an order that no stop decided."""
    found = _PROTECTS.search(order.reason)
    return None if found is None else OrderKey(found[1])


def stop_problem(stop: Stop, orders: Orders) -> str | None:
    """Hold one stop against its entry and its exits."""
    return (
        _entry_problem(stop, orders.get(stop.entry_key))
        or _exits_problem(stop, orders)
        or _state_problem(stop, orders)
    )


def exit_problem(order: KnownOrder, stops: Mapping[OrderKey, Stop]) -> str | None:
    """Hold an order that says which entry it protects against the stop of that."""
    entry = protected_entry(order)
    if entry is None:
        return None
    stop = stops.get(entry)
    if stop is None:
        return f"it protects {entry}, of which no stop is kept"
    return None if order.order_key in stop.exits else f"the stop of {entry} does not know this exit"


def unheld(
    stops: Iterable[Stop], orders: Orders, held: Mapping[StrategySymbol, Decimal]
) -> Iterator[tuple[str, str]]:
    """Give the positions that are smaller than what their open stops protect together.

    `held` is what strategies hold, signed, less what fees have taken of their exits.
    """
    protected: dict[tuple[StrategyId, Symbol, Side], Decimal] = {}
    for stop in stops:
        if stop.state is StopState.DONE:
            continue
        place = (stop.strategy_id, stop.symbol, stop.side)
        being_left = (
            EXACT.subtract(leaves(orders[key]), orders[key].filled_quantity)
            for key in stop.exits
            if key in orders and orders[key].state not in FINAL_STATES
        )
        more = max(sum(being_left, start=left_to_protect(stop, orders)), NOTHING)
        protected[place] = EXACT.add(protected.get(place, NOTHING), more)
    for (strategy, symbol, side), amount in sorted(protected.items()):
        there = max(
            EXACT.multiply(held.get((strategy, symbol), NOTHING), Decimal(side.sign)), NOTHING
        )
        if amount > there:
            yield (
                f"{strategy} {symbol}",
                f"its open stops protect {amount:f}, and {there:f} is held",
            )


def _entry_problem(stop: Stop, entry: KnownOrder | None) -> str | None:
    if entry is None:
        return "it protects an entry that is no order"
    was = (entry.strategy_id, entry.symbol, entry.side, entry.decided_at_ns)
    if was != (stop.strategy_id, stop.symbol, stop.side, stop.placed_at_ns):
        return "its strategy, symbol, side or moment is not its entry's"
    return None


def _exits_problem(stop: Stop, orders: Orders) -> str | None:
    if len(set(stop.exits)) < len(stop.exits):
        return "it has an exit twice"
    for ordinal, key in enumerate(stop.exits):
        order = orders.get(key)
        if order is None:
            return f"its exit {key} is no order"
        if key != exit_key(stop.entry_key, ordinal, order.decided_at_ns):
            return f"its exit {key} is not its exit number {ordinal}"
        if (order.strategy_id, order.symbol) != (stop.strategy_id, stop.symbol):
            return f"its exit {key} is of another position"
        if order.side is stop.side:
            return f"its exit {key} adds to what it protects"
    return _too_much(stop, orders)


def _too_much(stop: Stop, orders: Orders) -> str | None:
    """Say which of the two ways out has left more than there was.

    Together they may: while an exit of all is open, a strategy may sell what another entry,
    not filled yet, is bringing; until it is, this stop's entry has that much less to protect.
    """
    filled = orders[stop.entry_key].filled_quantity
    by_exits = sum((leaves(orders[key]) for key in stop.exits), start=NOTHING)
    for whose, gone in (("its exits leave", by_exits), ("its strategy left", stop.released)):
        if gone > filled:
            return f"{whose} {EXACT.subtract(gone, filled):f} more than was filled of its entry"
    return None


def _state_problem(stop: Stop, orders: Orders) -> str | None:
    is_open = any(orders[key].state not in FINAL_STATES for key in (stop.entry_key, *stop.exits))
    left = max(left_to_protect(stop, orders), NOTHING)
    if stop.state is StopState.ARMED and (stop.exits or stop.cause):
        return "it is armed, and it acted already"
    if stop.state is not StopState.ARMED and not stop.why:
        return f"it is {stop.state} and does not say why"
    if stop.state is StopState.DONE:
        if is_open:
            return "it is done, and its entry or an exit of it is open"
        return f"it is done, and {left:f} of its entry is left" if left else None
    if not is_open and not left:
        return f"it is {stop.state}, and nothing is left of its entry"
    return None
