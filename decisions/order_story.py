"""What one order's life comes to: how long each step took, what is open, what comes next. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Protocol

from decisions.sending import PAUSES_NS
from messages.exact import EXACT, NOTHING
from messages.ids import NS_PER_S
from messages.order_states import FINAL_STATES, RESTING_STATES, UNSENT_STATES
from messages.values import OrderState


class Moment(Protocol):
    """A step of an order, as far as its time matters here."""

    @property
    def at_ns(self) -> int:
        """When it was durable, on our clock."""


class HowFar(Protocol):
    """An order, as far as what is left of it matters here."""

    @property
    def state(self) -> OrderState:
        """What is known of it."""

    @property
    def quantity(self) -> Decimal:
        """What was wanted."""

    @property
    def filled_quantity(self) -> Decimal:
        """What is done."""


def spans_ns(steps: Sequence[Moment]) -> list[int | None]:
    """Give for each step how long after the one before it came; negative if a clock went back."""
    later = [after.at_ns - before.at_ns for before, after in pairwise(steps)]
    return [None, *later] if steps else []


def open_quantity(order: HowFar) -> Decimal:
    """Give what may yet fill."""
    if order.state in FINAL_STATES:
        return NOTHING
    return EXACT.subtract(order.quantity, order.filled_quantity)


def what_next(state: OrderState, *, is_alive: bool, halted: str, is_ending: bool = False) -> str:
    """Say what will happen with an order in this state; `is_alive` is its run's process.

    `is_ending`: its strategy wants it ended, and it has not yet.
    """
    if state in FINAL_STATES:
        return "nothing: the order is final"
    if is_ending and not is_alive:
        return f"{_ASKED}; it is not sent again, and canceled where it is open: {_AT_ITS_WORD}"
    if not is_alive:
        return _AFTER_A_START[state] + (_HALTED_LATER if halted else "")
    if halted and state in UNSENT_STATES:
        return f"it is refused, for trading is halted: {halted}"
    if halted:
        return f"{_CANCELED}, for trading is halted: {halted}"
    if is_ending and state in RESTING_STATES:
        return f"{_CANCELED}: {_AT_ITS_WORD}"
    if is_ending:
        return f"it is asked for, not sent again, and canceled where it is open: {_AT_ITS_WORD}"
    return _WHILE_IT_RUNS[state]


_PAUSES = ", ".join(f"{pause // NS_PER_S}" for pause in PAUSES_NS)
_SENDS_AGAIN = (
    "it is sent again under the same id, unless the decision has become too old; after"
    f" {len(PAUSES_NS) + 1} sends that each proved absent it is refused"
)
_WHILE_IT_RUNS = {
    OrderState.CLAIMED: "it is sent at once",
    OrderState.SENT: "the venue's answer is waited for; no answer makes the outcome unknown",
    OrderState.UNKNOWN: "outcome unknown: the venue is asked again each second until it shows what"
    " became of the order; nothing is sent meanwhile, and no new risk is taken on the symbol",
    OrderState.NOT_SENT: f"{_SENDS_AGAIN} (pauses of {_PAUSES} s)",
    OrderState.ACCEPTED: "the venue has it and reports when it fills or ends",
    OrderState.PARTIALLY_FILLED: "the venue has the rest and reports when it fills or ends",
}
_ASKED = "the process is gone; at the next start the venue is asked for it before anything else"
_AFTER_A_START = {
    OrderState.CLAIMED: f"{_ASKED}: it should have none, and then {_SENDS_AGAIN}",
    OrderState.SENT: f"{_ASKED}: what it shows is recorded; if it surely has none {_SENDS_AGAIN}",
    OrderState.UNKNOWN: f"{_ASKED}, again each second until it shows what became of the order; if"
    f" it surely has none {_SENDS_AGAIN}",
    OrderState.NOT_SENT: f"{_ASKED}: if it still has none {_SENDS_AGAIN}",
    OrderState.ACCEPTED: f"{_ASKED}; it stays open there meanwhile",
    OrderState.PARTIALLY_FILLED: f"{_ASKED}; the rest stays open there meanwhile",
}
_CANCELED = "it is canceled, and asked for until the venue shows that it has ended"
_AT_ITS_WORD = "its strategy wants it ended"
_HALTED_LATER = "; trading is halted, so what is open is canceled then and nothing is sent"
