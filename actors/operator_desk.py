"""What people want of the executor, in one place: the kill switch, orders and stops one by one."""

from collections.abc import Callable, Sequence
from typing import Any

from actors.actor import Reject
from actors.cancel_desk import CancelDesk
from actors.context import Context
from actors.gateway import Gateway
from actors.halt_desk import REPEAT, TRY_AGAIN, Forgive, HaltDesk
from actors.operator_board import OperatorBoard
from actors.order_desk import OrderDesk
from actors.person_desk import PersonDesk
from actors.replacements import Replacements
from actors.stop_hand import StopsByHand
from messages.halting import (
    CancelDone,
    CancelOrder,
    EndStop,
    OpenListed,
    ResolveOrder,
    ResumeTrading,
)
from messages.lifecycle import HaltTrading
from messages.orders import LookupDone, OrderReport
from persistence.ledger import Ledger, LedgerEntry


class OperatorDesk:
    """One incarnation's; see `HaltDesk`, `PersonDesk` and `StopsByHand`."""

    def __init__(
        self,
        *,
        ctx: Context,
        ledger: Ledger,
        gateway: Gateway,
        desk: OrderDesk,
        board: OperatorBoard,
        cancels: CancelDesk,
        replacements: Replacements,
        forgive: Forgive,
        on_resumed: Callable[[], None],
        replayed: bool,
    ) -> None:
        self._ctx, self._desk, self._cancels = ctx, desk, cancels
        self._replacements = replacements
        self._persons = PersonDesk(ctx=ctx, ledger=ledger, gateway=gateway, desk=desk, board=board)
        self._stops = StopsByHand(ctx=ctx, ledger=ledger, desk=desk, board=board)
        self._halts = HaltDesk(
            ctx=ctx,
            ledger=ledger,
            gateway=gateway,
            desk=desk,
            board=board,
            forgive=forgive,
            on_resumed=on_resumed,
            replayed=replayed,
        )

    @property
    def halted(self) -> bool:
        """Whether nothing may be sent."""
        return self._halts.halted

    def recover(self) -> None:
        """Take up an earlier halt; what it was to keep from being sent may not be refused yet."""
        self._halts.recover()
        if self.halted:
            self._replacements.halted(self._desk.halt_reason)

    def saw(self, entry: LedgerEntry) -> None:
        """An order moved, durably."""
        self._halts.saw(entry)

    def reported(self, reports: Sequence[OrderReport]) -> None:
        """The venue told of orders unasked; what moved is recorded."""
        self._halts.reported(reports)

    def looked_up(self, answer: LookupDone) -> None:
        """The order desk has taken this answer."""
        self._halts.looked_up(answer)
        self._persons.looked_up(answer)

    def receive(self, message: Any) -> None:
        """Take what a person wants, what the venue answers to it, or a timer of it."""
        match message:
            case HaltTrading():
                self._halts.order(message)
            case ResumeTrading():
                self._halts.resume(message)
            case CancelOrder():
                self._replacements.canceled_by_a_person(message.order_key)
                self._persons.cancel(message)
            case ResolveOrder():
                self._persons.resolve(message)
            case EndStop():
                self._stops.end(message)
            case CancelDone():
                self._canceled(message)
            case OpenListed():
                self._halts.listed(message)
            case _ if message == REPEAT:
                self._halts.repeat()
            case _ if message == TRY_AGAIN:
                self._halts.try_again()
            case _:
                raise Reject(f"an executor does not take {type(message).__name__}")

    def _canceled(self, answer: CancelDone) -> None:
        """Record what the venue showed, then ask: an answer to a cancel is a hint."""
        if answer.report is not None:
            moves = self._desk.orders.moves((answer.report,), self._ctx.utc_ns())
            self._desk.commit(moves, ())
            self._desk.orders.ended((answer.report,))
        self._halts.canceled(answer)
        self._persons.canceled(answer)
        self._cancels.canceled(answer)
