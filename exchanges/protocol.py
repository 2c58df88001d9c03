"""What a venue must be able to do, whoever plays it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from messages.ids import ClientOrderId, Symbol, TimestampNs
from messages.market import MarketEvent
from messages.orders import OrderReport
from messages.values import OrderType, Side, TimeInForce


class NewOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order as it goes to the venue; `limit_price` is None for a market order."""

    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None
    decided_at_ns: TimestampNs
    """When the strategy decided, on the market's clock."""


class Trading(Protocol):
    """One account at one venue. Every method is called on one thread: the gateway's."""

    def submit(self, order: NewOrder) -> OrderReport:
        """Send one order; the report says what became of it so far, perhaps REJECTED.

        Raises:
            NotSent: the venue surely does not have it; the same id may be sent again.
            Rejected: the venue refused it; final.
            OutcomeUnknown: ask with `find`; never send again on a guess.
        """
        ...

    def find(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport | None:
        """Ask for an order by our own id; None is proof that the venue does not have it.

        Raises:
            VenueError: the question failed; nothing is known.
        """
        ...

    def on_market(self, events: Sequence[MarketEvent]) -> list[OrderReport]:
        """Show the venue what the market did; a real venue knows and gives nothing back.

        Raises:
            VenueError: a paper venue could not keep its book; show the events again.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files; open orders stay as they are."""
        ...
