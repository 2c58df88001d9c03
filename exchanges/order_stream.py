"""One truth of each order from three tellers: order events, trade events, REST. Pure.

Streams repeat, reorder and lose. So fills count once by trade id, what is filled never shrinks,
and an order never goes back: open, partially filled, ended. Two different ends cannot both be
true; the one with more filled is, and between equals the one that REST told.
"""

from decimal import Decimal

import msgspec

from exchanges.facts import AccountTrade
from messages.exact import NOTHING
from messages.ids import Symbol, TradeId, VenueOrderId
from messages.order_states import FINAL_STATES
from messages.orders import Fill, OrderReport
from messages.values import OrderState

_RANK = {OrderState.ACCEPTED: 0, OrderState.PARTIALLY_FILLED: 1}
_ENDED = 2
# A last resort that only makes the result independent of who spoke first.
_ENDS = (OrderState.REJECTED, OrderState.EXPIRED, OrderState.CANCELED, OrderState.FILLED)

OrderName = tuple[Symbol, VenueOrderId]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one order; `report.fills` holds every fill, oldest first."""

    report: OrderReport
    by_rest: bool
    """Whether REST told its state."""


class OrderStream:
    """Merges reports and trades. `keep` closed orders are remembered; open ones always are."""

    def __init__(self, keep: int = 1_000) -> None:
        self._keep = keep
        self._orders: dict[OrderName, Known] = {}
        self._early: dict[OrderName, dict[TradeId, Fill]] = {}

    def tell(self, report: OrderReport, *, by_rest: bool) -> OrderReport | None:
        """Take one report; give what is new by it, with only the new fills, or None."""
        if report.venue_order_id is None:
            return None
        name = (report.symbol, report.venue_order_id)
        before = self._orders.get(name)
        early = self._early.pop(name, {})
        told = Known(report=_whole(report, early), by_rest=by_rest)
        after = told if before is None else merge(before, told)
        return self._remember(name, before, after)

    def trade(self, trade: AccountTrade) -> OrderReport | None:
        """Take one execution; it waits when its order was not told of yet."""
        name = (trade.symbol, trade.venue_order_id)
        before = self._orders.get(name)
        if before is None:
            self._early.setdefault(name, {})[trade.fill.trade_id] = trade.fill
            self._forget(self._early)
            return None
        report = _whole(before.report, {trade.fill.trade_id: trade.fill})
        return self._remember(name, before, Known(report=report, by_rest=before.by_rest))

    def whole(self, symbol: Symbol, venue_order_id: VenueOrderId) -> OrderReport | None:
        """Give an order with all its fills."""
        known = self._orders.get((symbol, venue_order_id))
        return known.report if known is not None else None

    def symbol_of(self, venue_order_id: VenueOrderId) -> Symbol | None:
        """Give the symbol of an order that was told of; None where that is not certain."""
        found = [symbol for symbol, identity in self._orders if identity == venue_order_id]
        return found[0] if len(found) == 1 else None

    def open_orders(self) -> list[OrderReport]:
        """Give every order that is not known to have ended."""
        return [k.report for k in self._orders.values() if k.report.state not in FINAL_STATES]

    def without_fills(self) -> list[OrderReport]:
        """Give every ended order of which more is filled than its known fills sum up to."""
        reports = (known.report for known in self._orders.values())
        return [r for r in reports if r.state in FINAL_STATES and _missing(r) > NOTHING]

    def _remember(self, name: OrderName, before: Known | None, after: Known) -> OrderReport | None:
        self._orders[name] = after
        closed = len(self._orders) > self._keep and after.report.state in FINAL_STATES
        if closed:
            self._forget(self._orders)
        return _news(before.report if before is not None else None, after.report)

    def _forget(
        self, orders: dict[OrderName, Known] | dict[OrderName, dict[TradeId, Fill]]
    ) -> None:
        for name in list(orders)[: len(orders) - self._keep]:
            known = self._orders.get(name)
            if known is None or known.report.state in FINAL_STATES:
                orders.pop(name, None)


def merge(one: Known, other: Known) -> Known:
    """Give what both together prove; the order of the two does not matter."""
    first, second = sorted((one, other), key=_certainty)
    fills = {fill.trade_id: fill for fill in (*first.report.fills, *second.report.fills)}
    best = second.report
    report = msgspec.structs.replace(
        best,
        client_order_id=best.client_order_id or first.report.client_order_id,
        filled_quantity=max(first.report.filled_quantity, best.filled_quantity),
        average_price=best.average_price or first.report.average_price,
        reason=best.reason or first.report.reason,
        ts_event_ns=max(first.report.ts_event_ns, best.ts_event_ns),
    )
    return Known(report=_whole(report, fills), by_rest=second.by_rest)


def _certainty(known: Known) -> tuple[int, Decimal, bool, int, int]:
    report = known.report
    ended = report.state in FINAL_STATES
    rank = _ENDED if ended else _RANK.get(report.state, 0)
    end = _ENDS.index(report.state) if report.state in _ENDS else -1
    return rank, report.filled_quantity, known.by_rest, end, report.ts_event_ns


def _whole(report: OrderReport, more: dict[TradeId, Fill]) -> OrderReport:
    """Add fills; what they sum up to is filled at least, and then the average is theirs."""
    fills = {fill.trade_id: fill for fill in report.fills} | more
    ordered = tuple(sorted(fills.values(), key=lambda fill: (fill.ts_event_ns, fill.trade_id)))
    summed = sum((fill.quantity for fill in ordered), NOTHING)
    filled = max(report.filled_quantity, summed)
    average = report.average_price
    if filled and len(ordered) == 1 and ordered[0].quantity == filled:
        # The same numbers, and not others like them: a thousand ended orders are remembered.
        filled, average = ordered[0].quantity, ordered[0].price
    elif filled and summed == filled:
        average = sum((fill.price * fill.quantity for fill in ordered), NOTHING) / summed
    state = report.state
    if state is OrderState.ACCEPTED and filled:
        state = OrderState.PARTIALLY_FILLED
    return msgspec.structs.replace(
        report, fills=ordered, filled_quantity=filled, average_price=average, state=state
    )


def _missing(report: OrderReport) -> Decimal:
    return report.filled_quantity - sum((fill.quantity for fill in report.fills), NOTHING)


def _news(before: OrderReport | None, after: OrderReport) -> OrderReport | None:
    if before is None:
        return after
    seen = {fill.trade_id for fill in before.fills}
    fresh = tuple(fill for fill in after.fills if fill.trade_id not in seen)
    same = (before.state, before.filled_quantity) == (after.state, after.filled_quantity)
    return None if same and not fresh else msgspec.structs.replace(after, fills=fresh)
