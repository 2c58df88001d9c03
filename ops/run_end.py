"""How the process before this one left a run directory, when it did not leave it in order."""

from collections.abc import Mapping
from typing import Any

from ops.health_text import moment
from ops.run_dir import RunDir
from ops.run_state import read_object


def how_it_ended(run_dir: RunDir) -> str:
    """Say that the last process died, or stood still, and when it was seen.

    Nothing where it ended in order.

    To be asked by who holds the directory, before anything of this run is written.
    """
    pid = run_dir.taken_over_from
    if pid is None:
        return ""
    last = read_object(run_dir.status)
    if _said_so(last, run_dir.held_since_ns):
        return ""
    seen = last.get("captured_at_ns")
    when = f"last seen {moment(seen)}" if isinstance(seen, int) else "never seen"
    if run_dir.was_alive:
        return (
            f"process {pid} was overtaken as it stood still, {when}: its lease had ended, and a new"
            " one has taken its place; it was not dead then, and writes nothing more"
        )
    return f"process {pid} died without a word, {when}; a new one has taken its place"


def _said_so(last: Mapping[str, Any], held_since_ns: int) -> bool:
    """Whether it had told its end, and was killed in letting go: all of it is written.

    The number of a process tells nothing: in a container each may have the same.
    """
    ended = last.get("ended")
    at_ns = ended.get("at_ns") if isinstance(ended, Mapping) else None
    return isinstance(at_ns, int) and at_ns >= held_since_ns
