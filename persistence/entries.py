"""What goes into a ledger and what comes out of it, as values."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b

import msgspec

from messages.errors import LedgerConflict
from messages.exact import NOTHING
from messages.ids import (
    AccountId,
    ClientOrderId,
    OrderKey,
    StrategyId,
    Symbol,
    TimestampNs,
    VenueOrderId,
)
from messages.orders import Fill, OrderIntent
from messages.stops import Stop
from messages.values import OrderState, OrderType, Side, TimeInForce


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One order as the ledger holds it: the intent, and what is known of it now.

    The fields stand in the order of the table's columns.
    """

    order_key: OrderKey
    fingerprint: str
    client_order_id: ClientOrderId
    account: AccountId
    strategy_id: StrategyId
    symbol: Symbol
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None
    reference_price: Decimal
    decided_at_ns: TimestampNs
    reason: str
    """Why it was decided."""
    state: OrderState
    state_reason: str
    """Why it stands in this state."""
    filled_quantity: Decimal
    average_price: Decimal | None
    venue_order_id: VenueOrderId | None
    updated_at_ns: TimestampNs
    decided_quantity: Decimal | None = None
    """What was decided, where `quantity` had to be less; the fingerprint is of it."""


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A decision to be made durable before anything else happens with it."""

    intent: OrderIntent
    fingerprint: str
    client_order_id: ClientOrderId
    refused: str | None
    """Why it may not be sent; None when it may."""
    sent: bool = False
    """Whether it goes out as soon as this is durable: SENT is then part of the same commit."""
    decided_quantity: Decimal | None = None
    """What was decided, where the intent's quantity had to be less."""


class Step(msgspec.Struct, frozen=True, gc=False):
    """One order is to go to a state. A None says nothing new, it does not erase.

    `filled_quantity` is cumulative (FIX CumQty), `average_price` is over all of it.
    """

    order_key: OrderKey
    to: OrderState
    at_ns: TimestampNs
    reason: str
    evidence: str
    venue_order_id: VenueOrderId | None = None
    filled_quantity: Decimal | None = None
    average_price: Decimal | None = None
    fills: tuple[Fill, ...] = ()


_CLAIMED, _SENT, _REFUSED = OrderState.CLAIMED, OrderState.SENT, OrderState.REFUSED
NO_NOTES: Mapping[str, str] = {}
NO_STOPS: Sequence[Stop] = ()


def fingerprint(intent: OrderIntent) -> str:
    """Hash what makes the order what it is: equal money hashes equally (1.0 and 1.00).

    Left out: when the runtime made the message, the words of its reason, the price it was judged
    by, how much of it leaves a position, its stop, and which order it replaces, none of which the
    venue would ever see.
    Of a stop that is reckoned anew after a warm-up the last digit may be another: the one that
    was claimed stands.
    """
    parts = (
        intent.order_key,
        intent.account,
        intent.strategy_id,
        intent.symbol,
        intent.side,
        intent.order_type,
        intent.time_in_force,
        _digits(intent.quantity),
        None if intent.limit_price is None else _digits(intent.limit_price),
        intent.decided_at_ns,
    )
    return blake2b(msgspec.msgpack.encode(parts), digest_size=16).hexdigest()


def claimed_entry(claim: Claim, now_ns: int) -> LedgerEntry:
    """Give the entry with which a claim begins."""
    intent = claim.intent
    return LedgerEntry(
        order_key=intent.order_key,
        fingerprint=claim.fingerprint,
        client_order_id=claim.client_order_id,
        account=intent.account,
        strategy_id=intent.strategy_id,
        symbol=intent.symbol,
        side=intent.side,
        order_type=intent.order_type,
        time_in_force=intent.time_in_force,
        quantity=intent.quantity,
        limit_price=intent.limit_price,
        reference_price=intent.reference_price,
        decided_at_ns=intent.decided_at_ns,
        reason=intent.reason,
        state=_first_state(claim),
        state_reason=claim.refused or "",
        filled_quantity=NOTHING,
        average_price=None,
        venue_order_id=None,
        updated_at_ns=TimestampNs(now_ns),
        decided_quantity=claim.decided_quantity,
    )


def conflict(
    claims: Sequence[Claim], stored: Mapping[OrderKey, LedgerEntry]
) -> LedgerConflict | None:
    """Say which claim meets its key again, in the ledger or earlier among the claims."""
    known = {key: entry.fingerprint for key, entry in stored.items()}
    for claim in claims:
        key = claim.intent.order_key
        before = known.setdefault(key, claim.fingerprint)
        if before != claim.fingerprint:
            return LedgerConflict(
                f"order {key} is already claimed with another intent"
                f" (fingerprint {before}, now {claim.fingerprint})"
            )
        if key in stored:
            return LedgerConflict(f"order {key} is already claimed")
    if len(known) < len(stored) + len(claims):
        return LedgerConflict("an order is already claimed by the same batch of claims")
    return None


def _first_state(claim: Claim) -> OrderState:
    if claim.refused is not None:
        return _REFUSED
    return _SENT if claim.sent else _CLAIMED


def _digits(money: Decimal) -> str:
    text = format(money, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
