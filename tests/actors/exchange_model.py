"""A small honest exchange, the wire to it, and our client at it, for the order path's model.

The exchange outlives our process, and so does a request that has left. It takes a request until
its receive window is over, however late that is for who sent it, and shows an order a while
after it took it, at most `LAG_MS` later. Binance's way with ids: an id is refused only while an
order of that id is open, so a filled order that is sent again fills again.

The client keeps the promises of `LiveTrading` and no others: `find` gives None only when it was
asked after the last moment at which a request that it can know of might have been taken.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from exchanges.facts import StreamState
from exchanges.protocol import SEND_WITHIN_MS, NewOrder
from messages.errors import NotSent, OutcomeUnknown, Rejected, VenueError
from messages.ids import NS_PER_MS, ClientOrderId, Symbol, TimestampNs, TradeId, VenueOrderId
from messages.order_states import FINAL_STATES
from messages.orders import Fill, OrderReport
from messages.values import Liquidity
from messages.values import OrderState as S
from tests.actors.stepped_loop import Turn

WINDOW_MS, LAG_MS = 2_000, 1_000
HALF = Decimal("0.5")
PRICE = Decimal(100)


@dataclass
class Held:
    """An order that the exchange has taken; `shown` is what it was from which moment on."""

    order: NewOrder
    number: int
    taken_ns: int
    state: S = S.ACCEPTED
    fills: list[Fill] = field(default_factory=list)
    shown: list[tuple[int, OrderReport]] = field(default_factory=list)

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), Decimal(0))

    @property
    def is_open(self) -> bool:
        return self.state not in FINAL_STATES


@dataclass
class Request:
    """An order on its way; `answer` is what the exchange says to it, once it has arrived."""

    order: NewOrder
    signed_ns: int
    answer: OrderReport | VenueError | None = None


class ModelExchange:
    """The truth. `news` is what its stream has not told yet."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns
        self.held: list[Held] = []
        self.wire: list[Request] = []
        self.news: list[OrderReport] = []
        self.late_cancels: list[ClientOrderId] = []
        """Cancels of which nobody knows whether they will arrive yet."""

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Cancel what is open under an id, if anything is."""
        for held in self.with_id(client_order_id):
            if held.is_open:
                self.move(held, S.CANCELED)

    def arrive(self, request: Request, how: str) -> None:
        """Take a request off the wire: ``rest``, ``part``, ``fill`` or ``refuse``."""
        self.wire.remove(request)
        if self.now_ns() > request.signed_ns + WINDOW_MS * NS_PER_MS:
            request.answer = NotSent("-1021: outside of the receive window")
        elif how == "refuse":
            request.answer = Rejected("-2010: no money")
        elif any(one.is_open for one in self.with_id(request.order.client_order_id)):
            request.answer = Rejected("-2010: duplicate order sent")
        else:
            held = Held(request.order, len(self.held), self.now_ns())
            self.held.append(held)
            request.answer = self._changed(held, S.ACCEPTED, 0)
            if how != "rest":
                request.answer = self.move(held, S.FILLED if how == "fill" else S.PARTIALLY_FILLED)

    def move(self, held: Held, to: S) -> OrderReport:
        """Let the market, or a person, do something to an open order."""
        left = int(held.order.quantity / HALF) - len(held.fills)
        halves = {S.FILLED: left, S.PARTIALLY_FILLED: 1}.get(to, 0)
        to = S.FILLED if halves == left else to
        return self._changed(held, to, halves)

    def _changed(self, held: Held, to: S, halves: int) -> OrderReport:
        held.state = to
        for _ in range(halves):
            name = f"{held.number}-{len(held.fills)}"
            held.fills.append(_fill(name, self.now_ns()))
        report = self.report(held, "find", held.fills)
        held.shown.append((self.now_ns(), report))
        self.news.append(self.report(held, "stream", held.fills[len(held.fills) - halves :]))
        return report

    def report(self, held: Held, evidence: str, fills: Sequence[Fill]) -> OrderReport:
        return OrderReport(
            client_order_id=held.order.client_order_id,
            symbol=held.order.symbol,
            state=held.state,
            venue_order_id=VenueOrderId(f"v{held.number}"),
            filled_quantity=held.filled,
            average_price=PRICE if held.fills else None,
            fills=tuple(fills),
            reason="",
            evidence=evidence,
            ts_event_ns=TimestampNs(self.now_ns()),
        )

    def with_id(self, client_order_id: ClientOrderId) -> list[Held]:
        return [one for one in self.held if one.order.client_order_id == client_order_id]

    def seen(self, client_order_id: ClientOrderId, at_ns: int) -> OrderReport | None:
        """What a database that is as old as `at_ns` shows of an order."""
        shown = [
            report
            for held in self.with_id(client_order_id)
            for since_ns, report in held.shown
            if since_ns <= at_ns
        ]
        return shown[-1] if shown else None


def _fill(name: str, now_ns: int) -> Fill:
    return Fill(
        trade_id=TradeId(name),
        price=PRICE,
        quantity=HALF,
        fee=Decimal(0),
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(now_ns),
    )


class ModelVenue:
    """Our process's client: what it remembers dies with it. See `LiveTrading`."""

    def __init__(self, exchange: ModelExchange) -> None:
        self._exchange = exchange
        self._signed_ns: dict[ClientOrderId, int] = {}
        self._in_flight: list[ClientOrderId] = []
        self.tell: Callable[[OrderReport | StreamState], None] = lambda _: None

    async def submit(self, order: NewOrder, fence: Callable[[], None]) -> OrderReport:
        name = order.client_order_id
        self._in_flight.append(name)
        try:
            if not await Turn("connect", name):
                raise NotSent("no connection")
            try:
                fence()
            except Exception as error:
                raise NotSent(f"fenced: {error}") from error
            request = Request(order, self._exchange.now_ns())
            self._signed_ns[name] = request.signed_ns
            self._exchange.wire.append(request)
            return await self._answer(request)
        finally:
            self._in_flight.remove(name)

    async def _answer(self, request: Request) -> OrderReport:
        heard = await Turn("answer", request.order.client_order_id)
        if not heard or request.answer is None:
            raise OutcomeUnknown("no answer")
        self._signed_ns.pop(request.order.client_order_id, None)
        if isinstance(request.answer, VenueError):
            raise request.answer
        return request.answer

    async def find(
        self,
        client_order_id: ClientOrderId,
        symbol: Symbol,
        *,
        sent_at_ns: int,
        closed_hint: bool = False,
        venue_order_id: VenueOrderId | None = None,
    ) -> OrderReport | None:
        still_sending = client_order_id in self._in_flight
        provable_ns = self._provable_ns(client_order_id, sent_at_ns)
        lag_ms = await Turn("look", client_order_id)
        asked_ns = self._exchange.now_ns()
        seen = self._exchange.seen(client_order_id, asked_ns - lag_ms * NS_PER_MS)
        if not await Turn("seen", client_order_id):
            raise OutcomeUnknown("no answer")
        if seen is None and (still_sending or asked_ns < provable_ns):
            raise OutcomeUnknown("not seen, which is no proof yet")
        self._signed_ns.pop(client_order_id, None)
        return seen

    def _provable_ns(self, client_order_id: ClientOrderId, sent_at_ns: int) -> int:
        known_ns = self._signed_ns.get(client_order_id, sent_at_ns + SEND_WITHIN_MS * NS_PER_MS)
        return max(known_ns, sent_at_ns) + (WINDOW_MS + LAG_MS) * NS_PER_MS

    async def cancel(self, client_order_id: ClientOrderId, symbol: Symbol) -> OrderReport:
        arrives = await Turn("cancel", client_order_id)
        if arrives:
            self._exchange.cancel(client_order_id)
        else:
            self._exchange.late_cancels.append(client_order_id)
        if not await Turn("canceled", client_order_id) or not arrives:
            raise OutcomeUnknown("no answer")
        shown = self._exchange.seen(client_order_id, self._exchange.now_ns())
        if shown is None:
            raise OutcomeUnknown("no such order, so far")
        return shown

    async def open_orders(self, symbol: Symbol) -> list[OrderReport]:
        lag_ms = await Turn("look", "")
        at_ns = self._exchange.now_ns() - lag_ms * NS_PER_MS
        if not await Turn("seen", ""):
            raise OutcomeUnknown("no answer")
        names = dict.fromkeys(held.order.client_order_id for held in self._exchange.held)
        shown = [self._exchange.seen(name, at_ns) for name in names]
        return [one for one in shown if one is not None and one.state not in FINAL_STATES]

    async def watch(
        self, symbols: Sequence[Symbol], tell: Callable[[OrderReport | StreamState], None]
    ) -> None:
        self.tell = tell
        await Turn("watch", "")

    def follow(self, tell: Any, markets_changed: Any) -> None:
        """Nothing of the kind ever begins."""

    def markets(self) -> dict[Symbol, Any]:
        return {}

    async def close(self) -> None:
        """Nothing is held."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the order path used {name}, which this model does not have")
