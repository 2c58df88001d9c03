"""What must be true of a long market when all is settled: the bot's ledger against the exchange."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from exchanges.local.orders import OPEN
from messages.order_states import FINAL_STATES
from messages.values import OrderState
from persistence.ledger import LedgerEntry
from tests.system.market_processes import Bot, Venue


def problems_in(
    bot: Bot, venue: Venue, ledger: list[LedgerEntry], orders: list[Any]
) -> Iterator[str]:
    """Say in a sentence each what is not as it must be."""
    audit = bot.command("audit")
    if audit.returncode:
        yield f"audit: {audit.stdout}{audit.stderr}"
    if doubled := venue.ask("doubled"):
        yield f"twice at the exchange: {doubled}"
    yield from _differences(ledger, {order["client_order_id"]: order for order in orders})
    yield from _lost_decisions(ledger)
    yield from _two_at_once(ledger, orders)
    if not any(one.strategy_id == "follower" and "in place of" in one.reason for one in ledger):
        yield "no order has taken the place of another"


def _differences(ledger: list[LedgerEntry], orders: Mapping[str, Any]) -> Iterator[str]:
    """Hold the ledger against the exchange's own list, both ways, to the last fill."""
    known = {entry.client_order_id for entry in ledger}
    yield from (f"{name} is not in the ledger" for name in orders if name not in known)
    real: dict[str, Decimal] = defaultdict(Decimal)
    told: dict[str, Decimal] = defaultdict(Decimal)
    never = (OrderState.REFUSED, OrderState.REJECTED, OrderState.NOT_SENT)
    for entry in ledger:
        order = orders.get(entry.client_order_id)
        if (order is None) is not (entry.state in never):
            yield f"{entry.client_order_id} is {entry.state} here, {order} there"
            continue
        filled = Decimal(order["filled"]) if order else Decimal(0)
        if filled != entry.filled_quantity:
            yield f"{entry.client_order_id}: {entry.filled_quantity} filled here, {filled} there"
        if order and entry.state in FINAL_STATES and order["status"] in OPEN:
            yield f"{entry.client_order_id} is {entry.state} here, and open there"
        told[entry.symbol] += entry.filled_quantity * entry.side.sign
        real[entry.symbol] += filled * entry.side.sign
    if real != told:
        yield f"positions: {dict(real)} there, {dict(told)} here"


def _lost_decisions(ledger: list[LedgerEntry]) -> Iterator[str]:
    """A strategy numbers what it decides: a number that is missing is a message that was lost."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for entry in ledger:
        # Before it: whose place it takes. Behind it: what fees have left to sell, or was filled.
        decided = entry.reason.partition(";")[0].rpartition(" ")[2]
        who, _, number = decided.rpartition(":")
        numbers[f"{entry.strategy_id} {who}"].add(int(number))
    for who, seen in numbers.items():
        missing = set(range(1, max(seen) + 1)) - seen
        if missing:
            yield f"{who}: decisions {sorted(missing)} of {max(seen)} are lost"


def _two_at_once(ledger: list[LedgerEntry], orders: list[Any]) -> Iterator[str]:
    """Say which orders of the strategy that keeps one were at the exchange beside another."""
    mine = {entry.client_order_id for entry in ledger if entry.strategy_id == "follower"}
    there = sorted(
        (order for order in orders if order["client_order_id"] in mine),
        key=lambda order: int(order["ts_created_ns"]),
    )
    for before, after in pairwise(there):
        if before["status"] in OPEN or before["ts_updated_ns"] > after["ts_created_ns"]:
            yield f"{before} was open beside {after}"
