"""The `stop` command: ask for an orderly end and wait for it. Standard library only."""

import contextlib
import os
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from messages.exit_codes import EXIT_FAILED, EXIT_NOTHING_THERE, EXIT_OK
from ops.client import NoAnswer, ask, unanswered, who
from ops.run_files import CONTROL_SOCKET

_ANSWER_S = 5.0
_POLL_S = 0.05


def stop(run_dir: Path, timeout_s: float) -> int:
    """Give 0 once the process is gone, 1 when it is there still or silent, 3 when none is."""
    socket = run_dir / CONTROL_SOCKET
    deadline = time.monotonic() + timeout_s
    patience_s = min(_ANSWER_S, max(timeout_s, 0.1))
    try:
        told, here = who(socket, patience_s)
        pid = here if here and here == told else None
        with _watched(pid) as handle:
            ask(socket, "stop", timeout_s=patience_s)
            gone = _wait(handle, run_dir, deadline)
    except NoAnswer as problem:
        return _unasked(run_dir, problem)
    process = f"the process of {run_dir}" if pid is None else f"process {pid}"
    if gone:
        sys.stdout.write(f"stopped {process}\n")
        return EXIT_OK
    sys.stderr.write(
        f"watchkeeper: {process} was asked to stop and is not gone after {timeout_s:g} s;"
        " it still settles its orders, so look at health before you kill it\n"
    )
    return EXIT_FAILED


def _unasked(run_dir: Path, problem: NoAnswer) -> int:
    """Say that nobody is there, or that who is there is silent: that one may trade on."""
    if problem.gone:
        sys.stderr.write(f"watchkeeper: nothing to stop in {run_dir}: {problem}\n")
        return EXIT_NOTHING_THERE
    then = "send it SIGTERM, or kill it: the next start settles what is open"
    said = unanswered(run_dir, problem, "it is not known to stop", then)
    sys.stderr.write(f"watchkeeper: {said}\n")
    return EXIT_FAILED


@contextlib.contextmanager
def _watched(pid: int | None) -> Iterator[int | None]:
    """Give a handle that the kernel marks when this very process ends, where it has such."""
    handle = None
    if pid is not None and hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def _wait(handle: int | None, run_dir: Path, deadline: float) -> bool:
    """Wait for this very process, or else until nobody answers for the directory and has it.

    A number of another namespace is somebody else's here, or nobody's: it would end too soon, or
    never. Its socket goes before it has given the rest back.
    """
    if handle is not None:
        left = max(deadline - time.monotonic(), 0.0)
        return bool(select.select([handle], [], [], left)[0])
    from ops.run_dir import RunDir  # which a process of this namespace can do without

    while time.monotonic() < deadline:
        if _is_silent(run_dir / CONTROL_SOCKET) and not RunDir(run_dir).is_held():
            return True
        time.sleep(_POLL_S)
    return False


def _is_silent(socket: Path) -> bool:
    try:
        ask(socket, "ping", timeout_s=_POLL_S)
    except NoAnswer as problem:
        return problem.gone
    return False
