"""Tells millions of messages through actors with metrics on; prints what became of memory and disk.

A program of its own, so that its memory is its own. Every hundredth message bears an order.
"""

import json
import os
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from actors.actor import Actor
from actors.gathering import Gathering
from actors.hops import outcomes
from actors.metrics import MetricsActor
from actors.thread_runtime import ThreadRuntime
from decisions.metrics import MetricsFold
from messages.base import Delivery, Message, Overflow
from messages.ids import NS_PER_S
from ops.describe import describer
from ops.metric_lines import metric_files
from ops.run_dir import atomic_write
from persistence.lines import RotatingLines

HOPS = 4
CHUNK = 5_000
ROTATE_BYTES = 1_000_000
KEEP = 3


class Plain(Message, frozen=True, kw_only=True):
    """Bears no order."""

    number: int


class Bearing(Message, frozen=True, kw_only=True):
    """Bears one."""

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.GROW, traced=True)
    number: int

    def trace_id(self) -> str:
        """Its number."""
        return f"{self.number:032x}"


class Hop(Actor):
    """Passes every message on; the last one says when a chunk is through."""

    def __init__(self, onward: Any, through: threading.Semaphore) -> None:
        super().__init__()
        self.onward, self.through = onward, through

    def receive(self, message: Any) -> None:
        if self.onward is not None:
            self.onward.tell(message)
        elif message.number % CHUNK == 0:
            self.through.release()


class CountedLines(RotatingLines):
    """Counts what it is given; intervals come with the time and are counted apart."""

    given: ClassVar[int] = 0
    intervals: ClassVar[int] = 0

    def write(self, line: bytes) -> None:
        """Count one line."""
        is_interval = b'"kind":"interval"' in line
        CountedLines.intervals += is_interval
        CountedLines.given += not is_interval
        super().write(line)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def flood(folder: Path, total: int) -> dict[str, Any]:
    runtime, fold, through = ThreadRuntime(), MetricsFold(), threading.Semaphore(0)
    stages = runtime.note_hops(1_000)
    arguments = {
        "fold": fold,
        "open_lines": partial(CountedLines, folder / "metrics.ndjson", ROTATE_BYTES, KEEP),
        "write_summary": partial(atomic_write, folder / "metrics_summary.json"),
        "describe": describer(runtime),
        "gathering": Gathering(runtime.cells, stages),
        "interval_s": 2.0,
    }
    metrics = runtime.populate("metrics", MetricsActor, arguments)
    runtime.start(metrics)
    onward: Any = None
    for place in reversed(range(HOPS)):
        cell = runtime.populate(f"hop{place}", Hop, {"onward": onward, "through": through}, 10**6)
        runtime.start(cell)
        onward = runtime.address(cell.path)
    tells, memory, disk = total // HOPS // CHUNK * CHUNK, list[float](), 0
    for number in range(1, tells + 1):
        onward.tell(Bearing(number=number) if not number % 100 else Plain(number=number))
        if number % CHUNK == 0:
            through.acquire()
            memory.append(resident_mb())
            disk = max(disk, sum(one.stat().st_size for one in metric_files(folder)))
    cells = [runtime.cell(f"hop{place}") for place in range(HOPS)]
    for cell in cells:
        runtime.stop(cell, 60 * NS_PER_S, drain=True)
    runtime.stop(metrics, 60 * NS_PER_S, drain=True)
    tenth = max(len(memory) // 10, 1)
    return {
        "tells": tells,
        "handled": sum(cell.processed for cell in cells),
        "measured": sum(c.latency.count for c in cells),
        "waited": sum(c.hops.waits.count for c in cells if c.hops is not None),
        "ok": sum(outcomes(c.processed, c.hops, {})["ok"] for c in cells if c.hops is not None),
        "lines": fold.keeping.lines,
        "given": CountedLines.given,
        "intervals": CountedLines.intervals,
        "dropped_lines": fold.keeping.dropped_lines,
        "disk_mb": disk / 1e6,
        "early_mb": max(memory[tenth : 2 * tenth] or memory),
        "late_mb": max(memory[-tenth:]),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(flood(Path(sys.argv[1]), int(sys.argv[2]))))
