"""What the risk gate remembers, and how it is fed. One owner, one thread.

Nothing here is kept for its own sake, since every part can be rebuilt from what the ledger and
the market already hold: equity by `rebuild_equity`, the order rate and the cooldown by `recall`.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from itertools import takewhile

import msgspec

from decisions.account import Flows, record
from decisions.account import write_off as write_off_flows
from decisions.risk_equity import (
    EquityBook,
    record_fill,
    record_mark,
)
from messages.exact import EXACT, NOTHING, is_sane
from messages.ids import MINUTE_NS, OrderKey, StrategyId, Symbol, TimestampNs
from messages.orders import Fill, OrderIntent
from messages.values import BUY, SELL, Instrument, Side


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that may still fill, its outcome unknown or not."""

    symbol: Symbol
    side: Side
    unfilled: Decimal
    """Base currency, unsigned."""
    strategy_id: StrategyId | None = None
    """Whose; None where it was not kept, as in journals of before."""
    fees: Decimal = NOTHING
    """What fees had taken of an exit: once it has filled, that is written off, so that it is no
    other exit's meanwhile."""


class RiskState(msgspec.Struct, kw_only=True):
    """What was let through so far. Rebuilt from the ledger when the executor starts."""

    exposure: dict[Symbol, Decimal] = msgspec.field(default_factory=dict)
    """Base currency, signed: filled quantity and what is still open, as if it filled."""
    held_by: dict[tuple[StrategyId, Symbol], Decimal] = msgspec.field(default_factory=dict)
    """The same for each strategy: how much of it that one may leave."""
    decided: dict[Symbol, deque[TimestampNs]] = msgspec.field(default_factory=dict)
    """When the orders of the last minute were decided, oldest first."""
    unsettled: set[Symbol] = msgspec.field(default_factory=set)
    """Symbols with an order whose outcome is unknown: no new risk on them."""
    open_orders: dict[OrderKey, OpenOrder] | None = None
    """None: nobody says when orders end (`follow_order`). Then positions are judged as if all
    orders filled, and a limit on open orders, if there is one, refuses all new risk."""
    risk_added_at: dict[Symbol, TimestampNs] = msgspec.field(default_factory=dict)
    """When the newest order that added risk was decided."""
    market_at: dict[Symbol, TimestampNs] = msgspec.field(default_factory=dict)
    """When the last event that was seen of a symbol happened."""
    bought_before: dict[OrderKey, Decimal] = msgspec.field(default_factory=dict)
    """Of exits that have waited, or follow another: what there is for each. The executor sets it
    before it asks."""
    spoken_for: dict[tuple[StrategyId, Symbol], Decimal] = msgspec.field(default_factory=dict)
    """What stops have acted on and have in no order yet, which their strategies count as left. The
    executor sets it before it asks, but not for an exit of a stop."""
    now_ns: TimestampNs | None = None
    """The executor's clock, which it sets before it asks. None: each decision's own moment,
    as in a replay, where the market's clock waits."""
    equity: EquityBook = msgspec.field(default_factory=EquityBook)
    flows: Flows | None = None
    """What executions have moved in the account; None where nobody compares it."""
    instruments: dict[Symbol, Instrument] = msgspec.field(default_factory=dict)
    """What a real venue takes, by symbol; of a symbol that is missing nothing is known, and
    nothing is refused for it."""


def accept(intent: OrderIntent, state: RiskState, fees: Decimal = NOTHING) -> None:
    """Count an order that is claimed; `fees` are what they had taken of an exit.

    That is its exposure, its place in the last minute, its being open, and, if it adds risk,
    its moment.
    """
    symbol = intent.symbol
    if added_quantity(intent, state):
        latest = state.risk_added_at.get(symbol, intent.decided_at_ns)
        state.risk_added_at[symbol] = max(latest, intent.decided_at_ns)
    change = intent.side.signed(intent.quantity)
    _expose(symbol, change, state)
    _hold(intent.strategy_id, symbol, change, state)
    count_decided(symbol, intent.decided_at_ns, state)
    if state.open_orders is not None:
        state.open_orders[intent.order_key] = OpenOrder(
            symbol=symbol,
            side=intent.side,
            unfilled=intent.quantity,
            strategy_id=intent.strategy_id,
            fees=fees,
        )


