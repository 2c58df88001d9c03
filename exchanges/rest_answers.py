"""What REST has answered of orders that may be open still: a private stream may not know of them.

An order that was accepted, or found, while the stream was not there is told of by nobody when it
fills: nothing is replayed, and no list of open orders shows what has ended.
"""

from messages.ids import ClientOrderId, Symbol, VenueOrderId
from messages.order_states import FINAL_STATES
from messages.orders import OrderReport

NAMES_MAX = 1_000
"""So many orders are remembered with our id for them."""


class RestAnswers:
    """Of one client, on its loop; what is known to have ended is forgotten, but for its name."""

    def __init__(self) -> None:
        self._names: dict[tuple[Symbol, VenueOrderId], ClientOrderId] = {}
        self._open: dict[tuple[Symbol, VenueOrderId], OrderReport] = {}

    def heard(self, report: OrderReport) -> OrderReport:
        """Take in an answer, and give it on."""
        if report.venue_order_id is not None:
            name = (report.symbol, report.venue_order_id)
            if report.client_order_id:  # a list may not tell it
                self._names[name] = report.client_order_id
            if len(self._names) > NAMES_MAX:
                del self._names[next(iter(self._names))]
            if report.state in FINAL_STATES:
                self._open.pop(name, None)
            else:
                self._open[name] = report
        return report

    def is_other(
        self, symbol: Symbol, venue_order_id: VenueOrderId, client_order_id: ClientOrderId
    ) -> bool:
        """Whether an order of the venue's is known to be another one than ours of that id."""
        return self._names.get((symbol, venue_order_id), client_order_id) != client_order_id

    def may_be_open(self) -> list[OrderReport]:
        """Give the orders of which no answer has shown an end, as they were answered last."""
        return list(self._open.values())
