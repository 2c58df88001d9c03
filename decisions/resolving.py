"""What a person may settle of an order that cannot be settled by asking. Pure.

A resolution ends an order, and only that: none leads back to a send, so an order that never
reached the venue becomes REFUSED, by way of NOT_SENT. Whoever resolves has seen it somewhere
else, at the exchange's own page for instance; what can be known by asking is asked for first.
"""

from decimal import Decimal
from typing import Protocol

import msgspec

from messages.exact import EXACT, NOTHING, is_sane
from messages.ids import NS_PER_S
from messages.order_states import FINAL_STATES, LEGAL_TRANSITIONS
from messages.values import OrderState as S

ABSENT = S.REFUSED
"""The end of an order that never reached the venue."""

WAIT_NS = 60 * NS_PER_S
"""So long after its last step an order whose outcome is unknown may still arrive."""

_MAY_ARRIVE = (S.SENT, S.UNKNOWN)
_ENDS = (S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, ABSENT)
_EMPTY_ENDS = (S.REJECTED, ABSENT)


class Unsettled(Protocol):
    """An order, as far as a resolution is about it."""

    @property
    def state(self) -> S:
        """What is known of it."""

    @property
    def quantity(self) -> Decimal:
        """What was wanted, base currency."""

    @property
    def filled_quantity(self) -> Decimal:
        """What is known to be filled."""

    @property
    def average_price(self) -> Decimal | None:
        """Of all that is known to be filled."""

    @property
    def updated_at_ns(self) -> int:
        """When it took its last step."""


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """How the ledger gets there."""

    steps: tuple[S, ...]
    filled_quantity: Decimal
    """All that is filled then."""
    more: Decimal
    """What of it the ledger did not know."""
    average_price: Decimal | None


def why_not_resolve(
    order: Unsettled, to: S, filled: Decimal | None, price: Decimal | None, now_ns: int
) -> str:
    """Say in one sentence why a person may not settle an order so; empty when it may be."""
    if order.state in FINAL_STATES:
        return f"the order is {order.state}, which is final: nothing is left to resolve"
    if to not in _ENDS:
        return f"a resolution ends an order, and {to} does not"
    left_ns = order.updated_at_ns + WAIT_NS - now_ns
    if order.state in _MAY_ARRIVE and left_ns > 0:
        return (
            "it was sent a moment ago and may still arrive: look again in"
            f" {left_ns // NS_PER_S + 1} s"
        )
    return _wrong_way(order, to) or _wrong_numbers(order, to, filled, price)


def resolve(order: Unsettled, to: S, filled: Decimal | None, price: Decimal | None) -> Resolution:
    """Give the steps of a resolution that `why_not_resolve` has nothing against."""
    all_of_it = _filled(order, to, filled)
    more = EXACT.subtract(all_of_it, order.filled_quantity)
    average = order.average_price
    if more and price is not None:
        known = order.filled_quantity
        value = EXACT.fma(more, price, EXACT.multiply(known, average or NOTHING))
        average = EXACT.divide(value, all_of_it) if not known or average is not None else None
    return Resolution(
        steps=_way(order.state, to), filled_quantity=all_of_it, more=more, average_price=average
    )


def _way(state: S, to: S) -> tuple[S, ...]:
    if to in LEGAL_TRANSITIONS[state]:
        return (to,)
    by_absence = S.NOT_SENT in LEGAL_TRANSITIONS[state] and to in LEGAL_TRANSITIONS[S.NOT_SENT]
    return (S.NOT_SENT, to) if by_absence else ()


def _wrong_way(order: Unsettled, to: S) -> str:
    if _way(order.state, to):
        return ""
    if to is ABSENT:
        return f"the venue had it ({order.state}), so it cannot be absent: say how it ended"
    if S.SENT in LEGAL_TRANSITIONS[order.state]:
        return f"it is {order.state}: it never reached the venue; resolve it as absent"
    return f"an order that is {order.state} cannot have been {to}"


def _filled(order: Unsettled, to: S, filled: Decimal | None) -> Decimal:
    if filled is not None:
        return filled
    return order.quantity if to is S.FILLED else order.filled_quantity


def _wrong_numbers(order: Unsettled, to: S, filled: Decimal | None, price: Decimal | None) -> str:
    amount, known = _filled(order, to, filled), order.filled_quantity
    if amount.is_nan() or not known <= amount <= order.quantity:
        return f"{amount} cannot be filled: {known} is known to be, of {order.quantity}"
    if to is S.FILLED and amount != order.quantity:
        return f"{amount} of {order.quantity} is not filled: resolve it as canceled"
    if to in _EMPTY_ENDS and amount:
        return f"{amount} is filled, so it was not {'absent' if to is ABSENT else to}"
    if to in (S.CANCELED, S.EXPIRED) and amount == order.quantity:
        return f"all of {order.quantity} is filled: resolve it as filled"
    if amount > known and (price is None or not is_sane(price)):
        return f"{EXACT.subtract(amount, known)} more is filled than is known: say at which price"
    if amount == known and price is not None:
        return "a price is of what is filled and not known yet, and nothing is"
    return ""