def count_decided(symbol: Symbol, at_ns: TimestampNs, state: RiskState) -> None:
    """Count an order in its minute."""
    recent = state.decided.get(symbol)
    if recent is None:
        recent = state.decided[symbol] = deque()
    if recent and at_ns < recent[-1]:
        insort(recent, at_ns)  # of two strategies one may be behind the other
    else:
        recent.append(at_ns)
    while recent[0] <= at_ns - MINUTE_NS:
        recent.popleft()


def decided_before(symbol: Symbol, at_ns: TimestampNs, state: RiskState) -> int:
    """Give how many orders were decided in the minute before a moment."""
    recent, past_ns = state.decided.get(symbol, ()), at_ns - MINUTE_NS
    return len(recent) - sum(1 for _ in takewhile(lambda at: at <= past_ns, recent))


def release(
    symbol: Symbol,
    side: Side,
    unfilled: Decimal,
    state: RiskState,
    strategy_id: StrategyId | None = None,
) -> None:
    """Give back what an order that ended will never fill (it stays in the last minute)."""
    change = side.signed(unfilled).copy_negate()
    _expose(symbol, change, state)
    if strategy_id is not None:
        _hold(strategy_id, symbol, change, state)


def write_off(strategy_id: StrategyId, symbol: Symbol, fees: Decimal, state: RiskState) -> None:
    """Count as left what fees had taken of an exit that has filled: nobody holds it any more.

    Else it would stay for ever and grow with each round trip: it would take room from the position
    limit, and sell somebody else's coins when the next buy is refused.
    """
    _expose(symbol, fees.copy_negate(), state)
    _hold(strategy_id, symbol, fees.copy_negate(), state)
    if state.flows is not None:
        write_off_flows(strategy_id, symbol, fees, state.flows)


def follow_order(
    order_key: OrderKey,
    symbol: Symbol,
    side: Side,
    unfilled: Decimal,
    state: RiskState,
    strategy_id: StrategyId | None = None,
    fees: Decimal = NOTHING,
) -> None:
    """Say what of an order may still fill: 0 once it is filled or ended. Safe to repeat.

    Call it at every step of an order, after `release` where that is due. Without effect while
    `open_orders` is None.
    """
    if state.open_orders is None:
        return
    if unfilled:
        state.open_orders[order_key] = OpenOrder(
            symbol=symbol, side=side, unfilled=unfilled, strategy_id=strategy_id, fees=fees
        )
    else:
        state.open_orders.pop(order_key, None)


def saw_fill(
    symbol: Symbol,
    side: Side,
    fill: Fill,
    state: RiskState,
    strategy_id: StrategyId | None = None,
    now_ns: TimestampNs | None = None,
) -> None:
    """Count an execution's profit. Each trade id once; the exposure has counted it already.

    `now_ns` is the executor's clock, where the market has none of its own: see `saw_market`.
    """
    record_fill(symbol, side, not_ahead(fill, now_ns), state.equity)
    if state.flows is not None:
        record(symbol, side, fill, state.flows, strategy_id)


def saw_market(
    symbol: Symbol,
    price: Decimal,
    ts_event_ns: TimestampNs,
    state: RiskState,
    now_ns: TimestampNs | None = None,
) -> None:
    """Take the price of the newest event: the market's age, and what is held at that price.

    What is not shown here is not known: a fall between two shown prices reaches no limit. A
    senseless price is passed over, and does not make a market fresh. With `now_ns` a
    day is not over because an event is stamped with tomorrow.
    """
    if is_sane(price):
        state.market_at[symbol] = ts_event_ns
        at_ns = ts_event_ns if now_ns is None else min(ts_event_ns, now_ns)
        record_mark(symbol, price, at_ns, state.equity, now_ns)


def not_ahead(fill: Fill, now_ns: TimestampNs | None) -> Fill:
    """Give an execution that happened by now at the latest, whatever it is stamped with."""
    if now_ns is None or fill.ts_event_ns <= now_ns:
        return fill
    return msgspec.structs.replace(fill, ts_event_ns=now_ns)


def added_quantity(intent: OrderIntent, state: RiskState) -> Decimal:
    """Give the part of an order that adds risk; 0 for an exit.

    That is what is left of it once |exposure| is down to 0: all of an order that enlarges the
    position, the excess of one that turns it around.
    """
    exposure = state.exposure.get(intent.symbol, NOTHING)
    against = exposure.copy_negate() if intent.side is BUY else exposure
    if against <= 0:
        return intent.quantity
    return max(EXACT.subtract(intent.quantity, against), NOTHING)


