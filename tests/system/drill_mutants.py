"""The drill's nursery with a bug planted in it. Run as a program: its argument names the bug."""

import sys
from collections.abc import Sequence
from typing import Any

from actors.gateway import Gateway
from actors.live_gateway import LiveGateway
from actors.open_orders import Move
from actors.order_desk import OrderDesk
from actors.send_ticket import SendTicket
from exchanges.protocol import NewOrder
from messages.errors import NotSent
from messages.ids import Epoch, OrderKey
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

    OrderDesk.commit = hasty  # type: ignore[method-assign]


def open_before_commit() -> None:
    """Let what is signed ahead leave at once, and write it down meanwhile."""
    ready = SendTicket.ready

    async def eager(self: SendTicket) -> None:
        self.open(lambda: None)
        await ready(self)

    SendTicket.ready = eager  # type: ignore[method-assign]


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

    LiveGateway._find = guess  # type: ignore[method-assign]


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

    Gateway._told = sure  # type: ignore[method-assign]


BUGS = {
    bug.__name__: bug
    for bug in (send_before_commit, open_before_commit, resend_without_asking, unknown_is_rejected)
}

if __name__ == "__main__":
    BUGS[sys.argv[1]]()
    sys.exit(main())
