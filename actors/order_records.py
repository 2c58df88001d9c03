"""Between the ledger's rows, the venue's orders and the messages: plain translation."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from decisions.order_keys import client_order_id
from decisions.risk import RiskState, follow_order
from decisions.risk_exit import fees_in
from exchanges.protocol import NewOrder
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, TimestampNs
from messages.market import Candle, MarketEvent, Trade
from messages.orders import CancelIntent, Fill, Intent, OrderIntent, OrderReport, OrderUpdate
from messages.values import OrderState
from persistence.book import held_quantity
from persistence.ledger import Claim, LedgerEntry, Step

_SENT, _REFUSED, _CLAIMED = OrderState.SENT, OrderState.REFUSED, OrderState.CLAIMED


def new_order(entry: LedgerEntry, touched_price: Decimal | None = None) -> NewOrder:
    """Give the order of a ledger row as it goes to the venue."""
    return NewOrder(
        client_order_id=entry.client_order_id,
        symbol=entry.symbol,
        side=entry.side,
        order_type=entry.order_type,
        time_in_force=entry.time_in_force,
        quantity=entry.quantity,
        limit_price=entry.limit_price,
        decided_at_ns=entry.decided_at_ns,
        touched_price=touched_price,
        venue_order_id=entry.venue_order_id,
        strategy_id=entry.strategy_id,
    )


def step_from(entry: LedgerEntry, to: OrderState, report: OrderReport, at_ns: int) -> Step:
    """Give the step that a venue's report makes an order take.

    What is filled belongs to the state that the venue reports, not to SENT on the way there.
    """
    if to is _SENT:
        at = TimestampNs(at_ns)
        return Step(entry.order_key, to, at, report.reason, report.evidence)
    return Step(
        order_key=entry.order_key,
        to=to,
        at_ns=TimestampNs(at_ns),
        reason=report.reason,
        evidence=report.evidence,
        venue_order_id=report.venue_order_id,
        filled_quantity=report.filled_quantity,
        average_price=report.average_price,
        fills=report.fills,
    )


def fills_step(
    entry: LedgerEntry, fills: tuple[Fill, ...], report: OrderReport, at_ns: int
) -> Step:
    """Give the step that moves nothing and brings executions."""
    at, why = TimestampNs(at_ns), report.evidence
    return Step(entry.order_key, entry.state, at, entry.state_reason, why, fills=fills)


def ahead_of(entry: LedgerEntry, step: Step) -> LedgerEntry:
    """Give the row as it will be once `step` is recorded, for judging the next report."""
    filled = step.filled_quantity if step.filled_quantity is not None else entry.filled_quantity
    name = step.venue_order_id or entry.venue_order_id
    return msgspec.structs.replace(
        entry, state=step.to, filled_quantity=filled, venue_order_id=name
    )


def update_of(
    entry: LedgerEntry, fills: Iterable[Fill], at_ns: TimestampNs, *, late: bool = False
) -> OrderUpdate:
    """Tell of a row's present state; `fills` are those that the step brought."""
    return OrderUpdate(
        order_key=entry.order_key,
        client_order_id=entry.client_order_id,
        strategy_id=entry.strategy_id,
        symbol=entry.symbol,
        side=entry.side,
        state=entry.state,
        quantity=entry.quantity,
        filled_quantity=entry.filled_quantity,
        average_price=entry.average_price,
        fills=tuple(fills),
        reason=entry.state_reason,
        decided_at_ns=entry.decided_at_ns,
        ts_event_ns=at_ns,
        late_fills=late,
        limit_price=entry.limit_price,
        taken_by_fees=NOTHING if entry.decided_quantity is None else fees_in(entry.reason),
    )


def claimed_update(claim: Claim, durable_ns: TimestampNs) -> OrderUpdate:
    """Tell of a durable claim, or of a durable refusal."""
    intent = claim.intent
    return OrderUpdate(
        order_key=intent.order_key,
        client_order_id=claim.client_order_id,
        strategy_id=intent.strategy_id,
        symbol=intent.symbol,
        side=intent.side,
        state=_REFUSED if claim.refused else _CLAIMED,
        quantity=intent.quantity,
        filled_quantity=NOTHING,
        average_price=None,
        fills=(),
        reason=claim.refused or intent.reason,
        decided_at_ns=intent.decided_at_ns,
        ts_event_ns=durable_ns,
        claim_latency_ns=max(durable_ns - intent.ts_created_ns, 0),
        limit_price=intent.limit_price,
        taken_by_fees=NOTHING if claim.decided_quantity is None else fees_in(intent.reason),
    )


def struck_update(intent: OrderIntent, at_ns: TimestampNs) -> OrderUpdate:
    """Tell of a decision that nobody will take: it brought its executor down."""
    why = "dead letter: the executor was struck while it judged this, and nothing was sent"
    return msgspec.structs.replace(
        _never_sent(intent, intent.order_key, at_ns, why), limit_price=intent.limit_price
    )


def crowded_out_update(intent: OrderIntent, at_ns: TimestampNs) -> OrderUpdate:
    """Tell of a decision that the executor did not take: its mailbox is full, or it has ended."""
    why = "dead letter: the executor did not take this, and nothing was sent"
    return msgspec.structs.replace(
        _never_sent(intent, intent.order_key, at_ns, why), limit_price=intent.limit_price
    )


def lost_update(intent: CancelIntent) -> OrderUpdate:
    """Tell that an order that was to end never came to be: nobody here was ever told of it."""
    why = "it was lost on its way to the executor, and will not be sent"
    return _never_sent(intent, intent.cancels, intent.ts_created_ns, why)


def _never_sent(intent: Intent, key: OrderKey, at_ns: TimestampNs, why: str) -> OrderUpdate:
    return OrderUpdate(
        order_key=key,
        client_order_id=client_order_id(key),
        strategy_id=intent.strategy_id,
        symbol=intent.symbol,
        side=intent.side,
        state=_REFUSED,
        quantity=intent.quantity,
        filled_quantity=NOTHING,
        average_price=None,
        fills=(),
        reason=why,
        decided_at_ns=intent.decided_at_ns,
        ts_event_ns=at_ns,
    )


def price_of(event: MarketEvent) -> Decimal:
    """Give the price that an event shows: close, trade, or the middle of the book."""
    if isinstance(event, Candle):
        return event.close
    if isinstance(event, Trade):
        return event.price
    return (event.bid_price + event.ask_price) / 2


def follow_open(entry: LedgerEntry, risk: RiskState) -> None:
    """Let the risk gate follow what of an order may still fill."""
    unfilled = EXACT.subtract(held_quantity(entry), entry.filled_quantity)
    fees = NOTHING if entry.decided_quantity is None else fees_in(entry.reason)
    key, symbol, side = entry.order_key, entry.symbol, entry.side
    follow_order(key, symbol, side, unfilled, risk, entry.strategy_id, fees)
