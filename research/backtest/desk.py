"""From decisions to orders and fills: what the executor and the paper gateway do, in one place.

The risk gate, the steps of an order and the venue are those that the actors use. What a
market event did at the venue is told before anybody decides on that event.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from decisions.executor import Claim, Refuse, sort_intents, steps_to
from decisions.order_keys import client_order_id
from decisions.portfolio import Portfolio
from decisions.risk_state import RiskState, release, saw_fill, saw_market
from exchanges.paper import PaperVenue
from exchanges.protocol import NewOrder
from messages.errors import Rejected
from messages.ids import ClientOrderId, StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketEvent, Tick, Trade
from messages.order_states import FINAL_STATES
from messages.orders import Fill, OrderIntent, OrderReport, OrderUpdate
from messages.values import OrderState
from research.backtest.plan import Plan

_NO_ORDERS: dict[ClientOrderId, "Order"] = {}


class Order(msgspec.Struct, kw_only=True):
    """One decision and how far its order came."""

    intent: OrderIntent
    client_order_id: ClientOrderId
    state: OrderState
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    fills: list[Fill] = []
    state_reason: str = ""


def _no_fingerprint(_: OrderIntent) -> str:
    """Keys are made once each here: there is nothing to compare."""
    return ""


class Desk:
    """Judges, sends, follows. `on_fill` hears of each execution, `on_update` of each step."""

    def __init__(
        self,
        plan: Plan,
        on_fill: Callable[[Order, Fill], None],
        on_update: Callable[[Order, OrderUpdate], None] | None,
    ) -> None:
        self.orders: list[Order] = []
        self.portfolio = Portfolio()
        self._limits = plan.limits
        self._risk = RiskState()
        self._risk.open_orders = None  # as in a replay: how long an order is open is chance there
        self._venue = PaperVenue(None, plan.venue)
        self.follows_equity = bool(plan.limits.max_daily_loss or plan.limits.max_drawdown)
        """Whether every event must be shown: a loss limit judges each price."""
        self._on_fill, self._on_update = on_fill, on_update
        self._open: dict[Symbol, dict[ClientOrderId, Order]] = {}
        self.open_of: Counter[StrategyId] = Counter()
        """How many orders of each strategy may still fill."""

    def has_open(self, symbol: Symbol) -> bool:
        """Whether an order may fill at the next event of this symbol."""
        return symbol in self._open

    def market(self, event: MarketEvent, *, candles_only: bool) -> None:
        """Show the venue an event, and take what it does; without an order it need not be shown.

        That holds for candles alone: a trade or a tick may be of an order's own moment.
        """
        symbol = event.symbol
        if self.follows_equity:
            saw_market(symbol, price_of(event), event.ts_event_ns, self._risk)
        if candles_only and symbol not in self._open:
            return
        for report in self._venue.on_market((event,)):
            order = self._open.get(symbol, _NO_ORDERS).get(report.client_order_id)
            if order is not None:
                self._reported(order, report)

    def decided(self, intents: Sequence[OrderIntent]) -> None:
        """Judge decisions of one moment, and send what is allowed."""
        for verdict in sort_intents(intents, {}, _no_fingerprint, self._limits, self._risk, {}):
            if isinstance(verdict, Claim):
                self._send(verdict.intent)
            elif isinstance(verdict, Refuse):
                order = _new_order(verdict.intent, OrderState.REFUSED)
                order.state_reason = f"{verdict.refusal.code}: {verdict.refusal.text}"
                self.orders.append(order)

    def balances(self) -> dict[str, Decimal]:
        """Give what the account owns, by currency."""
        return self._venue.balances()

    def _send(self, intent: OrderIntent) -> None:
        order = _new_order(intent, OrderState.SENT)
        self.orders.append(order)
        self._open.setdefault(intent.symbol, {})[order.client_order_id] = order
        self.open_of[intent.strategy_id] += 1
        try:
            report = self._venue.submit(_for_venue(order))
        except Rejected as error:
            self._step(order, OrderState.REJECTED, intent.decided_at_ns, reason=str(error))
            return
        self._reported(order, report)

    def _reported(self, order: Order, report: OrderReport) -> None:
        for state in steps_to(order, report):
            order.filled_quantity = report.filled_quantity
            order.average_price = report.average_price
            self._step(order, state, report.ts_event_ns, report.reason, report.fills)

    def _step(
        self,
        order: Order,
        state: OrderState,
        at_ns: TimestampNs,
        reason: str = "",
        fills: Sequence[Fill] = (),
    ) -> None:
        intent = order.intent
        order.state, order.state_reason = state, reason
        if state in FINAL_STATES:
            self._ended(order)
        for fill in fills:
            order.fills.append(fill)
            self.portfolio.record(intent.symbol, intent.side, fill)
            if self.follows_equity:
                saw_fill(intent.symbol, intent.side, fill, self._risk)
            self._on_fill(order, fill)
        if self._on_update is not None:
            self._on_update(order, _update(order, fills, at_ns))

    def _ended(self, order: Order) -> None:
        intent = order.intent
        unfilled = intent.quantity - order.filled_quantity
        if unfilled:
            release(intent.symbol, intent.side, unfilled, self._risk)
        open_here = self._open[intent.symbol]
        del open_here[order.client_order_id]
        if not open_here:
            del self._open[intent.symbol]
        self.open_of[intent.strategy_id] -= 1


def price_of(event: MarketEvent) -> Decimal:
    """Give what an event says a symbol is worth: close, trade or middle."""
    match event:
        case Candle():
            return event.close
        case Trade():
            return event.price
        case Tick():
            return (event.bid_price + event.ask_price) / 2


def _new_order(intent: OrderIntent, state: OrderState) -> Order:
    return Order(intent=intent, client_order_id=client_order_id(intent.order_key), state=state)


def _for_venue(order: Order) -> NewOrder:
    intent = order.intent
    return NewOrder(
        client_order_id=order.client_order_id,
        symbol=intent.symbol,
        side=intent.side,
        order_type=intent.order_type,
        time_in_force=intent.time_in_force,
        quantity=intent.quantity,
        limit_price=intent.limit_price,
        decided_at_ns=intent.decided_at_ns,
    )


def _update(order: Order, fills: Sequence[Fill], at_ns: TimestampNs) -> OrderUpdate:
    intent = order.intent
    return OrderUpdate(
        order_key=intent.order_key,
        client_order_id=order.client_order_id,
        strategy_id=intent.strategy_id,
        symbol=intent.symbol,
        side=intent.side,
        state=order.state,
        quantity=intent.quantity,
        filled_quantity=order.filled_quantity,
        average_price=order.average_price,
        fills=tuple(fills),
        reason=order.state_reason,
        decided_at_ns=intent.decided_at_ns,
        ts_event_ns=at_ns,
    )
