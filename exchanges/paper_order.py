"""One order's way through the paper venue: pure steps from market event to market event.

Money is locked at the first event that the order meets, as real venues do, and an order never
spends more than it locked. So a later order can be told what is free without knowing the
future of an earlier one, and the answer is the same however late either was submitted.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from exchanges.matching import Offer, Terms, offer, round_down, taker_price, volume_for
from exchanges.protocol import NewOrder
from messages.exact import NOTHING
from messages.ids import StrategyId, TimestampNs, TradeId
from messages.market import Candle, MarketEvent
from messages.order_states import FINAL_STATES
from messages.orders import Fill
from messages.values import BUY, SELL, Liquidity, OrderState, TimeInForce

MARKET_LOCK_MARGIN = Decimal("1.05")
"""A market buy locks up to this times its first price: later candles may be dearer."""

NO_FUNDS = "insufficient funds"
BY_REQUEST = "canceled by request"


class Place(msgspec.Struct, frozen=True, order=True, gc=False):
    """Where an event stands in one symbol's market: its time, then its ordinal at that time."""

    ts_ns: int
    ordinal: int


class Progress(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How far an order has come. `row` is its place in the order of acceptance.

    Among orders that arrive at one moment `turn` goes before it: which strategy is accepted first
    is chance, and in which order one strategy's are is not.
    """

    row: int
    order: NewOrder
    arrival_ns: int
    turn: int = 0
    state: OrderState = OrderState.ACCEPTED
    reason: str = ""
    filled: Decimal = NOTHING
    value: Decimal = NOTHING
    """The sum of price times quantity of its fills."""
    fill_count: int = 0
    locked: Decimal = NOTHING
    """Still locked: quote currency for a buy, base for a sell."""
    started: bool = False
    """It has met its first event."""
    cursor: Place
    """Events up to and including this one are behind it."""

    @property
    def is_open(self) -> bool:
        """Whether later events can still move it."""
        return self.state not in FINAL_STATES


class Kind(StrEnum):
    """Why money moved."""

    DEPOSIT = "deposit"
    LOCK = "lock"
    TRADE = "trade"
    RELEASE = "release"


_LOCK, _TRADE, _RELEASE = Kind.LOCK, Kind.TRADE, Kind.RELEASE
_FILLED, _TAKER = OrderState.FILLED, Liquidity.TAKER


class Change(msgspec.Struct, frozen=True, gc=False):
    """Money moved: `total` is what the account owns, `free` what it may still lock."""

    kind: Kind
    currency: str
    total: Decimal
    free: Decimal


class Step(msgspec.Struct, frozen=True, gc=False):
    """What one event did to one order."""

    progress: Progress
    fills: tuple[Fill, ...] = ()
    changes: tuple[Change, ...] = ()


def places_of(strategies: Sequence[StrategyId]) -> dict[StrategyId, int]:
    """Give whose turn is when, at one moment; who is not there comes after all."""
    return {strategy: place for place, strategy in enumerate(strategies)}


def turn_of(progress: Progress) -> tuple[int, int, int]:
    """Give what orders of one symbol are served by."""
    return progress.arrival_ns, progress.turn, progress.row


def accepted(row: int, order: NewOrder, latency_ns: int, turn: int = 0) -> Progress:
    """Give an order that has met no event yet.

    A stop's exit is there in the candle that it acted in: of latency nothing is reckoned inside
    of one, for nobody knows the moment.
    """
    arrival_ns = order.decided_at_ns + latency_ns
    if order.touched_price is None:
        cursor = Place(arrival_ns, -1)
    else:
        arrival_ns, cursor = order.decided_at_ns - 1, Place(order.decided_at_ns, -1)
    return Progress(row=row, order=order, arrival_ns=arrival_ns, turn=turn, cursor=cursor)


def arrived(progress: Progress, event: MarketEvent, place: Place) -> bool:
    """Whether the event is one that the order may work against.

    A candle that closes at the very moment of arrival is over; a trade or tick is not.
    """
    if place <= progress.cursor:
        return False
    return not isinstance(event, Candle) or event.ts_event_ns > progress.arrival_ns


def locks(order: NewOrder, terms: Terms) -> str:
    """Name the currency that the order locks."""
    return terms.quote if order.side is BUY else terms.base


def advance(
    before: Progress, event: MarketEvent, place: Place, terms: Terms, free: Decimal
) -> Step:
    """Work the order against one event that it has arrived for.

    `free` is what may be locked now; it is read only at the order's first event.
    """
    if before.order.limit_price is None and not before.started:
        step = filled_whole(before, event, place, terms, free)
        if step is not None:
            return step
    return advance_by_steps(before, event, place, terms, free)


def filled_whole(
    before: Progress, event: MarketEvent, place: Place, terms: Terms, free: Decimal
) -> Step | None:
    """Give at once what `advance_by_steps` does to a market order that its first event fills whole.

    Almost all are such. None where it is another case, for one of the reasons that are known there.
    """
    order, quantity = before.order, before.order.quantity
    volume = volume_for(event, terms)
    if (volume is not None and quantity > volume) or NOTHING + quantity != quantity:
        return None  # too much of it, or too many digits
    price = taker_price(order, event, terms)
    value = quantity * price
    fee = value * terms.taker_fee_rate
    if order.side is BUY:
        cost = value * terms.taker_lock
        locked = min(cost * MARKET_LOCK_MARGIN, free)
        if cost > free or quantity * (price * terms.taker_cost) > locked:
            return None
        paid = value + fee
        left = locked - paid
        changes: tuple[Change, ...] = (
            Change(_LOCK, terms.quote, NOTHING, -locked),
            Change(_TRADE, terms.quote, -paid, NOTHING),
            Change(_TRADE, terms.base, quantity, quantity),
        )
        if left:
            changes = (*changes, Change(_RELEASE, terms.quote, NOTHING, left))
    elif quantity > free:
        return None
    else:
        income, left = value - fee, quantity - quantity
        changes = (
            Change(_LOCK, terms.base, NOTHING, -quantity),
            Change(_TRADE, terms.base, -quantity, NOTHING),
            Change(_TRADE, terms.quote, income, income),
        )
    fill = Fill(
        trade_id=TradeId(f"{order.client_order_id}-1"),
        price=price,
        quantity=quantity,
        fee=fee,
        fee_currency=terms.quote,
        liquidity=_TAKER,
        ts_event_ns=event.ts_event_ns,
    )
    after = Progress(
        row=before.row,
        order=order,
        arrival_ns=before.arrival_ns,
        turn=before.turn,
        state=_FILLED,
        filled=NOTHING + quantity,
        value=NOTHING + value,
        fill_count=1,
        locked=NOTHING if left else left,
        started=True,
        cursor=place,
    )
    return Step(after, (fill,), changes)


def advance_by_steps(
    before: Progress, event: MarketEvent, place: Place, terms: Terms, free: Decimal
) -> Step:
    """Do what `advance` does, for any order."""
    first = not before.started
    step = Step(msgspec.structs.replace(before, cursor=place, started=True))
    if first:
        step = _lock(step, event, terms, free)
        if not step.progress.is_open:
            return step
    offered = offer(before.order, event, terms, first=first)
    if offered is not None:
        step = _take(step, offered, event.ts_event_ns, terms)
    return _settle(step, terms)


def canceled(before: Progress, place: Place, terms: Terms) -> Step:
    """End an open order where the market stands now; what it locked is free from then on."""
    after = msgspec.structs.replace(before, cursor=max(before.cursor, place))
    return _release(_with(Step(after), state=OrderState.CANCELED, reason=BY_REQUEST), terms)


def _lock(step: Step, event: MarketEvent, terms: Terms, free: Decimal) -> Step:
    order = step.progress.order
    needed, wanted = _needs(order, event, terms)
    if needed > free:
        return _with(step, state=OrderState.REJECTED, reason=NO_FUNDS)
    locked = min(wanted, free)
    change = Change(Kind.LOCK, locks(order, terms), NOTHING, -locked)
    return Step(msgspec.structs.replace(step.progress, locked=locked), (), (change,))


def _needs(order: NewOrder, event: MarketEvent, terms: Terms) -> tuple[Decimal, Decimal]:
    """Give what must be free to accept the order, and what to lock if there is so much."""
    if order.side is SELL:
        return order.quantity, order.quantity
    if order.limit_price is not None:
        fee_rate = max(terms.maker_fee_rate, terms.taker_fee_rate, NOTHING)
        cost = order.quantity * order.limit_price * (1 + fee_rate)
        return cost, cost
    price = taker_price(order, event, terms)
    cost = order.quantity * price * terms.taker_lock
    return cost, cost * MARKET_LOCK_MARGIN


def _take(step: Step, offered: Offer, ts_ns: TimestampNs, terms: Terms) -> Step:
    order = step.progress.order
    remaining = order.quantity - step.progress.filled
    quantity = remaining if offered.quantity is None else min(remaining, offered.quantity)
    if order.time_in_force is TimeInForce.FOK and quantity < remaining:
        return step
    affordable = min(quantity, _affordable(step.progress, offered, terms, quantity))
    if affordable > NOTHING:
        step = _fill(step, offered, affordable, ts_ns, terms)
    if affordable < quantity:
        return _with(step, state=OrderState.CANCELED, reason=NO_FUNDS)
    return step


def _affordable(progress: Progress, offered: Offer, terms: Terms, quantity: Decimal) -> Decimal:
    if progress.order.side is SELL:
        return progress.locked
    unit_cost = offered.price * (1 + terms.fee_rate(offered.liquidity))
    if quantity * unit_cost <= progress.locked:
        return quantity
    return round_down(progress.locked / unit_cost, terms.instrument.quantity_step)


def _fill(step: Step, offered: Offer, quantity: Decimal, ts_ns: TimestampNs, terms: Terms) -> Step:
    before, value = step.progress, quantity * offered.price
    fee = value * terms.fee_rate(offered.liquidity)
    spent = value + fee if before.order.side is BUY else quantity
    number = before.fill_count + 1
    after = msgspec.structs.replace(
        before,
        filled=before.filled + quantity,
        value=before.value + value,
        fill_count=number,
        locked=before.locked - spent,
        state=OrderState.PARTIALLY_FILLED,
    )
    fill = Fill(
        trade_id=TradeId(f"{before.order.client_order_id}-{number}"),
        price=offered.price,
        quantity=quantity,
        fee=fee,
        fee_currency=terms.quote,
        liquidity=offered.liquidity,
        ts_event_ns=ts_ns,
    )
    return Step(after, (*step.fills, fill), step.changes + _paid(before.order, fill, terms))


def _paid(order: NewOrder, fill: Fill, terms: Terms) -> tuple[Change, Change]:
    """What leaves was locked, so only what comes in is newly free."""
    base, quote = terms.base, terms.quote
    value = fill.price * fill.quantity
    if order.side is BUY:
        return (
            Change(Kind.TRADE, quote, -(value + fill.fee), NOTHING),
            Change(Kind.TRADE, base, fill.quantity, fill.quantity),
        )
    income = value - fill.fee
    return (
        Change(Kind.TRADE, base, -fill.quantity, NOTHING),
        Change(Kind.TRADE, quote, income, income),
    )


def _settle(step: Step, terms: Terms) -> Step:
    """Close what is complete or may not rest, and release what it no longer needs."""
    now = step.progress
    if now.filled == now.order.quantity:
        step = _with(step, state=OrderState.FILLED, reason="")
    elif now.is_open and now.order.time_in_force is TimeInForce.IOC:
        step = _with(step, state=OrderState.CANCELED, reason="IOC: the rest was not there")
    elif now.is_open and now.order.time_in_force is TimeInForce.FOK:
        step = _with(step, state=OrderState.EXPIRED, reason="FOK: not all of it was there")
    return step if step.progress.is_open else _release(step, terms)


def _release(step: Step, terms: Terms) -> Step:
    locked = step.progress.locked
    if not locked:
        return step
    change = Change(Kind.RELEASE, locks(step.progress.order, terms), NOTHING, locked)
    after = msgspec.structs.replace(step.progress, locked=NOTHING)
    return Step(after, step.fills, (*step.changes, change))


def _with(step: Step, *, state: OrderState, reason: str) -> Step:
    after = msgspec.structs.replace(step.progress, state=state, reason=reason)
    return Step(after, step.fills, step.changes)


def may_skip(progress: Progress, event: MarketEvent) -> bool:
    """Whether a resting limit order surely stays as it is: the quick way past most candles."""
    order = progress.order
    limit = order.limit_price
    if limit is None or not progress.started or not isinstance(event, Candle):
        return False
    return event.low > limit if order.side is BUY else event.high < limit
