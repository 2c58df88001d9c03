"""Faults that strike inside: what a read sees, what a placement trades, what meets a cancel."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from exchanges.local.engine import Engine
from exchanges.local.faults import Fault, Plan
from exchanges.local.orders import Order, Placement, Status, Trade, copied
from messages.exact import NOTHING
from messages.ids import NS_PER_S


class Sight(msgspec.Struct, frozen=True):
    """What one read sees at its moment: with no fault of reads all there is, as it is."""

    plan: Plan | None
    now_ns: int

    def sees(self, ts_ns: int) -> bool:
        """Whether what is of that moment is seen at all; a stale read is blind to what is new."""
        if self.plan is None or self.plan.fault is not Fault.STALE_READ:
            return True
        return self.now_ns - ts_ns >= self.plan.delay_s * NS_PER_S

    @property
    def lags_behind_ns(self) -> int | None:
        """The moment whose state a lagging read shows."""
        if self.plan is None or self.plan.fault is not Fault.LAGGING_READ:
            return None
        return self.now_ns - round(self.plan.delay_s * NS_PER_S)

    def of_order(self, order: Order, its: Iterable[Trade]) -> Order:
        """Give an order as a reader sees it: as it is, or by its trades, as it rested then."""
        seen, then_ns = copied(order), self.lags_behind_ns
        if then_ns is None or order.ts_updated_ns <= then_ns:
            return seen
        before = [one for one in its if one.ts_ns <= then_ns]
        seen.filled = sum((one.quantity for one in before), NOTHING)
        seen.filled_quote = sum((one.quote for one in before), NOTHING)
        seen.status = Status.PARTIALLY_FILLED if before else Status.NEW
        seen.ts_updated_ns = max((one.ts_ns for one in before), default=order.ts_created_ns)
        seen.cancel_id, seen.expiry_reason = "", 0
        return seen

    def of_trades(self, trades: Iterable[Trade]) -> list[Trade]:
        """Give the trades that a reader sees."""
        then_ns = self.lags_behind_ns
        return [
            one
            for one in trades
            if self.sees(one.ts_ns) and (then_ns is None or one.ts_ns <= then_ns)
        ]


def fill_cap(engine: Engine, placement: Placement, plan: Plan | None) -> Decimal | None:
    """Give how much of a placement may trade at once; None for as much as there is.

    Raises:
        Refused: its symbol is not listed.
    """
    if plan is None or plan.fault not in (Fault.PARTIAL_FILL, Fault.NO_FILL):
        return None
    step = engine.market(placement.symbol).step
    if plan.fault is Fault.NO_FILL:
        return Decimal(0)
    quantity = placement.quantity
    if quantity is None:
        quote = placement.quote_quantity or Decimal(0)
        quantity = quote / engine.last_prices[placement.symbol]
    return max(quantity / 2 // step, Decimal(1)) * step


def race(engine: Engine, order: Order, plan: Plan | None, market_ns: int) -> None:
    """Let an order trade, wholly or by half, just before its cancel arrives.

    Raises:
        Refused: its symbol is not listed.
    """
    if plan is None:
        return
    if plan.fault is Fault.CANCEL_FILL_RACE:
        engine.fill(order, order.left, market_ns)
    elif plan.fault is Fault.CANCEL_PARTIAL_RACE:
        step = engine.market(order.symbol).step
        half = max(order.left / 2 // step, Decimal(1)) * step
        engine.fill(order, half, market_ns)
