"""Keeps the last word of a run true when a person does something without a process.

`status.json` is what `health` and the fleet read once the process is gone. Whoever calls this
holds the run directory.
"""

import json
from pathlib import Path
from typing import Any

from actors.halt_shown import VENUE_FAILED
from actors.log import logger
from actors.operator_board import HaltView
from messages.errors import RunDirBusy
from ops.health_text import moment
from ops.left_open import left_fields
from ops.lost_ledger import NEWEST_CLAIM, names_orders
from ops.run_dir import RunDir
from ops.run_files import STATUS, typed
from ops.run_state import read_object, trades_live
from ops.verdict import verdict


def halt_fields(view: HaltView, run_dir: Path) -> dict[str, Any]:
    """Give what `health` has under `halt`, of a run that is halted: how far it is, how it ends."""
    is_persons = view.state != VENUE_FAILED
    return {
        "state": view.state,
        "reason": view.reason,
        "ordered_by": view.ordered_by,
        "since": moment(view.at_ns) if view.at_ns else None,
        "on_disk": view.on_disk,
        "proved_at": moment(view.proved_at_ns) if view.proved_at_ns else None,
        "ends_with": f"watchkeeper resume {typed(run_dir)}" if is_persons else "stop",
    }


def note_halt(run_dir: RunDir, view: HaltView) -> None:
    """Write that the run is halted; that it could not be written is logged, for the halt holds."""
    halt = halt_fields(view, run_dir.path)
    why = f"trading is halted: {view.reason}"
    _write(run_dir, {"halt": halt, "verdict": "CRITICAL", "why": why, **_left(run_dir)})


def note_resumed(run_dir: RunDir) -> None:
    """Write that the halt is over: what is said then is what was last known of the process."""
    last = {**read_object(run_dir.status), "halt": {}}
    judged, why = verdict(last)
    _write(run_dir, {"halt": {}, "verdict": judged, "why": why})


def note_accepted(run_dir: RunDir) -> None:
    """Forget which order the ledger held: a person has said that it may lack what it does."""
    if names_orders(run_dir.path):
        _write(run_dir, {NEWEST_CLAIM: None})


def note_ended_stop(run_dir: RunDir) -> None:
    """Write that a stop was ended by a person: what the run left is less by that."""
    if new := _left(run_dir):
        _write(run_dir, new)


def _left(run_dir: RunDir) -> dict[str, Any]:
    """Give what a live run leaves now; a run on paper leaves nothing at an exchange."""
    return {"left": left_fields(run_dir.path)} if trades_live(run_dir.path) else {}


def _write(run_dir: RunDir, new: dict[str, Any]) -> None:
    last = read_object(run_dir.status) or {"schema": 1, "actors": [], "ended": None}
    try:
        content = json.dumps({**last, **new}, sort_keys=True).encode() + b"\n"
        run_dir.atomic_write(STATUS, content)
    except (OSError, RunDirBusy) as error:
        logger.warning("{} is older than the halt, or its end: {}", run_dir.status, error)
