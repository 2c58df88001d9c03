"""The drill's nursery with a bug planted in it. Run as a program: its argument names the bug."""

import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from actors.gateway import Gateway
from actors.live_gateway import LiveGateway
from actors.open_orders import Move
from actors.order_desk import OrderDesk
from decisions import halting
from exchanges.ccxt_cancel import Canceler
from exchanges.protocol import NewOrder
from messages.errors import NotSent, OutcomeUnknown
from messages.ids import ClientOrderId, Epoch, OrderKey, Symbol, TimestampNs
from messages.orders import LookupDone, OrderReport
from messages.values import OrderState
from ops.drill_nursery import main
from persistence.entries import Claim, claimed_entry


def send_before_commit() -> None:
    """Hand orders over first, and write them down then."""
    commit = OrderDesk.commit

    def hasty(self: Any, moves: Sequence[Move], claims: Sequence[Claim]) -> None:
        for claim in claims:
            if claim.sent:
                entry = claimed_entry(claim, self._ctx.utc_ns())
                self._submit(entry, claim.intent.ts_created_ns)
        self._hand_over = lambda _: None
        commit(self, moves, claims)

    OrderDesk.commit = hasty  # type: ignore[method-assign]  # planted


def resend_without_asking() -> None:
    """Take a lost answer for proof that the venue does not have the order."""

    async def guess(
        self: Any,
        epoch: Epoch,
        key: OrderKey,
        order: NewOrder,
        sent_at_ns: int,
    ) -> None:
        absent = LookupDone(order_key=key, epoch=epoch, report=None, problem="")
        self._executor.tell(absent)

    LiveGateway._find = guess  # type: ignore[method-assign]  # planted


def unknown_is_rejected() -> None:
    """Call every failed send a rejection."""
    told = Gateway._told

    def sure(self: Any, order: NewOrder, error: BaseException) -> OrderReport:
        report = told(self, order, error)
        if not isinstance(error, NotSent):
            report = type(report)(
                **{name: getattr(report, name) for name in report.__struct_fields__}
                | {"state": OrderState.REJECTED}
            )
        return report

    Gateway._told = sure  # type: ignore[method-assign]  # planted


def unknown_cancel_is_canceled() -> None:
    """Take a cancel whose outcome is not known for one that worked."""
    cancel = Canceler.cancel

    async def sure(self: Any, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        try:
            return await cancel(self, client_order_id, symbol)
        except OutcomeUnknown:
            return OrderReport(
                client_order_id=client_order_id,
                symbol=symbol,
                state=OrderState.CANCELED,
                venue_order_id=None,
                filled_quantity=Decimal(0),
                average_price=None,
                fills=(),
                reason="",
                evidence="cancel",
                ts_event_ns=TimestampNs(time.time_ns()),
            )

    Canceler.cancel = sure  # type: ignore[method-assign]  # planted


def racing_fill_is_dropped() -> None:
    """Take what was canceled for never filled."""
    cancel = Canceler.cancel

    async def empty(self: Any, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        report = await cancel(self, client_order_id, symbol)
        return msgspec.structs.replace(
            report, filled_quantity=Decimal(0), average_price=None, fills=()
        )

    Canceler.cancel = empty  # type: ignore[method-assign]  # planted


def halt_is_proved_without_asking() -> None:
    """Take the end of the last cancel for the proof."""

    def done(before: halting.Halt, key: OrderKey) -> halting.Step:
        rest = {other: tries for other, tries in before.open.items() if other != key}
        after = msgspec.structs.replace(before, open=rest)
        if before.state is halting.HaltState.HALTING and not rest:
            after = msgspec.structs.replace(after, state=halting.HaltState.HALTED_PROVED)
        return after, ()

    halting.cancel_done = done


BUGS = {
    bug.__name__: bug
    for bug in (
        send_before_commit,
        resend_without_asking,
        unknown_is_rejected,
        unknown_cancel_is_canceled,
        racing_fill_is_dropped,
        halt_is_proved_without_asking,
    )
}

if __name__ == "__main__":
    BUGS[sys.argv[1]]()
    sys.exit(main())
