"""Why trades were ended, so that they can be counted by it. Pure.

A strategy's reasons have the figures of their moment in them. Two that differ in those alone are
one kind: ``fast 61.2 below slow 61.4`` is of the kind ``fast below slow``. What a stop has ended is
of the kind of its part: ``stop_loss``, ``trailing`` or ``take_profit``.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import fsum

import msgspec

from decisions.round_trips import RoundTrip
from messages.stops import Cause

UNSAID = "no reason given"
OTHERS = "other reasons"
_MOST_KINDS = 10
_STOPPED = re.compile(rf"({'|'.join(Cause)}) at [^\[]*\[protects [^\]]*\]")
_KEY = re.compile(r"\b[0-9a-f]{32}\b")
"""Another order's: what is said of the one is of a kind with what is said of the next."""
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d.,_]*(?:[eE][-+]?\d+)?(?!\w)")


class ExitFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The ended trades of one kind of exit; amounts in the quote currency, all fees paid."""

    reason: str
    """The kind, or ``other reasons`` for all that are not among the ten most frequent."""
    trades: int
    wins: int
    profit: float
    average_held_ns: int


def cause_of(reason: str) -> str:
    """Give which part of a stop decided an order; empty where no stop did."""
    found = _STOPPED.fullmatch(reason)
    return found[1] if found else ""


def short_reason(reason: str) -> str:
    """Give it as a table of trades has it: of a stop which part acted, else all its words."""
    return cause_of(reason) or reason


def kind_of(reason: str) -> str:
    """Give what a reason is counted by: which stop, or its words without figures and keys."""
    if cause := cause_of(reason):
        return cause
    return " ".join(_NUMBER.sub("", _KEY.sub("", reason)).split()) or UNSAID


def exit_figures(ended: Iterable[RoundTrip]) -> list[ExitFigures]:
    """Sum up trades by how they ended, the most frequent kind first."""
    kinds: dict[str, list[RoundTrip]] = defaultdict(list)
    for one in ended:
        kinds[kind_of(one.exit_reason)].append(one)
    ordered = sorted(kinds.items(), key=lambda kind: (-len(kind[1]), kind[0]))
    told = [_of_kind(*kind) for kind in ordered[:_MOST_KINDS]]
    if rest := [one for _, some in ordered[_MOST_KINDS:] for one in some]:
        told.append(_of_kind(OTHERS, rest))
    return told


def _of_kind(reason: str, trips: Sequence[RoundTrip]) -> ExitFigures:
    profits = [float(one.profit) for one in trips]
    held = sum((one.closed_ns or one.opened_ns) - one.opened_ns for one in trips)
    return ExitFigures(
        reason=reason,
        trades=len(trips),
        wins=sum(profit > 0 for profit in profits),
        profit=fsum(profits),
        average_held_ns=held // len(trips),
    )
