"""What the benchmarks share: rows of results, percentiles, and one probe of the disk."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

BLOCK = os.urandom(4096)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How long and where to measure."""

    quick: bool
    rows: int
    folder: Path
    """On the file system that is measured."""

    def pick(self, quick: int, full: int) -> int:
        """Give a size by the length of the run."""
        return quick if self.quick else full


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. `ratio` is `value` over `reference`, both from the same run."""

    name: str
    value: float | None = None
    unit: str = ""
    reference: float | None = None
    against: str = ""
    goal: str = ""
    met: bool | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """None without a reference."""
        if self.value is None or not self.reference:
            return None
        return self.value / self.reference


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the least value that `percent` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def wait_for(done: Callable[[], bool], limit_s: float = 120.0) -> None:
    """Look every few milliseconds, which costs the measured threads next to nothing.

    Raises:
        TimeoutError: it did not come about.
    """
    end = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > end:
            raise TimeoutError("the benchmark waits for something that does not come")
        time.sleep(0.002)


def peak_mb(pid: int | str = "self") -> float:
    """Give the most memory that a process has held: of it, and not of who started it.

    `ru_maxrss` is handed down to whatever is started. Needs `/proc`.
    """
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1_024
    raise RuntimeError("this system does not tell how large a process is")


@contextmanager
def scratch(options: Options) -> Iterator[Path]:
    """Give a directory of its own, gone afterwards."""
    options.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=options.folder, prefix="watchkeeper-bench-") as name:
        yield Path(name)


@contextmanager
def one_cpu(wanted: bool) -> Iterator[None]:
    """Keep this thread, and those that it starts, on one CPU while the block runs, if wanted."""
    if not wanted or not hasattr(os, "sched_setaffinity"):
        yield
        return
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cpus)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)


STANDS_S = 0.5
"""So long a run stands before its first order: the ledger's first quiet moment is over by then."""


def fdatasync_us(folder: Path, count: int, pause_s: float = 0.0) -> list[float]:
    """Overwrite the same 4 kB and wait for the disk, again and again: what no commit can beat.

    With a pause before each: what no commit at that pace can beat. A machine that has had
    nothing to do takes longer.
    """
    handle = os.open(folder / "probe", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(handle, BLOCK, 0)
        os.fsync(handle)
        taken = []
        for _ in range(count):
            if pause_s:
                time.sleep(pause_s)
            begun = time.perf_counter_ns()
            os.pwrite(handle, BLOCK, 0)
            os.fdatasync(handle)
            taken.append((time.perf_counter_ns() - begun) / 1_000)
    finally:
        os.close(handle)
    return taken
