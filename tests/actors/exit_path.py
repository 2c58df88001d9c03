"""An executor, and a strategy that leaves what it has entered, in a few words."""

from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from decisions.risk import RiskLimits
from messages.errors import LedgerUnavailable
from messages.ids import OrderKey
from messages.values import Instrument, Side
from messages.values import OrderState as S
from persistence.ledger import SqliteLedger
from tests.actors.order_path import BTC, OrderPath
from tests.actors.stopped_path import AGE_NS, Stopped

SPOT, MARGIN = RiskLimits(allow_short=False), RiskLimits(allow_short=True)


def path(folder: Path, limits: RiskLimits = SPOT, **more: Any) -> Stopped:
    return Stopped(folder, max_decision_age_ns=AGE_NS, limits=limits, **more).start()


def leave(desk: OrderPath, number: int = 1, quantity: str = "1", **changes: Any) -> None:
    fields = {"quantity": Decimal(quantity), "leaves": Decimal(quantity), "reason": "out"}
    desk.tell(desk.intent(number, side=Side.SELL, **{**fields, **changes}))


def sold(desk: Stopped) -> list[tuple[str, S]]:
    """In the order in which they were sent."""
    orders = desk.orders()
    sent = [one.key for one in desk.gateway.sent if orders[one.key].side is Side.SELL]
    return [(f"{orders[key].quantity.normalize():f}", orders[key].state) for key in sent]


def with_most(desk: Stopped, most: str) -> None:
    desk.kept.instruments[BTC] = Instrument(symbol=BTC, max_market_quantity=Decimal(most))


def answer_of(desk: Stopped, key: OrderKey, state: S, filled: str) -> Any:
    report = desk.report(0, state, filled)
    return msgspec.structs.replace(
        report, client_order_id=desk.orders()[key].client_order_id, venue_order_id=None
    )


def answer_one(desk: Stopped, chance: Random, *, fails: bool) -> bool:
    for call in reversed(desk.gateway.sent):
        order = desk.orders()[call.key]
        if order.side is Side.SELL and order.state in {S.SENT, S.ACCEPTED}:
            bad = fails and chance.random() < 0.3
            filled = "0" if bad else f"{order.quantity}"
            state = S.REJECTED if bad else S.FILLED
            desk.tell(answer_of(desk, call.key, state, filled))
            return True
    return False


def begin_anew(desk: Stopped) -> None:
    """Every order is asked for: it is at the venue, as it was."""
    seen = len(desk.gateway.asked)
    desk.start()
    for asked in desk.gateway.asked[seen:]:
        order = desk.orders()[asked.key]
        state = S.PARTIALLY_FILLED if order.filled_quantity else S.ACCEPTED
        report = answer_of(desk, asked.key, state, f"{order.filled_quantity}")
        desk.tell(desk.answer(asked, report))


def could_be_sold(desk: Stopped) -> Decimal:
    """What was sold, and what of open exits may yet be."""
    sales = [order for order in desk.orders().values() if order.side is Side.SELL]
    ended = {S.REJECTED, S.REFUSED}
    return sum((one.quantity for one in sales if one.state not in ended), start=Decimal(0))


class Failing(SqliteLedger):
    """Fails in the write that is next but so many, before it is on disk or after."""

    left, is_late = 0, False
    """Of all of them: an incarnation opens another one."""

    def write(self, *args: Any, **more: Any) -> Any:
        Failing.left -= 1
        if Failing.left:
            return super().write(*args, **more)
        if Failing.is_late:
            super().write(*args, **more)
        raise LedgerUnavailable("disk full")
