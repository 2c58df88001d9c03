"""From decisions to orders and fills: what the executor and the paper gateway do, in one place.

The risk gate, the steps of an order and the venue's fills are those that the actors use. So is
the order in which they happen, step by step: an event is marked and shown to the venue, what is
decided on it is judged, and only then is it counted what the venue did, to open and to new orders.

With stops it is counted at once what the venue did, and stops are shown the event, before a
strategy is: as the actors do it then (`actors.stop_desk`).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal

from decisions.executor import Claim, Refuse
from decisions.risk import (
    Refusal,
    RiskState,
    accept,
    fit_exit,
    refusal,
    release,
    saw_fill,
    saw_market,
)
from decisions.risk_plain import PlainGate
from decisions.strategy import reference_price
from exchanges.event_blocks import Block
from exchanges.paper_plain import Executed, PlainVenue, Worked
from messages.errors import Rejected
from messages.ids import ClientOrderId, StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketEvent
from messages.order_states import FINAL_STATES
from messages.orders import Fill, Intent, OrderIntent, OrderUpdate
from messages.stops import StopActed
from messages.values import OrderState
from research.backtest.cancel_desk import CancelDesk
from research.backtest.order import Execution, Order, for_venue, update_of
from research.backtest.plain_road import PlainRoad
from research.backtest.plan import Plan
from research.backtest.stop_desk import StopDesk

_ACCEPTED, _FILLED = OrderState.ACCEPTED, OrderState.FILLED


class Desk:
    """Judges, sends, follows. `on_fills` hears of executions, `on_update` of each step.

    `on_stop` hears of stops that act; None where no strategy uses any. `manages_orders`: one ends
    or replaces its orders.
    """

    def __init__(
        self,
        plan: Plan,
        on_fills: Callable[[Order, Sequence[Execution]], None],
        on_update: Callable[[Order, OrderUpdate], None] | None,
        on_stop: Callable[[StopActed], None] | None = None,
        *,
        manages_orders: bool = False,
    ) -> None:
        self.orders: list[Order] = []
        self._limits = plan.limits
        self._risk = RiskState()
        self._risk.open_orders = None  # as in a replay: how long an order is open is chance there
        self._venue = PlainVenue(plan.venue, [one.id for one in plan.strategies])
        self.follows_equity = bool(plan.limits.max_daily_loss or plan.limits.max_drawdown)
        """Whether every event must be shown: a loss limit judges each price."""
        self.is_plain = not self.follows_equity and on_update is None and on_stop is None
        """Whether nobody but the venue looks at what is shown (`meets_unseen`)."""
        self._gate = PlainGate(plan.limits, self._risk)
        self._present: MarketEvent | None = None
        self._news: list[Worked] = []
        self._allowed: list[OrderIntent] = []
        self._refused: list[Order] = []
        self._on_fills, self._on_update = on_fills, on_update
        self._stops: StopDesk | None = None
        if on_stop is not None:
            self._stops = StopDesk(plan.limits, self._risk, on_stop)
        self._steps = manages_orders or on_stop is not None
        """Whether all that the venue did at an event is told before a strategy is shown it."""
        self._cancels = CancelDesk(self._venue, plan.limits, self._risk)
        self._changes = self._cancels.wanted
        self._manages = manages_orders
        self._open: dict[Symbol, dict[ClientOrderId, Order]] = {}
        """By the names at the venue of those that were submitted; see `_alone`."""
        self._alone: dict[Symbol, Order] = {}
        """A market order, the only one of its symbol, that the next candle may fill as a whole."""
        self._at_once: list[tuple[Order, Executed]] = []
        self.open_of: Counter[StrategyId] = Counter()
        """How many orders of each strategy may still fill."""
        self.road = PlainRoad(self._gate, self._venue, self.orders, self._wait)

    def has_open(self, symbol: Symbol) -> bool:
        """Whether an order may fill at the next event of this symbol, or a stop may act."""
        if symbol in self._open or symbol in self._alone:
            return True
        return self._stops is not None and self._stops.watches(symbol)

    def needs_all_of(self, symbol: Symbol) -> bool:
        """Whether more counts of a candle than its open, its volume and its times."""
        if self.follows_equity or self._venue.looks_inside(symbol):
            return True
        return self._stops is not None and self._stops.watches(symbol)

    def meets_unseen(self, symbol: Symbol, block: Block, place: int) -> bool:
        """Let what is open of a symbol meet a candle that is made no message.

        Only where the desk `is_plain`. False if an order needs more of it, and nothing is done
        then: the candle must be shown to the `market`.
        """
        alone = self._alone.get(symbol)
        if alone is None:
            return symbol not in self._open
        at_ns = TimestampNs(block.times_ns[place])
        executed = self._venue.fill_from(alone.intent, block, place, at_ns)
        if executed is None:
            return False
        del self._alone[symbol]
        self._filled(alone, executed)
        return True

    def market(self, event: MarketEvent, *, candles_only: bool) -> None:
        """Show the venue an event, and take what it does; without an order it need not be shown.

        That holds for candles alone: a trade or a tick may be of an order's own moment.
        """
        symbol, self._present = event.symbol, event
        if self.follows_equity:
            saw_market(symbol, reference_price(event), event.ts_event_ns, self._risk)
        self._show_venue(event, candles_only=candles_only)
        if self._steps:
            self._count_news()
        if self._stops is not None:
            self._stopped(self._stops, event)

    def _show_venue(self, event: MarketEvent, *, candles_only: bool) -> None:
        symbol = event.symbol
        alone = self._alone.get(symbol)
        if alone is not None:
            del self._alone[symbol]
            if candles_only and isinstance(event, Candle):
                executed = self._venue.fill_at_once(
                    alone.intent, event.open, event.volume, event.ts_event_ns
                )
                if executed is not None:
                    self._at_once.append((alone, executed))
                    return
            self._submit(alone)
        if candles_only and symbol not in self._open:
            return
        self._news = self._venue.on_market(event)

    def settle(self) -> None:
        """Count what the venue did at this event; tell of what was refused, send the rest."""
        self._count_news()
        if self._refused:
            refused, self._refused = self._refused, []
            for one in refused:
                self._tell(one, (), one.intent.decided_at_ns)
        if self._allowed:
            allowed, self._allowed = self._allowed, []
            for intent in allowed:
                self._send(intent)
        if self._changes:
            self._change()
            self.settle()

    def _stopped(self, stops: StopDesk, event: MarketEvent) -> None:
        """Have what stops decide at an event claimed and sent, one by one."""
        for intent, against in stops.look(event):
            if against is None:
                self._send(intent)
            else:
                self._tell(self._refuse(intent, against), (), intent.decided_at_ns)

    def _change(self) -> None:
        """End what is to end, then tell of each, and judge what takes its place."""
        assert self._present is not None, "decided on it"
        for intent, order, worked in self._cancels.ended(self._present.ts_event_ns):
            if order is not None and worked is not None:
                self._worked(order, worked)
            if isinstance(intent, OrderIntent):
                self._judge_replacement(intent)

    def _judge_replacement(self, intent: OrderIntent) -> None:
        verdict = self._cancels.judged(intent)
        if isinstance(verdict, Claim):
            self._allowed.append(verdict.intent)
        elif isinstance(verdict, Refuse):
            self._refused.append(self._refuse(intent, verdict.refusal))

    def _count_news(self) -> None:
        if self._at_once:
            at_once, self._at_once = self._at_once, []
            for order, executed in at_once:
                self._filled(order, executed)
        if self._news:
            news, self._news = self._news, []
            for worked in news:
                known = worked.progress.order
                self._worked(self._open[known.symbol][known.client_order_id], worked)

    def decided(self, intents: Sequence[Intent]) -> None:
        """Judge decisions of one moment one after another; `settle` sends what is allowed.

        As `decisions.executor.judge_intents` does it with keys that are all new.
        """
        limits, risk, gate = self._limits, self._risk, self._gate
        for intent in intents:
            if type(intent) is not OrderIntent:
                self._changes.append(intent)
                continue
            if intent.replaces is not None:
                self._judge_replacement(intent)
                continue
            if gate.lets_through(intent):
                self._allowed.append(intent)
                continue
            fitted = fit_exit(intent, limits, risk)
            against = refusal(fitted, limits, risk, None)
            if against is None:
                accept(fitted, risk)
                self._allowed.append(fitted)
            else:
                self._refused.append(self._refuse(intent, against))

    def _refuse(self, intent: OrderIntent, against: Refusal) -> Order:
        order = Order(intent=intent, state=OrderState.REFUSED)
        order.state_reason = f"{against.code}: {against.text}"
        self.orders.append(order)
        return order

    def balances(self) -> dict[str, Decimal]:
        """Give what the account owns, by currency."""
        return self._venue.balances()

    def _send(self, intent: OrderIntent) -> None:
        order, symbol = Order(intent=intent, state=_ACCEPTED), intent.symbol
        self.orders.append(order)
        if self._manages:
            self._cancels.sent(order)
        if self._stops is not None:
            self._stops.claimed(intent)
        self.open_of[intent.strategy_id] += 1
        missed = self._missed_by(intent)
        if missed is None and self._may_wait(intent):
            self._alone[symbol] = order
            if self._on_update is not None:
                self._tell(order, (), self._venue.arrival_ns(intent))
            return
        before = self._alone.pop(symbol, None)
        if before is not None:
            self._submit(before)
        self._submit(order, missed, is_new=True)

    def _wait(self, order: Order) -> None:
        self.open_of[order.intent.strategy_id] += 1
        self._alone[order.intent.symbol] = order

    def _may_wait(self, intent: OrderIntent) -> bool:
        """Whether it may be filled at once; not with stops: an exit may meet the same candle."""
        if self._steps or intent.limit_price is not None:
            return False
        return intent.symbol not in self._alone and self._venue.takes_at_once(intent)

    def _submit(
        self, order: Order, missed: MarketEvent | None = None, *, is_new: bool = False
    ) -> None:
        """Give the venue an order; of one that was waiting, it is told already that it is there."""
        intent, new = order.intent, for_venue(order, self._touched(order.intent))
        self._open.setdefault(intent.symbol, {})[new.client_order_id] = order
        try:
            worked = self._venue.submit(new, missed)
        except Rejected as error:
            order.state, order.state_reason = OrderState.REJECTED, str(error)
            if self._stops is not None:
                self._stops.moved(order, ())
            self._ended(order)
            self._tell(order, (), intent.decided_at_ns)
            return
        if worked.fills or not worked.progress.is_open:
            self._worked(order, worked)
        elif is_new:
            order.state = worked.progress.state
            self._tell(order, (), TimestampNs(worked.progress.cursor.ts_ns))

    def _filled(self, order: Order, executed: Executed) -> None:
        intent, quantity = order.intent, executed.quantity
        order.state, order.filled_quantity = _FILLED, quantity
        order.executed = executed
        self.open_of[intent.strategy_id] -= 1
        if self.follows_equity or self._on_update is not None:
            fills = order.fills
            if self.follows_equity:
                saw_fill(intent.symbol, intent.side, fills[0], self._risk)
            self._on_fills(order, fills)
            self._tell(order, fills, executed.ts_event_ns)
        else:
            self._on_fills(order, (executed,))

    def _missed_by(self, intent: OrderIntent) -> MarketEvent | None:
        """Give the present event to what was decided before its end: the venue has had it.

        A timer decides before it, a stop inside of it.
        """
        event = self._present
        if event is None:
            return None
        if self._stops is not None and self._stops.touched(intent) is not None:
            return event
        if intent.decided_at_ns >= event.ts_event_ns:
            return None
        return event if event.symbol == intent.symbol else None

    def _touched(self, intent: OrderIntent) -> Decimal | None:
        """Give the price of a stop's exit that acted inside the present candle."""
        return None if self._stops is None else self._stops.touched(intent)

    def _worked(self, order: Order, worked: Worked) -> None:
        progress, fills = worked.progress, worked.fills
        order.state, order.state_reason = progress.state, progress.reason
        if fills:
            order.filled_quantity = progress.filled
            order.value = progress.value
            assert not isinstance(order.executed, Executed), "that one was filled as a whole"
            order.executed += tuple(fills)
        if self._stops is not None:
            self._stops.moved(order, fills)
        if progress.state in FINAL_STATES:
            self._ended(order)
        if fills:
            intent = order.intent
            if self.follows_equity:
                for fill in fills:
                    saw_fill(intent.symbol, intent.side, fill, self._risk)
            self._on_fills(order, fills)
        self._tell(order, fills, TimestampNs(progress.cursor.ts_ns))

    def _tell(self, order: Order, fills: Sequence[Fill], at_ns: TimestampNs) -> None:
        if self._on_update is not None:
            self._on_update(order, update_of(order, fills, at_ns))

    def _ended(self, order: Order) -> None:
        intent = order.intent
        unfilled = intent.quantity - order.filled_quantity
        if unfilled:
            release(intent.symbol, intent.side, unfilled, self._risk, intent.strategy_id)
        open_here = self._open[intent.symbol]
        del open_here[order.client_order_id]
        if not open_here:
            del self._open[intent.symbol]
        self.open_of[intent.strategy_id] -= 1