def filled(symbol: Symbol, state: RiskState) -> Decimal:
    """Give what is surely held, signed: the exposure less all that is open, as far as known."""
    held = state.exposure.get(symbol, NOTHING)
    for order in (state.open_orders or {}).values():
        if order.symbol == symbol:
            held = EXACT.fma(order.unfilled, Decimal(-order.side.sign), held)
    return held


def sellable(symbol: Symbol, state: RiskState) -> Decimal:
    """Give what is surely held and in no open sell order; below 0 when more is on sale.

    Fees taken in the base currency are not subtracted: an exit is of what was bought, and is
    made to fit what fees have left (`fit_exit`).
    """
    left = filled(symbol, state)
    for order in (state.open_orders or {}).values():
        if order.symbol == symbol and order.side is SELL:
            left = EXACT.subtract(left, EXACT.add(order.unfilled, order.fees))
    return left


def to_write_off(
    symbol: Symbol, state: RiskState, strategy_id: StrategyId | None = None
) -> Decimal:
    """Give what fees had taken of exits that are open: of one strategy, or of all."""
    mine = (
        order.fees
        for order in (state.open_orders or {}).values()
        if order.symbol == symbol and strategy_id in {None, order.strategy_id}
    )
    return sum(mine, start=NOTHING)


def entering(
    strategy_id: StrategyId, symbol: Symbol, exit_side: Side, state: RiskState
) -> dict[OrderKey, Decimal]:
    """Give a strategy's own open orders against an exit, with what of each may still fill."""
    return {
        key: order.unfilled
        for key, order in (state.open_orders or {}).items()
        if order.strategy_id == strategy_id
        and order.symbol == symbol
        and order.side is not exit_side
    }


def free_to_leave(
    strategy_id: StrategyId, symbol: Symbol, exit_side: Side, state: RiskState
) -> Decimal:
    """Give what a strategy surely holds and has in no open exit; as far as open orders are known.

    What may yet fill of its entries is not there: it may never come.
    """
    held = EXACT.multiply(
        state.held_by.get((strategy_id, symbol), NOTHING), Decimal(-exit_side.sign)
    )
    gone = to_write_off(symbol, state, strategy_id)
    not_there = sum(entering(strategy_id, symbol, exit_side, state).values(), start=gone)
    return max(EXACT.subtract(held, not_there), NOTHING)


def reach(intent: OrderIntent, state: RiskState) -> Decimal:
    """Give the largest position on an order's side that it could lead to; negative: none.

    Every open order on its side fills; those against it, where they are known, never do.
    """
    sign = intent.side.sign
    exposure = state.exposure.get(intent.symbol, NOTHING)
    after = EXACT.fma(exposure, Decimal(sign), intent.quantity)
    for order in (state.open_orders or {}).values():
        if order.symbol == intent.symbol and order.side is not intent.side:
            after = EXACT.add(after, order.unfilled)
    return after


def recall(
    symbol: Symbol,
    decided_at_ns: Iterable[int],
    now_ns: int,
    state: RiskState,
    *,
    shown_again: bool = False,
) -> None:
    """Restore the order rate and the cooldown of a symbol from the ledger.

    `decided_at_ns` are the decisions that were not refused, as far back as a minute and as the
    cooldown reach. An exit among them counts for the cooldown too: which ones were exits is no
    longer known. Where the market is `shown_again`, those from `now_ns` on are left out: they are
    still to come.
    """
    kept = [TimestampNs(at) for at in sorted(decided_at_ns) if not shown_again or at < now_ns]
    state.decided[symbol] = deque(at for at in kept if at > now_ns - MINUTE_NS)
    if kept:
        state.risk_added_at[symbol] = kept[-1]


def _expose(symbol: Symbol, change: Decimal, state: RiskState) -> None:
    state.exposure[symbol] = EXACT.add(state.exposure.get(symbol, NOTHING), change)


def _hold(strategy_id: StrategyId, symbol: Symbol, change: Decimal, state: RiskState) -> None:
    place = strategy_id, symbol
    state.held_by[place] = EXACT.add(state.held_by.get(place, NOTHING), change)
