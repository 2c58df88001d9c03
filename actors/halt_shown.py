"""How far a halt is, as people and programs read it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from actors.operator_board import HaltView
from decisions.halting import Halt, HaltRecord, HaltState
from messages.ids import NS_PER_S, OrderKey, TimestampNs

VENUE_FAILED = "venue_failed"
_SHOWN_AT_MOST = 3


def failed_view(why: str) -> HaltView:
    """Show a halt that no person and no rule ordered: a venue that failed for good."""
    return HaltView(state=VENUE_FAILED, reason=why, text=f"{why}; open orders are left as they are")


def halt_view(
    halt: Halt,
    record: HaltRecord,
    *,
    proved_at_ns: TimestampNs | None,
    is_on_disk: bool,
    foreign: tuple[str, ...],
    problem: str,
    may_be_open: Sequence[OrderKey],
) -> HaltView:
    """Show a halt. `problem`: why the venue was asked in vain last; `foreign`: others' orders."""
    parts = [_progress(halt, proved_at_ns, problem, may_be_open)]
    if foreign:
        parts.append(f"{len(foreign)} orders of others were seen and left alone")
    if not is_on_disk:
        parts.append("NOT on disk: it ends with this process")
    return HaltView(
        state=str(halt.state),
        reason=record.reason,
        ordered_by=str(record.ordered_by),
        at_ns=record.at_ns,
        on_disk=is_on_disk,
        open=tuple(sorted(halt.open)),
        foreign=foreign,
        proved_at_ns=proved_at_ns,
        problem="" if proved_at_ns else problem,
        text=f"{'; '.join(parts)}: {record.reason}",
    )


def _progress(
    halt: Halt, proved_at_ns: TimestampNs | None, problem: str, may_be_open: Sequence[OrderKey]
) -> str:
    if proved_at_ns is not None:
        at = datetime.fromtimestamp(proved_at_ns // NS_PER_S, UTC).strftime("%H:%M:%S")
        return f"proved: nothing open at {at} UTC"
    if halt.state is HaltState.HALTED_UNPROVED:
        return f"NOT proved{doubted(may_be_open, problem)}"
    why = f" ({problem})" if problem else ""
    if count := len(halt.open):
        return f"halting: {count} order{'s' * (count != 1)} to be closed{why}"
    return f"halting: the venue is asked what is open{why}"


def doubted(may_be_open: Sequence[OrderKey], problem: str) -> str:
    """Name what may be open, and why the venue was asked in vain; empty where neither is known."""
    named, others = ", ".join(may_be_open[:_SHOWN_AT_MOST]), len(may_be_open) - _SHOWN_AT_MOST
    more = f" and {others} more" if others > 0 else ""
    doubt = f": {named}{more} may be open" if may_be_open else ""
    return f"{doubt} ({problem})" if problem else doubt
