"""What is wrong with a wish of a strategy, in words for who wrote it. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from decisions.plain_wishes import plain_number
from messages.errors import BadDecision
from messages.exact import is_sane
from messages.texts import is_writable
from messages.values import OrderType, Protection, Side, TimeInForce


class NotADecision(BadDecision, AttributeError):
    """An object without what a decision has."""


def no_decisions(given: Any) -> BadDecision:
    """Give what to raise of something that holds none."""
    return BadDecision(
        f"gave {shown(given)}, expected decisions: a tuple or list of them, or a single Decision or"
        " Target; None is nothing"
    )


def of_no_symbol(wish: Any, symbol: Any, symbols: Sequence[str]) -> BadDecision:
    """Give what to raise of a wish for what its strategy does not trade, or of a class of wishes.

    A class has the descriptor of a symbol in the place of one.
    """
    if isinstance(wish, type):
        name = wish.__name__
        return BadDecision(f"gave the class {name}, expected what it makes: {name}(...)")
    known = ", ".join(symbols)
    return BadDecision(f"{symbol} is not one of this strategy's symbols: {known}")


def asked_protection(wish: Any) -> Protection | None:
    """Give what a wish says of stops; None where it says nothing."""
    stop, goal, trailing = (_plain(getattr(wish, name, None)) for name in _PROTECTIONS)
    if stop is None and goal is None and trailing is None:
        return None
    return Protection(stop_loss=stop, take_profit=goal, trailing=trailing)


def _plain(value: Any) -> Any:
    return plain_number(value) if isinstance(value, Decimal) else value


def protection_problem(asked: Protection, side: Side, price: Decimal) -> str:
    """Say what is wrong with a protection of an order at a price; empty when nothing is."""
    for name in _PROTECTIONS:
        value = getattr(asked, name)
        if value is not None and not (isinstance(value, Decimal) and is_sane(value)):
            return f"a {name} of {shown(value)}, expected a Decimal above 0"
    stop, goal, signed = asked.stop_loss, asked.take_profit, side.signed
    below, above = ("below", "above") if side is Side.BUY else ("above", "below")
    if stop is not None and signed(stop) >= signed(price):
        return f"a stop_loss of {stop} for a {side} at {price}: it must be {below} that"
    if goal is not None and signed(goal) <= signed(price):
        return f"a take_profit of {goal} for a {side} at {price}: it must be {above} that"
    if side is Side.BUY and asked.trailing is not None and asked.trailing >= price:
        return f"a trailing of {asked.trailing} for a buy at {price}: it would never act"
    return ""


def decision_problem(wish: Any) -> str:
    """Say what is wrong with a decision.

    Raises:
        NotADecision: it is none.
    """
    try:
        quantity, limit = wish.quantity, wish.limit_price
        kinds = (
            type(wish.side) is Side
            and type(wish.order_type) is OrderType
            and type(wish.time_in_force) is TimeInForce
            and isinstance(wish.reason, str)
        )
    except AttributeError:
        raise NotADecision(f"gave {shown(wish)}, expected a Decision or a Target") from None
    if not kinds:
        return _wrong_kind(wish)
    # 0, and what is too small or too large to exist, is refused by risk: a decision on record.
    if not isinstance(quantity, Decimal) or not quantity.is_finite() or quantity < 0:
        return f"a decision with the quantity {shown(quantity)}, expected a Decimal above 0"
    if limit is not None and not (isinstance(limit, Decimal) and limit.is_finite() and limit > 0):
        return f"a decision with the limit price {shown(limit)}, expected a Decimal above 0"
    problem = reason_problem(wish.reason)
    return f"a decision with {problem}" if problem else ""


def reason_problem(reason: Any) -> str:
    """Say what is wrong with the reason of a decision, a target, or a change of an order.

    The ledger keeps it: one that cannot be written would end the executor, and with it all.
    """
    if not isinstance(reason, str):
        return f"the reason {shown(reason)}, expected a str"
    return "" if is_writable(reason) else f"the reason {shown(reason)}, which UTF-8 cannot hold"


def _wrong_kind(wish: Any) -> str:
    for name, kind in _KINDS:
        value = getattr(wish, name)
        if not isinstance(value, kind):
            return f"a decision with the {name} {shown(value)}, expected a {kind.__name__}"
    return "a decision of other kinds than those of messages.values"


_PROTECTIONS = ("stop_loss", "take_profit", "trailing")
_KINDS = (
    ("side", Side),
    ("order_type", OrderType),
    ("time_in_force", TimeInForce),
    ("reason", str),
)


def shown(value: object) -> str:
    """Give a user's object as a short text, whatever it does."""
    try:
        return repr(value)[:80]
    except Exception:  # noqa: BLE001 - a user's object may raise anything
        return f"a {type(value).__name__}"
