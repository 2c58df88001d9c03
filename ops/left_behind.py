"""What `health` says of a run whose process does not answer. Standard library only.

`status.json` is all that it has: the last word of a process, written by itself. It may be of a
process that was killed in the middle of anything, damaged, or old; it never reads as if it lived.
"""

import json
import stat
import time
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from messages.exit_codes import IN_ORDER
from ops.client import NoAnswer
from ops.health_text import duration, moment, recording_lines, render
from ops.run_files import LEDGER, LOCK, STATUS, no_run

_MOST_BYTES = 64_000_000
_LATEST_NS = 1 << 62
"""In the year 2116; what claims to be later is not a time."""

Snapshot = dict[str, Any]


def left_behind(run_dir: Path, problem: NoAnswer) -> Snapshot:
    """Give the last word of a process, with the verdict UNKNOWN; without one, only why.

    Where the process is gone, nothing of it is ready or alive, whatever its last word was.
    """
    last = _last_word(run_dir / STATUS)
    if last is None:
        why = _nothing_left(run_dir) if problem.gone else str(problem)
        return {"verdict": "UNKNOWN", "why": why}
    judged = {"last_verdict": last.get("verdict"), "verdict": "UNKNOWN", "gone": problem.gone}
    if not problem.gone:
        return {**last, **judged, "why": f"process {last.get('pid')}: {problem}"}
    why = "; ".join((_obituary(last), *_still_so(last)))
    return {**last, **judged, "why": why, "root_alive": False, "ready": False}


def is_worth_seeing(last: Snapshot) -> bool:
    """Whether the last page is shown: of a run that ended in order only a halt is."""
    if not isinstance(last.get("actors"), list):
        return False
    return not ended_in_order(last) or (bool(last.get("gone")) and _is_halted(last))


def last_page(last: Snapshot, *, colour: bool) -> str:
    """Give the page as it was last known, and when; each age on it is of that moment."""
    seen = {**last, "verdict": last.get("last_verdict"), "why": ""}
    try:
        page = render(seen, colour=colour)
    except Exception:  # noqa: BLE001 - whatever stands in the file is no reason to say nothing
        page = f"{STATUS} is damaged: there is no page to show"
    return f"last known: {_when(last.get('captured_at_ns'))}\n{page}"


def of_recordings(last: Snapshot) -> list[str]:
    """Give the lines of each recording's unused rows and gaps; none where it is damaged."""
    try:
        return list(recording_lines(last))
    except Exception:  # noqa: BLE001 - as of the page
        return []


def _last_word(path: Path) -> Snapshot | None:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
            return None  # on a pipe one would wait for ever
        last = json.loads(path.read_bytes(), parse_constant=_finite, parse_float=_finite)
    except (OSError, ValueError, RecursionError):
        return None
    return last if isinstance(last, dict) else None


def _finite(number: str) -> float:
    """Give a number that can be told again: of JSON, Infinity and 1e999 are none."""
    if not isfinite(value := float(number)):
        raise ValueError(number)
    return value


def _nothing_left(run_dir: Path) -> str:
    """Say that nothing is known of a process; where a run was, its other files still tell."""
    if not any((run_dir / name).exists() for name in (LEDGER, LOCK)):
        return no_run(run_dir)
    return (
        f"no process runs in {run_dir}, and its {STATUS} is missing or damaged, so that nobody"
        " knows how the last one ended: see its log, `watchkeeper orders` and `watchkeeper"
        " positions`"
    )


def _obituary(last: Snapshot) -> str:
    ended = last.get("ended")
    pid, name = last.get("pid", "?"), last.get("name", "?")
    if "pid" not in last:
        return "no process has left a word here"
    if not isinstance(ended, Mapping):
        seen = _when(last.get("captured_at_ns"))
        return f"process {pid} ({name}) was killed: last seen {seen}, and it said no goodbye"
    how = "ended in order" if ended_in_order(last) else "ended by itself"
    reason, code = ended.get("reason"), ended.get("exit_code")
    return f"process {pid} ({name}) {how} {_when(ended.get('at_ns'))}: {reason} (exit code {code})"


def _still_so(last: Snapshot) -> Iterator[str]:
    """Say what did not end with the process: its halt, orders at the exchange, stops."""
    if _is_halted(last):
        halt = last["halt"]
        yield (
            f"trading is halted ({halt.get('reason')}): the next start trades nothing before"
            f" `{halt.get('ends_with')}`"
        )
    left = last.get("left")
    texts = left.get("texts") if isinstance(left, Mapping) else None
    yield from map(str, texts if isinstance(texts, list) else ())


def _is_halted(last: Snapshot) -> bool:
    """Whether a halt outlives the process."""
    halt = last.get("halt")
    return isinstance(halt, Mapping) and halt.get("on_disk") is True


def ended_in_order(last: Mapping[str, Any]) -> bool:
    """Whether it left word of an end that nothing speaks against."""
    ended = last.get("ended")
    return isinstance(ended, Mapping) and ended.get("exit_code") in IN_ORDER


def _when(ts_ns: object) -> str:
    if not isinstance(ts_ns, int) or not 0 < ts_ns < _LATEST_NS:
        return "at an unknown time"
    ago_s = (time.time_ns() - ts_ns) / 1e9
    if ago_s < -1:
        return f"at {moment(ts_ns)}, by a clock that was ahead of ours"
    return f"at {moment(ts_ns)}, {duration(ago_s)} ago"
