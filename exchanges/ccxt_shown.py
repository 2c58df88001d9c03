"""What an exchange shows of an account to somebody who only looks: orders, and executions.

Nothing here proves that an order is absent, sends one or cancels one; see `OrderLookup`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from exchanges.capabilities import Capability, Lookup
from exchanges.ccxt_lookup import OrderLookup
from exchanges.ccxt_numbers import Unclear, milliseconds_ns, name_in, number
from exchanges.ccxt_parse import filled_of, name_of, state_of, trade_of
from exchanges.facts import AccountTrade
from messages.errors import OutcomeUnknown
from messages.exact import NOTHING
from messages.ids import NS_PER_S, ClientOrderId, Symbol, TimestampNs, VenueOrderId
from messages.orders import Fill
from messages.texts import writable
from messages.values import OrderState, Side

FAILURES_IN_A_ROW = 3
"""After so many the rest of the orders is not asked for: the exchange has other things to do."""
_LOOK_BACK_NS = 60 * NS_PER_S


class ShownOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the exchange shows it now; the times are its own."""

    client_order_id: ClientOrderId
    """The one that it was placed with; empty where the exchange tells none."""
    venue_order_id: VenueOrderId
    symbol: Symbol
    side: Side
    quantity: Decimal
    state: OrderState
    filled_quantity: Decimal
    placed_at_ns: TimestampNs


class Wanted(msgspec.Struct, frozen=True):
    """An order to be asked for."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId | None
    is_asked_alone: bool
    """Whether it is asked for by name when no list shows it."""


class Shown(msgspec.Struct):
    """Filled in while the exchange is asked, so that what came before an end of time is there."""

    orders: dict[tuple[Symbol, VenueOrderId], ShownOrder] = {}
    absent: set[ClientOrderId] = set()
    """Asked for by name, and not shown."""
    executions: dict[Symbol, dict[VenueOrderId, list[Fill]]] = {}
    """By symbol, where all of them since the first of the orders were listed."""
    problems: list[str] = []
    """What was not asked, or not answered, and why."""


class Looker:
    """Asks one open client; every coroutine on its loop."""

    def __init__(self, lookup: OrderLookup, capability: Capability) -> None:
        self._lookup, self._capability = lookup, capability

    async def look(self, wanted: Mapping[Symbol, Sequence[Wanted]], shown: Shown) -> None:
        """Ask for these orders, and for whatever else the account has on their symbols.

        Of each symbol two lists (what is open; the newest orders, one page of them), one question
        for each order that neither shows, and the executions since the oldest that was shown.
        A question that fails is told in `shown.problems`, and never raised.
        """
        for symbol, orders in wanted.items():
            try:
                await self._lists(symbol, shown)
            except OutcomeUnknown as error:
                shown.problems.append(f"the orders of {symbol}: {error}")
                continue
            await self._alone(symbol, orders, shown)
            await self._executions(symbol, {one.client_order_id for one in orders}, shown)

    async def _lists(self, symbol: Symbol, shown: Shown) -> None:
        listed = await self._lookup.open_orders(symbol)
        listed += await self._lookup.newest_orders(symbol)
        for order in listed:
            self._take(order, shown)

    async def _alone(self, symbol: Symbol, orders: Sequence[Wanted], shown: Shown) -> None:
        names = {one.client_order_id for one in shown.orders.values()}
        left = [
            one
            for one in orders
            if one.is_asked_alone
            and one.client_order_id not in names
            and (symbol, one.venue_order_id) not in shown.orders
        ]
        in_a_row = 0
        for place, one in enumerate(left, 1):
            try:
                await self._one(one, symbol, shown)
                in_a_row = 0
            except OutcomeUnknown as error:
                shown.problems.append(f"{one.client_order_id}: {error}")
                in_a_row += 1
            if in_a_row == FAILURES_IN_A_ROW and place < len(left):
                shown.problems.append(f"{len(left) - place} more orders of {symbol}, for that")
                return

    async def _one(self, one: Wanted, symbol: Symbol, shown: Shown) -> None:
        """Ask by our id, and by the exchange's where that tells nothing."""
        if self._capability.lookup is Lookup.CLIENT_ID:
            order = await self._lookup.by_id(one.client_order_id, symbol)
            if order is not None:
                self._take(order, shown, one.client_order_id)
                return
        if one.venue_order_id:
            order = await self._lookup.by_venue_id(one.venue_order_id, symbol)
            if order is not None:
                self._take(order, shown)
                return
        shown.absent.add(one.client_order_id)

    async def _executions(self, symbol: Symbol, names: set[ClientOrderId], shown: Shown) -> None:
        """List them where any of the orders has one; those of other orders are left out."""
        ours = {
            one.venue_order_id: one.placed_at_ns
            for one in shown.orders.values()
            if one.symbol == symbol and one.client_order_id in names and one.filled_quantity
        }
        if not ours:
            return
        since_ns = max(0, min(ours.values()) - _LOOK_BACK_NS)
        try:
            trades = [
                trade_of(one) for one in await self._lookup.executions.since(symbol, since_ns)
            ]
        except (OutcomeUnknown, Unclear) as error:
            shown.problems.append(f"the executions of {symbol}: {error}")
            return
        shown.executions[symbol] = _by_order(trades, ours)

    def _take(self, order: dict[str, Any], shown: Shown, name: ClientOrderId | None = None) -> None:
        try:
            one = _shown_of(order, name)
        except Unclear as error:
            named = writable(str(order.get("id")))
            shown.problems.append(f"order {named} cannot be read: {error}")
            return
        shown.orders[one.symbol, one.venue_order_id] = one


def _by_order(
    trades: Sequence[AccountTrade], ours: Mapping[VenueOrderId, int]
) -> dict[VenueOrderId, list[Fill]]:
    found: dict[VenueOrderId, list[Fill]] = {name: [] for name in ours}
    for trade in trades:
        if trade.venue_order_id in found:
            found[trade.venue_order_id].append(trade.fill)
    return found


def _shown_of(order: Mapping[str, Any], name: ClientOrderId | None) -> ShownOrder:
    """Read an order; `name` goes before what the answer calls it.

    Raises:
        Unclear: no id, symbol, side, quantity or status.
    """
    quantity = number(order.get("amount"))
    told, side = order.get("info"), order.get("side")
    venue_order_id, symbol = name_in(order, "id"), name_in(order, "symbol")
    if not venue_order_id or not symbol or side not in ("buy", "sell"):
        raise Unclear("it has no id, symbol or side")
    if quantity is None:
        raise Unclear("it has no quantity")
    # A canceled order may be shown under the id of its cancel, and its own beside it.
    original = told.get("origClientOrderId") if isinstance(told, Mapping) else None
    return ShownOrder(
        client_order_id=name or ClientOrderId(str(original or name_of(order))),
        venue_order_id=VenueOrderId(venue_order_id),
        symbol=Symbol(symbol),
        side=Side(side),
        quantity=quantity,
        state=state_of(order),
        filled_quantity=filled_of(order) or NOTHING,
        placed_at_ns=milliseconds_ns(order.get("timestamp")),
    )
