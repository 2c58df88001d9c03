"""Finding an order by our own id: what the venue shows now, and how sure it is to be the one."""

from decimal import Decimal
from typing import Any

import msgspec

from exchanges.capabilities import Capability, Lookup
from exchanges.ccxt_asking import Heard
from exchanges.ccxt_call import recorded
from exchanges.ccxt_executions import OrderExecutions
from exchanges.ccxt_numbers import Unclear
from exchanges.ccxt_parse import Raw, report_of
from exchanges.ccxt_questions import Questions
from exchanges.rate_budget import Urgency
from messages.errors import OutcomeUnknown
from messages.ids import NS_PER_MS, ClientOrderId, Symbol, VenueOrderId
from messages.orders import OrderReport

_LOOK_BACK_MS = 60_000
_NO_ID = ""
"""For the venue's id, where ours is asked for: with None ccxt cannot say that there is none."""


class Found(msgspec.Struct, frozen=True):
    """An order as the venue shows it, and what is to be said about that."""

    order: dict[str, Any]
    note: str = ""
    others: tuple[str, ...] = ()
    """The venue's ids of what bears our id besides."""


class OrderLookup:
    """Asks one client about orders. Every failed question is an `OutcomeUnknown`."""

    def __init__(
        self,
        client: Any,
        capability: Capability,
        heard: Heard = lambda _call, _error: None,
    ) -> None:
        self._client = client
        self._capability = capability
        self._questions = Questions(heard)
        self.executions = OrderExecutions(client, capability, self._questions)

    async def look(
        self,
        client_order_id: ClientOrderId,
        symbol: Symbol,
        sent_at_ns: int | None,
        closed_hint: bool,
    ) -> Found | None:
        """Search everywhere; None when every place was seen and shows none now.

        Lists go back to a minute before `sent_at_ns`; without it they hold what is newest.

        Raises:
            OutcomeUnknown: a question failed before the order was found.
        """
        named = await self.by_id(client_order_id, symbol)
        if named is not None:
            return await self._with_namesakes(named, client_order_id, symbol, sent_at_ns)
        places = [self._open, self._closed]
        for place in reversed(places) if closed_hint else places:
            listed = await place(symbol, sent_at_ns)
            same = [order for order in listed if carries(order, client_order_id)]
            if same:
                return _first_of(same, sent_at_ns)
        return None

    async def followed(
        self, found: Found, venue_order_id: VenueOrderId | None, symbol: Symbol
    ) -> Found:
        """Give the order of that name where another one of our id was found, if it is shown.

        Raises:
            OutcomeUnknown: the question failed.
        """
        shown = str(found.order["id"])
        if venue_order_id is None or shown == venue_order_id:
            return found
        order = await self.by_venue_id(venue_order_id, symbol)
        if order is None:
            return found
        others = sorted({*found.others, shown} - {str(venue_order_id)})
        return Found(order, _note(order, others, None), tuple(others))

    async def named_by_venue(
        self, venue_order_id: VenueOrderId | None, client_order_id: ClientOrderId, symbol: Symbol
    ) -> Found | None:
        """Ask by the venue's own id, if it has told one, for what no search by ours shows.

        Raises:
            OutcomeUnknown: the question failed, or the answer is about another order.
        """
        if venue_order_id is None:
            return None
        order = self._sound(await self.by_venue_id(venue_order_id, symbol), client_order_id)
        return None if order is None else Found(order)

    async def by_id(self, client_order_id: ClientOrderId, symbol: Symbol) -> dict[str, Any] | None:
        """Ask for the one order, where the venue can be asked so; None: it shows none.

        Raises:
            OutcomeUnknown: the question failed.
        """
        if self._capability.lookup is not Lookup.CLIENT_ID:
            return None
        params = {self._capability.lookup_parameter: str(client_order_id)}
        with recorded(Urgency.QUESTION) as call:
            order = await self._questions.answer(
                f"ask for {client_order_id}",
                lambda: self._client.fetch_order(_NO_ID, str(symbol), params),
                call,
            )
        return self._sound(order, client_order_id)

    async def by_given_id(
        self, venue_order_id: str, client_order_id: ClientOrderId, symbol: Symbol
    ) -> dict[str, Any] | None:
        """Ask for the order that a placement was answered with; None: not shown, or not ours.

        Raises:
            OutcomeUnknown: the question failed.
        """
        if self._capability.lookup is Lookup.CLIENT_ID:
            return await self.by_id(client_order_id, symbol)
        order = await self.by_venue_id(venue_order_id, symbol)
        return order if order is not None and carries(order, client_order_id) else None

    async def by_venue_id(self, venue_order_id: str, symbol: Symbol) -> dict[str, Any] | None:
        """Ask for an order by the venue's own id; None: it shows none.

        Raises:
            OutcomeUnknown: the question failed.
        """
        with recorded(Urgency.QUESTION) as call:
            order = await self._questions.answer(
                f"ask for order {venue_order_id}",
                lambda: self._client.fetch_order(venue_order_id, str(symbol)),
                call,
            )
        if order is None:
            return None
        if not isinstance(order, dict) or str(order.get("id")) != venue_order_id:
            raise OutcomeUnknown("other_order: the answer is about another order; ask again")
        return order

    async def report(
        self, found: Found, client_order_id: ClientOrderId, symbol: Symbol
    ) -> OrderReport:
        """Make the full report, with every fill the venue shows.

        Raises:
            OutcomeUnknown: the order cannot be read.
        """
        fills, problem = await self.executions.of(found.order, symbol)
        try:
            report = report_of(
                found.order,
                evidence="find",
                fills=fills,
                reason="; ".join(part for part in (found.note, problem) if part),
                client_order_id=client_order_id,
            )
        except Unclear as error:
            raise OutcomeUnknown(f"no_proof: the venue's order cannot be read: {error}") from error
        if found.others:
            others = tuple(map(VenueOrderId, found.others))
            report = msgspec.structs.replace(report, namesakes=others)
        missing = report.filled_quantity - sum((f.quantity for f in fills), Decimal(0))
        if missing > 0 and not problem:
            note = f"fills for {missing:f} are not shown yet"
            reason = f"{report.reason}; {note}" if report.reason else note
            report = msgspec.structs.replace(report, reason=reason)
        return report

    async def open_orders(self, symbol: Symbol) -> list[dict[str, Any]]:
        """List the account's open orders.

        Raises:
            OutcomeUnknown: the question failed.
        """
        return await self._questions.ask_list(
            f"list open orders of {symbol}", lambda: self._client.fetch_open_orders(str(symbol))
        )

    async def newest_orders(self, symbol: Symbol) -> list[dict[str, Any]]:
        """List one page of the account's newest orders; where ccxt has no such list, ended ones.

        Raises:
            OutcomeUnknown: the question failed.
        """
        return await self._closed(symbol, None)

    def _sound(self, order: Any, client_order_id: ClientOrderId) -> dict[str, Any] | None:
        """Pass an answer that is about the order asked for; ccxt makes one of any 200."""
        if order is None:
            return None
        if not isinstance(order, dict) or not order.get("id") or not order.get("status"):
            raise OutcomeUnknown("no_answer: the venue's answer is not an order; ask again")
        told = order.get("clientOrderId")
        other = bool(told) and not carries(order, client_order_id)
        # A canceled order may be shown under the id of its cancel.
        if other and order["status"] in ("open", "closed"):
            raise OutcomeUnknown(f"other_order: the answer is about {told!r}; ask again")
        return order

    async def _with_namesakes(
        self,
        order: dict[str, Any],
        client_order_id: ClientOrderId,
        symbol: Symbol,
        sent_at_ns: int | None,
    ) -> Found:
        """Say whether other orders have the id: the venue chose which one it showed."""
        placed_ns = (order.get("timestamp") or 0) * NS_PER_MS
        since_ns = min((ns for ns in (placed_ns, sent_at_ns) if ns), default=None)
        try:
            listed = await self._closed(symbol, since_ns)
        except OutcomeUnknown:
            return Found(order, "whether other orders have this id could not be seen")
        same = [one for one in listed if carries(one, client_order_id)]
        others = sorted({str(one["id"]) for one in same} - {str(order["id"])})
        note = _note(order, others, sent_at_ns)
        if len(listed) >= self._capability.page_length:
            note = "; ".join(part for part in (note, "not all orders since then were seen") if part)
        return Found(order, note, tuple(others))

    async def _open(self, symbol: Symbol, _since_ns: int | None) -> list[dict[str, Any]]:
        return await self.open_orders(symbol)

    async def _closed(self, symbol: Symbol, since_ns: int | None) -> list[dict[str, Any]]:
        since_ms = None if since_ns is None else max(0, since_ns // NS_PER_MS - _LOOK_BACK_MS)
        has_all = self._client.has.get("fetchOrders") is True
        method = self._client.fetch_orders if has_all else self._client.fetch_closed_orders
        length = self._capability.page_length
        return await self._questions.ask_list(
            f"list orders of {symbol}", lambda: method(str(symbol), since_ms, length)
        )


def carries(order: Raw, client_order_id: str) -> bool:
    """Whether an order bears our id; a canceled one may bear it as its original id only."""
    told = order.get("info")
    original = told.get("origClientOrderId") if isinstance(told, dict) else None
    return client_order_id in (order.get("clientOrderId"), original)


def _first_of(same: list[dict[str, Any]], sent_at_ns: int | None) -> Found:
    """Take the oldest, which the send made if any of them did, and name the others."""
    unique = {str(one["id"]): one for one in same}
    first = min(unique.values(), key=lambda one: (one.get("timestamp") or 0, str(one["id"])))
    others = sorted(set(unique) - {str(first["id"])})
    return Found(first, _note(first, others, sent_at_ns), tuple(others))


def _note(order: Raw, others: list[str], sent_at_ns: int | None) -> str:
    notes = []
    if others:
        also = ", ".join(others)
        notes.append(f"{len(others) + 1} orders have this id: this is {order['id']}, also {also}")
    placed_ms = order.get("timestamp")
    early_ms = 0 if sent_at_ns is None else sent_at_ns // NS_PER_MS - _LOOK_BACK_MS
    if isinstance(placed_ms, int) and 0 < placed_ms < early_ms:
        notes.append("it was placed more than a minute before it was sent from here")
    return "; ".join(notes)
