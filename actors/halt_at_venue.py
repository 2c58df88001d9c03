"""What a halt asks of the venue, and what it has heard there that is no step of it.

One incarnation's, on the executor's thread. Answers come back as messages.
"""

from collections.abc import Iterable

from actors.context import Context
from actors.gateway import Gateway
from actors.order_desk import OrderDesk
from actors.order_records import new_order
from decisions.executor import contradiction
from exchanges.capabilities import OUR_PREFIXES
from messages.ids import OrderKey
from messages.order_states import FINAL_STATES, UNSENT_STATES
from messages.orders import LookupDone, OrderReport
from persistence.ledger import Ledger


class HaltAtVenue:
    """See the module."""

    def __init__(self, ctx: Context, ledger: Ledger, gateway: Gateway, desk: OrderDesk) -> None:
        self._ctx, self._ledger, self._gateway, self._desk = ctx, ledger, gateway, desk
        self.foreign: tuple[str, ...] = ()
        """The open orders of others, as they were listed last."""
        self.problem = ""
        """Why it was asked in vain last."""

    # ------------------------------------------------------------ what it is asked

    def list_open(self, question: int, keys: Iterable[OrderKey]) -> None:
        """Ask what is open on all symbols of the run, and of these orders."""
        symbols = [entry.symbol for entry in self._ledger.open_entries()]
        symbols += [entry.symbol for entry in self._ledger.lookup([*keys]).values()]
        self._gateway.list_open(self._ctx.epoch, question, symbols)

    def cancel(self, key: OrderKey) -> bool:
        """Cancel an order; False where there is nothing to cancel."""
        entry = self._ledger.lookup([key])[key]
        if entry.state in UNSENT_STATES:
            return False
        self._gateway.cancel(self._ctx.epoch, key, new_order(entry))
        return True

    def ask(self, key: OrderKey) -> None:
        """Ask what became of an order."""
        self._desk.asking.ask_for(self._ledger.lookup([key])[key])

    # ------------------------------------------------------------ what it says

    def heard(self, problem: str) -> None:
        """Remember why it was asked in vain; empty: it was not."""
        self.problem = problem or self.problem

    def is_open(self, answer: LookupDone) -> bool | None:
        """Whether it shows an order as open; None where that is not known."""
        if answer.report is not None:
            return answer.report.state not in FINAL_STATES
        # Void, too, is an absence that was asked for before the last send.
        void = answer.problem or answer.order_key in self._desk.orders.unsettled
        return None if void else False

    def sort(self, reports: Iterable[OrderReport]) -> tuple[list[OrderKey], tuple[str, ...]]:
        """Tell this ledger's orders, ended ones too, from those of anybody else."""
        by_name = {report.client_order_id: report for report in reports}
        known = {e.client_order_id: e.order_key for e in self._ledger.open_entries()}
        unknown = [name for name in by_name if name not in known and name.startswith(OUR_PREFIXES)]
        for name, entry in self._ledger.called(unknown).items() if unknown else ():
            known[name] = entry.order_key
            if difference := contradiction(entry.order_key, entry, by_name[name]):
                self._desk.differs(difference, entry.order_key)
        foreign = tuple(
            f"{report.symbol} {report.venue_order_id or report.client_order_id}"
            for report in reports
            if report.client_order_id not in known
        )
        return [known[name] for name in by_name if name in known], foreign

    def open_here(self) -> list[OrderKey]:
        """Give what is open by the ledger, whatever the venue says."""
        return [entry.order_key for entry in self._ledger.open_entries()]
