"""What a venue must be able to do, whoever plays it."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from exchanges.conditions import Condition
from exchanges.facts import AccountTrade, Balance, MarketFacts, StreamState, VenueFacts
from messages.ids import ClientOrderId, StrategyId, Symbol, TimestampNs, VenueOrderId
from messages.market import MarketEvent
from messages.orders import OrderReport
from messages.values import OrderType, Side, TimeInForce

SEND_WITHIN_MS = 5_000
"""An order that is marked as SENT leaves within this, or not at all: it bounds how long a
question can prove nothing after a crash."""

NOT_SEEN = "not_seen"
"""What a failed `find` says where the venue shows no such order, and that is no proof (yet)."""

NEVER_PROOF = "never proof"
"""What a failed `find` says where the venue can never prove that it has no such order."""


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
    touched_price: Decimal | None = None
    """Of a stop's market order, what could be had inside the candle that ended when it was decided.

    A played venue gives it there. A real one gives what its book has, when it is asked.
    """
    venue_order_id: VenueOrderId | None = None
    """What the venue calls it, once it has said: to ask for this one and no namesake."""
    strategy_id: StrategyId = StrategyId("")
    """Whose it is: a played venue serves orders of one moment by it. A real one is not told."""


class Trading(Protocol):
    """One account at one venue. Every method is called on one thread: the gateway's."""

    def submit(self, order: NewOrder) -> OrderReport:
        """Send one order; the report says what became of it so far, perhaps REJECTED.

        Raises:
            NotSent: the venue surely does not have it; the same id may be sent again.
            Rejected: the venue refused it; final.
            OutcomeUnknown: ask with `find`; never send again on a guess.
            VenueFailed: the same, and nothing else may be submitted: the venue is out of order.
        """
        ...

    def find(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport | None:
        """Ask for an order by our own id; None is proof that the venue does not have it.

        Raises:
            VenueError: the question failed; nothing is known.
        """
        ...

    def cancel(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        """Cancel an order; the report is what the venue shows after it.

        An order that had ended before is reported as it ended; one that is still open in the
        report was surely not canceled.

        Raises:
            OutcomeUnknown: the cancel may have worked, or there is no such order; use `find`.
            VenueFailed: the venue is out of order; nothing may be submitted after that.
        """
        ...

    def open_orders(self, symbol: Symbol) -> list[OrderReport]:
        """Give every open order of the account on a symbol.

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


class LiveTrading(Protocol):
    """One account at one real venue. Every coroutine runs on the one loop that owns it."""

    async def open(self) -> VenueFacts:
        """Pass the gate: nothing may be traded before it has returned.

        Raises:
            VenueRefused: one sentence that says what is missing or wrong and what to do.
        """
        ...

    async def submit(self, order: NewOrder, fence: Callable[[], None]) -> OrderReport:
        """Send one order, exactly as it is: nothing is rounded.

        `fence` is called when the request is signed and about to leave; what it raises stops
        the send. It must raise when the order's SENT mark is older than `SEND_WITHIN_MS`.

        Raises:
            NotSent: the venue surely does not have it; the same id may be sent again.
            Rejected: the venue refused it; final.
            OutcomeUnknown: ask with `find`; never send again on a guess.
        """
        ...

    async def find(
        self,
        client_order_id: ClientOrderId,
        symbol: Symbol,
        *,
        sent_at_ns: int,
        closed_hint: bool,
        venue_order_id: VenueOrderId | None = None,
    ) -> OrderReport | None:
        """Ask for an order by our own id; None is proof that the venue does not have it.

        Of several orders with that id the one that is called `venue_order_id` is told of, and the
        others are its namesakes. Where our id shows none any more, that one is asked for.

        `sent_at_ns` is when the order was marked as SENT, on this machine's clock.
        `closed_hint` says that it is thought to be closed: closed orders are searched first.

        Raises:
            OutcomeUnknown: nothing is known yet; `ask_again_ns` may say from when on absence
                can be proved, on the venue's clock.
        """
        ...

    async def cancel(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        """Cancel, then ask: the report is what the venue showed after the cancel.

        An order that is still open in the report was surely not canceled; the reason says why.

        Raises:
            OutcomeUnknown: the cancel may still arrive, or nothing can be seen; use `find`.
        """
        ...

    async def open_orders(self, symbol: Symbol) -> list[OrderReport]:
        """Give every open order of the account, also those that are not of this system."""
        ...

    async def trades(self, symbol: Symbol, since_ns: int) -> list[AccountTrade]:
        """Give the account's executions since a moment of the venue's clock, oldest first."""
        ...

    async def balances(self) -> dict[str, Balance]:
        """Give what the account holds, by currency."""
        ...

    async def server_time_ns(self) -> TimestampNs:
        """Ask for the venue's clock; as old as half a round trip."""
        ...

    async def watch(
        self, symbols: Sequence[Symbol], tell: Callable[[OrderReport | StreamState], None]
    ) -> None:
        """Tell of every change of the account's orders and of the stream, until cancelled."""
        ...

    def follow(
        self,
        tell: Callable[[Condition], object],
        markets_changed: Callable[[Mapping[Symbol, MarketFacts]], object],
    ) -> None:
        """Tell what lasts, when it begins and when it is over, and of symbols' new rules.

        What stands already is told at once. Then both are called on the loop, before the call
        that showed it has returned.
        """
        ...

    def markets(self) -> Mapping[Symbol, MarketFacts]:
        """Give the symbols' rules as they were last read; from any thread."""
        ...

    async def close(self) -> None:
        """Let go of connections; open orders stay as they are."""
        ...
