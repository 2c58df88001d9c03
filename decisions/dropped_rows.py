"""What of a recording could not be used, in words to act on. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from messages.market import FeedReport

_SHOWN = 3
"""So many rows are named to a person."""
_KINDS = {"malformed": "malformed", "duplicate": "duplicate", "out_of_order": "out of order"}


class DroppedRows(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows of one feed were dropped, by why, and the first of them."""

    malformed: int
    duplicate: int
    out_of_order: int
    cut_off: list[str]
    """A sentence for each file whose end cannot be read; each is one of the malformed."""
    first: list[str]
    """The first few, each ``file:line: sentence``."""


def dropped_of(report: FeedReport) -> DroppedRows | None:
    """Give what a feed has dropped; None where it has used every row."""
    if not (report.malformed or report.duplicate or report.out_of_order):
        return None
    return DroppedRows(
        malformed=report.malformed,
        duplicate=report.duplicate,
        out_of_order=report.out_of_order,
        cut_off=list(report.cut_off),
        first=list(report.first_problems[:_SHOWN]),
    )


def dropped_text(dropped: Mapping[str, Any]) -> str:
    """Say it in one line: first what is cut off, for that has to be got again."""
    counts = {kind: dropped[kind] for kind in _KINDS}
    counts["malformed"] -= len(dropped["cut_off"])  # told already
    count = sum(counts.values())
    if not count:
        return "; ".join(dropped["cut_off"])
    kinds = ", ".join(f"{many:,} {_KINDS[kind]}" for kind, many in counts.items() if many)
    were = "1 row was not used" if count == 1 else f"{count:,} rows were not used"
    rows = f"{were} ({kinds}), the first at {', '.join(dropped['first'])}"
    return "; ".join([*dropped["cut_off"], rows])
