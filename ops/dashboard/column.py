"""What happened in one column of time, and how two of them become one when columns widen. Pure."""

from collections import Counter

import msgspec

from decisions.time_columns import Spread

Given = tuple[int, int, int, int]
"""p50, p95, p99, max as the run itself has worked them out."""


class Column(msgspec.Struct):
    """What happened in one column of time."""

    counts: Counter[str] = msgspec.field(default_factory=Counter)
    """``events``, ``messages``, ``claimed``, ``filled`` and the like."""
    spreads: dict[str, Spread] = {}
    """Latencies by stage."""
    given: dict[str, Given] = {}
    """Percentiles of intervals by stage, the worst of each."""
    depths: dict[str, int] = {}
    """The fullest that a mailbox was seen."""


def merge(one: Column, other: Column) -> None:
    """Add the second to the first."""
    one.counts.update(other.counts)
    for stage, spread in other.spreads.items():
        one.spreads.setdefault(stage, Spread()).merge(spread)
    for stage, given in other.given.items():
        note_worst(one.given, stage, given)
    for path, depth in other.depths.items():
        one.depths[path] = max(one.depths.get(path, 0), depth)


def note_worst(given: dict[str, Given], stage: str, new: Given) -> None:
    """Keep of each percentile the greater."""
    old = given.get(stage, new)
    given[stage] = (
        max(old[0], new[0]),
        max(old[1], new[1]),
        max(old[2], new[2]),
        max(old[3], new[3]),
    )
