"""How much of a position can be left: what is really held of it, and what fees have left of that.

A strategy's own position follows from its decisions alone, so that it decides the same on the same
market however fast a venue is. Where some of them were refused or never filled, less is held than
it believes. So an exit says how much of it leaves (`OrderIntent.leaves`), and is sent as what
there is of that: a part that was bought is sold as that part, and nothing is sold short by it.
"""

import re
from decimal import Decimal

import msgspec

from decisions.order_like import MaybeFitted
from decisions.risk_limits import Refusal, RiskLimits
from decisions.risk_state import RiskState, entering, free_to_leave, sellable, to_write_off
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey
from messages.orders import OrderIntent
from messages.values import SELL, OrderState, OrderType, TimeInForce

NOTHING_HELD = "nothing_held"
"""The code of an exit of which nothing is there."""

_AMOUNT = r"(\d{1,40}(?:\.\d{1,40})?(?:E[+-]\d{1,2})?)"
_FEES = re.compile(rf"; of {_AMOUNT}, fees have left {_AMOUNT}$", re.ASCII)
"""A strategy's own words stand before it, and may be anything: what is no amount is none."""
_PART = re.compile(rf"; of {_AMOUNT}, the venue takes {_AMOUNT} in one order$", re.ASCII)

_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What there was when an exit was decided: base currency, unsigned."""

    free: Decimal
    """What its strategy surely held, in no open exit."""
    entering: dict[OrderKey, Decimal]
    """Its open entries, with what of each had not filled."""


def fit_exit(intent: OrderIntent, limits: RiskLimits, state: RiskState) -> OrderIntent:
    """Give an exit of no more than there is to leave; any other order as it is.

    What it leaves counts with its strategy's open orders as if they filled, as its position does;
    but one that trades at once can sell only what has filled: what has not may never fill.
    """
    if not intent.leaves and intent.side is not SELL:
        return intent  # it enters, as most do that somebody waits for
    if not intent.quantity.is_finite():
        return intent  # no number compares with it; the gate refuses it
    held = _fit_to_filled(_fit_to_held(intent, state), state)
    return _fit_to_one_order(_fit_to_fees(held, limits, state), state)


def may_wait(intent: OrderIntent, state: RiskState) -> bool:
    """Whether an exit of which nothing is there may find something there later."""
    return intent.order_type is OrderType.MARKET and bool(_coming(intent, state))


def before_exit(intent: OrderIntent, state: RiskState) -> Before | None:
    """Give what there is for an exit, which `state` does not count yet; None of any other order."""
    if not intent.leaves or state.open_orders is None:
        return None
    return Before(free=_free(intent, state), entering=_coming(intent, state))


def rest_of_exit(intent: OrderIntent, fitted: OrderIntent, state: RiskState) -> Decimal:
    """Give what an exit that trades at once cannot leave now: base currency, unsigned.

    `state` does not count it yet.
    """
    leaves = intent.leaves
    if not leaves or state.open_orders is None or not _trades_at_once(intent):
        return NOTHING
    sent = EXACT.subtract(fitted.quantity, EXACT.subtract(intent.quantity, leaves))
    wanted = min(leaves, _held(intent, state))
    left = EXACT.subtract(EXACT.subtract(wanted, sent), fees_in(fitted.reason))
    return left if sent > NOTHING and left > NOTHING else NOTHING


def nothing_held(intent: OrderIntent) -> Refusal | None:
    """Refuse an exit of which nothing was left when it was made to fit."""
    if intent.quantity or not intent.leaves:
        return None
    text = (
        f"an exit of {intent.leaves.normalize():f} was asked for, but the strategy holds nothing of"
        " it: its entry was refused, has not filled, went for fees, or has been left already"
    )
    return Refusal(code=NOTHING_HELD, text=text)


def fees_in(reason: str) -> Decimal:
    """Give what fees had taken of an exit, from the reason that `fit_exit` gave it; else 0."""
    found = _FEES.search(reason)
    return NOTHING if found is None else EXACT.subtract(Decimal(found[1]), Decimal(found[2]))


def is_part(reason: str) -> bool:
    """Whether an exit is less than was to be left because the venue takes no more in one order."""
    return _PART.search(reason) is not None


def done_by(order: MaybeFitted) -> Decimal:
    """Give what an order has filled; once that is all, with what fees had taken of it."""
    if order.state is not OrderState.FILLED or order.decided_quantity is None:
        return order.filled_quantity
    return EXACT.add(order.filled_quantity, fees_in(order.reason))


def taken_by_fees(order: MaybeFitted) -> Decimal:
    """Give what fees had taken of an exit that has filled; else 0."""
    return EXACT.subtract(done_by(order), order.filled_quantity)


def _fit_to_held(intent: OrderIntent, state: RiskState) -> OrderIntent:
    leaves = intent.leaves
    if not leaves:
        return intent
    there = _held(intent, state)
    return intent if leaves <= there else _cut(intent, there, "held")


def _fit_to_filled(intent: OrderIntent, state: RiskState) -> OrderIntent:
    """Leave what has filled of entries that are open; what rests can wait for the others.

    Counted as filled they are sold all the same: coins of another strategy, or short. Of one that
    has waited, what has filled of its own: what was bought later is in its strategy's position.
    """
    if not intent.leaves or not _trades_at_once(intent):
        return intent
    own = state.bought_before.get(intent.order_key)
    if own is None and not _coming(intent, state):
        return intent
    free = _free(intent, state)
    there = free if own is None else min(own, free)
    return intent if intent.leaves <= there else _cut(intent, there, "filled")


def _free(intent: OrderIntent, state: RiskState) -> Decimal:
    """Give what has filled and is nobody else's to leave: no other order's, and no stop's."""
    place = intent.strategy_id, intent.symbol
    free = free_to_leave(*place, intent.side, state)
    return max(EXACT.subtract(free, state.spoken_for.get(place, NOTHING)), NOTHING)


