"""What a batch of steps makes of the orders it is about: pure, and all or nothing."""

from collections.abc import Mapping, Sequence

import msgspec

from messages.errors import IllegalTransition
from messages.ids import OrderKey, TimestampNs
from messages.learning import learn
from messages.order_states import ABSENT_STATES, check_transition
from messages.orders import Fill
from messages.values import OrderState
from persistence.entries import LedgerEntry, Step

_CLAIMED, _SENT = OrderState.CLAIMED, OrderState.SENT


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One step that an order took, and how we know. `from_state` is None on the claim."""

    order_key: OrderKey
    at_ns: TimestampNs
    from_state: OrderState | None
    to_state: OrderState
    reason: str
    evidence: str


learn(Event)


class Taken(msgspec.Struct, frozen=True, gc=False):
    """A step that changes its order or brings fills. `before` and `after` may be one."""

    before: LedgerEntry
    after: LedgerEntry
    event: Event | None
    """None when it only teaches what was not known of the same state."""
    fills: tuple[Fill, ...]
    """As reported; trade ids that are known already are among them."""


class Folded(msgspec.Struct, frozen=True, gc=False):
    """The outcome of a batch."""

    after: list[LedgerEntry]
    """One per step: its order right after it."""
    taken: list[Taken]
    """The steps that leave a trace, in their order."""
    changed: dict[OrderKey, LedgerEntry]
    """The last entry of every order that differs from what it was before the batch."""


def fold(known: Mapping[OrderKey, LedgerEntry], steps: Sequence[Step]) -> Folded:
    """Take the steps one after the other.

    Raises:
        IllegalTransition: one of them is not to be taken, or its order was never claimed.
    """
    folded = Folded([], [], {})
    for step in steps:
        entry = folded.changed.get(step.order_key) or known.get(step.order_key)
        if entry is None:
            raise IllegalTransition(f"order {step.order_key} was never claimed")
        _take(folded, entry, step)
    return folded


def _take(folded: Folded, entry: LedgerEntry, step: Step) -> None:
    moves = _moves(entry, step)
    after = _moved(entry, step) if moves else _learned(entry, step)
    if after is not entry:
        folded.changed[entry.order_key] = after
    if after is not entry or step.fills:
        event = _event(entry, step) if moves else None
        folded.taken.append(Taken(entry, after, event, step.fills))
    folded.after.append(after)


def _moves(entry: LedgerEntry, step: Step) -> bool:
    """Whether the order goes on; False for a stale report and for one that says it again.

    Claiming and sending are our own acts, not reports: saying them again is an error.
    """
    grows = False
    if step.filled_quantity is not None:
        if step.filled_quantity < entry.filled_quantity:
            return False
        grows = step.filled_quantity > entry.filled_quantity
    ours = step.to is _SENT or step.to is _CLAIMED
    if step.to is entry.state and not grows and not ours:
        return False
    _check(entry, step, grows=grows)
    return True


def _check(entry: LedgerEntry, step: Step, *, grows: bool) -> None:
    try:
        check_transition(entry.state, step.to)
    except IllegalTransition as error:
        raise IllegalTransition(f"order {entry.order_key}: {error}") from None
    if step.to is OrderState.PARTIALLY_FILLED and not grows:
        raise IllegalTransition(
            f"order {entry.order_key}: a partial fill must fill more than the"
            f" {entry.filled_quantity} that are known"
        )
    filled = step.filled_quantity or entry.filled_quantity
    if step.to in ABSENT_STATES and filled:
        raise IllegalTransition(
            f"order {entry.order_key}: {step.to} is disproved by the {filled} that are filled"
        )


def _moved(entry: LedgerEntry, step: Step) -> LedgerEntry:
    filled, average = entry.filled_quantity, step.average_price
    if step.filled_quantity is not None:
        filled = step.filled_quantity
    if average is None and filled == entry.filled_quantity:
        average = entry.average_price
    return msgspec.structs.replace(
        entry,
        state=step.to,
        state_reason=step.reason,
        filled_quantity=filled,
        average_price=average,
        venue_order_id=step.venue_order_id or entry.venue_order_id,
        updated_at_ns=_not_before(entry, step),
    )


def _not_before(entry: LedgerEntry, step: Step) -> TimestampNs:
    """Give the moment of a step, which no clock that was set back puts before the last one.

    From it is counted until when the order may still arrive: it is never before the send.
    """
    return max(step.at_ns, entry.updated_at_ns)


def _learned(entry: LedgerEntry, step: Step) -> LedgerEntry:
    """Fill in what a report that moves nothing knows and the entry does not."""
    venue_order_id, average = entry.venue_order_id, entry.average_price
    if average is None and step.filled_quantity == entry.filled_quantity:
        average = step.average_price
    venue_order_id = venue_order_id or step.venue_order_id
    if venue_order_id == entry.venue_order_id and average == entry.average_price:
        return entry
    return msgspec.structs.replace(
        entry,
        venue_order_id=venue_order_id,
        average_price=average,
        updated_at_ns=_not_before(entry, step),
    )


def _event(entry: LedgerEntry, step: Step) -> Event:
    return Event(
        order_key=entry.order_key,
        at_ns=_not_before(entry, step),
        from_state=entry.state,
        to_state=step.to,
        reason=step.reason,
        evidence=step.evidence,
    )


def claim_events(entry: LedgerEntry) -> Sequence[Event]:
    """Give the first events of an order: its claim, and SENT where that came with it."""
    is_sent = entry.state is _SENT
    claim = Event(
        order_key=entry.order_key,
        at_ns=entry.updated_at_ns,
        from_state=None,
        to_state=_CLAIMED if is_sent else entry.state,
        reason=entry.state_reason or entry.reason,
        evidence="claim",
    )
    if not is_sent:
        return (claim,)
    sent = Event(
        order_key=entry.order_key,
        at_ns=entry.updated_at_ns,
        from_state=_CLAIMED,
        to_state=_SENT,
        reason="",
        evidence="claim",
    )
    return claim, sent
