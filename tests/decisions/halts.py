"""Halts that have come some way, and their states and orders in a few words."""

from decisions.halting import (
    MOST_TRIES,
    TRADING,
    Halt,
    HaltRecord,
    HaltState,
    OrderedBy,
    halt,
    listed,
    looked_up,
)
from messages.ids import OrderKey, TimestampNs

A, B = OrderKey("a"), OrderKey("b")
PERSON, RULE = OrderedBy.PERSON, OrderedBy.RULE
NOW = TimestampNs(7)
RECORD = HaltRecord(reason="the operator said so", ordered_by=PERSON, at_ns=NOW)
HALTING, PROVED = HaltState.HALTING, HaltState.HALTED_PROVED
UNPROVED = HaltState.HALTED_UNPROVED


def halted(*open_keys: OrderKey) -> Halt:
    """A halt whose first list has come."""
    step, _ = halt(TRADING, RECORD)
    return listed(step, step.question, open_keys)[0]


def given_up() -> Halt:
    """A halt with one order that no question settled."""
    step = halted(A)
    for _ in range(MOST_TRIES):
        step = looked_up(step, A, is_open=True)[0]
    return step
