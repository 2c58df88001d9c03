"""What a lease needs of the machine: clocks, who this process is, and whether another still is.

Where the kernel does not tell (no ``/proc``), nothing is known, and what is not known is waited
for: a lease that was watched for its whole term is over on any machine.
"""

import os
import socket
import time
from pathlib import Path

import msgspec

from messages.lease import Holder, Moment

_BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_START_FIELD, _STATE_FIELD = 19, 0
"""Of /proc/PID/stat, counted from after the name, which may hold anything."""


def boot_ns() -> int:
    """Give the time since boot, with the time that the machine was suspended."""
    return time.clock_gettime_ns(_BOOT_CLOCK)


def moment() -> Moment:
    """Read both clocks."""
    return Moment(boot_ns(), time.time_ns())


class Machine(msgspec.Struct, frozen=True):
    """The machine as one process sees it."""

    clock: str
    """Of which boot and time namespace the boot clock is; empty: not known."""
    space: str
    """Of which boot and process namespace our process numbers are; empty: not known."""

    def me(self, run_dir: Path) -> Holder:
        """Describe this process."""
        pid = os.getpid()
        return Holder(
            host=socket.gethostname(),
            pid=pid,
            started=_stat(pid)[1],
            space=self.space,
            run_dir=str(run_dir.absolute().resolve()),
        )

    def is_alive(self, holder: Holder) -> bool | None:
        """Whether a process is still there; None: it cannot be seen from here.

        False is proof: it will never do anything again. One that was stopped is alive.
        """
        if not self.space or holder.space != self.space or not holder.started:
            return None
        try:
            os.kill(holder.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        state, started = _stat(holder.pid)
        if not started:
            return None
        if started != holder.started:
            return False
        return not (state == "Z" and _threads(holder.pid) <= 1)


def this_machine() -> Machine:
    """Ask the kernel which boot this is, and which namespaces we are in."""
    try:
        boot = _BOOT_ID.read_text().strip()
        spaces = [Path(f"/proc/self/ns/{kind}").readlink() for kind in ("time", "pid")]
    except OSError:
        return Machine("", "")
    return Machine(f"{boot} {spaces[0]}", f"{boot} {spaces[1]}")


def _stat(pid: int) -> tuple[str, int]:
    """Give the state's letter and the start of a process; ("", 0) where it cannot be seen."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = text.rpartition(")")[2].split()
        return fields[_STATE_FIELD], int(fields[_START_FIELD])
    except (OSError, ValueError, IndexError):
        return "", 0


def _threads(pid: int) -> int:
    """Count the threads: a process whose first one has ended may still run others."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 - only their number
    except OSError:
        return 0
