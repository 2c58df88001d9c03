"""Keeps all threads of a run on one CPU for as long as nobody else needs it."""

import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from actors.log import logger
from decisions.cpu_place import others_on, place
from messages.ids import NS_PER_S

LOOK_EVERY_S = 5.0
_STAT = Path("/proc/stat")
_TASKS = Path("/proc/self/task")
_IDLE, _WAITING, _GUESTS = 3, 4, 8
"""Places in a CPU's line: of what is no work, and of the first that was counted before it."""

Busy = Mapping[int, int]
"""By CPU: for how many nanoseconds anybody was on it since the machine was started."""


class _Look(NamedTuple):
    """What was seen at a moment."""

    at_ns: int
    busy_ns: Busy
    own_ns: int


class CpuKeeper:
    """Not for several threads: whoever made it calls `look` as often as it likes.

    `keep` puts every thread that there is on these CPUs; those that they start go with them. At
    first the kernel chooses: a place is taken only once somebody has looked who is there. `pick`
    tells runs apart.
    """

    def __init__(
        self,
        allowed: Collection[int],
        read: Callable[[], Busy],
        keep: Callable[[Collection[int]], object],
        own_ns: Callable[[], int] = time.process_time_ns,
        pick: int = 0,
    ) -> None:
        self._allowed, self._read, self._keep, self._own_ns = allowed, read, keep, own_ns
        self._pick = pick
        self.here: int | None = None
        """The CPU that the run is kept on; None while the kernel chooses."""
        self._due_s = 0.0
        self._seen: _Look | None = None

    def look(self, now_s: float) -> None:
        """See who else is there, when it is time; and go, or come."""
        if now_s < self._due_s or len(self._allowed) < 2:
            return
        self._due_s = now_s + LOOK_EVERY_S
        before, self._seen = self._seen, self._looked(now_s)
        if before is None:
            return
        busy = {cpu: ns - before.busy_ns.get(cpu, ns) for cpu, ns in self._seen.busy_ns.items()}
        own_ns, span_ns = self._seen.own_ns - before.own_ns, self._seen.at_ns - before.at_ns
        others = others_on(busy, own_ns, span_ns, self.here)
        there = place(self.here, others, self._pick)
        if there != self.here:
            shares = ", ".join(f"{share:.0%} of {cpu}" for cpu, share in sorted(others.items()))
            what = "on any CPU" if there is None else f"kept on CPU {there}"
            logger.info("all threads are {} from now on; others took {}", what, shares)
            self.here = there
            self._keep(self._allowed if there is None else [there])

    def _looked(self, now_s: float) -> "_Look":
        busy = {cpu: ns for cpu, ns in self._read().items() if cpu in self._allowed}
        return _Look(int(now_s * NS_PER_S), busy, self._own_ns())


def cpu_keeper() -> CpuKeeper:
    """Make one for this process; where a system cannot do it, it does nothing."""
    if not (hasattr(os, "sched_setaffinity") and _STAT.is_file() and _TASKS.is_dir()):
        return CpuKeeper((), dict, len)
    return CpuKeeper(os.sched_getaffinity(0), read_busy, keep_all_threads, pick=os.getpid())


def read_busy() -> Busy:
    """Give what the kernel has counted; nothing where it cannot be read."""
    try:
        lines = _STAT.read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    tick_ns = NS_PER_S // os.sysconf("SC_CLK_TCK")
    found = {}
    for line in lines:
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdigit():
            ticks = [int(field) for field in fields[:_GUESTS]]
            idle = ticks[_IDLE] + ticks[_WAITING]
            found[int(name[3:])] = (sum(ticks) - idle) * tick_ns
    return found


def keep_all_threads(cpus: Collection[int]) -> None:
    """Put every thread of this process on these CPUs; one that ends meanwhile is no loss."""
    for task in list(_TASKS.iterdir()):
        with suppress(OSError):
            os.sched_setaffinity(int(task.name), cpus)