def _trades_at_once(intent: OrderIntent) -> bool:
    return intent.order_type is OrderType.MARKET or intent.time_in_force in _AT_ONCE


def _cut(intent: OrderIntent, there: Decimal, how: str) -> OrderIntent:
    """Give an exit of less; one of which nothing is there keeps what it was to leave."""
    leaves = intent.leaves
    quantity = EXACT.add(EXACT.subtract(intent.quantity, leaves), there)
    if not quantity:
        return msgspec.structs.replace(intent, quantity=quantity)
    asked, only = leaves.normalize(), there.normalize()
    reason = f"{intent.reason}; asked to exit {asked:f}, only {only:f} is {how}"
    return msgspec.structs.replace(intent, quantity=quantity, leaves=there, reason=reason)


def _held(intent: OrderIntent, state: RiskState) -> Decimal:
    """Give what its strategy holds that it could leave, open orders as if they filled."""
    held = state.held_by.get((intent.strategy_id, intent.symbol), NOTHING)
    there = held if intent.side is SELL else held.copy_negate()
    return max(EXACT.subtract(there, _gone(intent, state)), NOTHING)


def _gone(intent: OrderIntent, state: RiskState) -> Decimal:
    return to_write_off(intent.symbol, state, intent.strategy_id)


def _coming(intent: OrderIntent, state: RiskState) -> dict[OrderKey, Decimal]:
    return entering(intent.strategy_id, intent.symbol, intent.side, state)


def _fit_to_fees(intent: OrderIntent, limits: RiskLimits, state: RiskState) -> OrderIntent:
    """Sell no more than fees have left of what the strategy bought.

    Where the venue took its fee in the bought currency, all of it is more than there is: the order
    would be rejected, or sell coins that this run, or this strategy, did not buy. What an entry has
    yet to fill pays for nothing. Only at a real spot account, whose executions tell their fees.
    """
    grid = state.instruments.get(intent.symbol)
    if limits.allow_short or intent.side is not SELL or grid is None or state.flows is None:
        return intent
    place = intent.strategy_id, intent.symbol
    own = state.flows.fees_of.get(place, NOTHING)
    everyones = state.flows.base_fees.get(intent.symbol, NOTHING)
    of_all = to_write_off(intent.symbol, state)
    left = min(
        _left(
            intent, free_to_leave(*place, SELL, state), EXACT.subtract(own, _gone(intent, state))
        ),
        _left(intent, sellable(intent.symbol, state), EXACT.subtract(everyones, of_all)),
    )
    if left >= intent.quantity:
        return intent
    fits = EXACT.multiply(EXACT.divide_int(left, grid.quantity_step), grid.quantity_step)
    if fits <= NOTHING:
        leaves = intent.leaves or intent.quantity
        return msgspec.structs.replace(intent, quantity=NOTHING, leaves=leaves)
    reason = f"{intent.reason}; of {intent.quantity}, fees have left {fits.normalize():f}"
    return msgspec.structs.replace(intent, quantity=fits, reason=reason)


def _fit_to_one_order(intent: OrderIntent, state: RiskState) -> OrderIntent:
    """Cut an exit to what the venue takes in one market order.

    Else it would reject the whole, again and again. The rest of a stop's exit follows in another.
    """
    grid = state.instruments.get(intent.symbol)
    most = None if grid is None else grid.max_market_quantity
    if grid is None or most is None or intent.order_type is not OrderType.MARKET:
        return intent
    if not intent.leaves or not most < intent.quantity <= intent.leaves:
        return intent
    fits = EXACT.multiply(EXACT.divide_int(most, grid.quantity_step), grid.quantity_step)
    if fits <= NOTHING:
        return intent
    whole, part = intent.quantity.normalize(), fits.normalize()
    reason = f"{intent.reason}; of {whole:f}, the venue takes {part:f} in one order"
    return msgspec.structs.replace(intent, quantity=fits, reason=reason)


def _left(intent: OrderIntent, held: Decimal, fees: Decimal) -> Decimal:
    """Give what fees have left of an exit; all of it unless they are why it is too much."""
    left = EXACT.subtract(held, max(fees, NOTHING))
    return left if left < intent.quantity <= held else intent.quantity
