"""Four actors in a row: our runtime with bounds, lanes and accounting, against stock Pykka.

Ours as the kernel places its threads, and with all of them on one CPU, where a run keeps them
by itself (`runtime.one_cpu = "auto"`). Stock Pykka as it comes, and put on one CPU by hand.
"""

import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pykka

from actors.actor import Actor
from actors.address import Address
from actors.gathering import Gathering
from actors.metrics import MetricsActor
from actors.thread_runtime import ThreadRuntime
from benchmarks.common import Options, Result, median, one_cpu, say, scratch
from decisions.metrics import MetricsFold
from messages.ids import NS_PER_S, ActorPath
from messages.market import FeedEnded
from persistence.lines import RotatingLines

MESSAGE = FeedEnded(feed=ActorPath("feeds/x"), delivered=1)
HOPS = 4
SAMPLE_EVERY = 1_000
SWITCH_INTERVAL_S = sys.getswitchinterval()
"""The interpreter's own, for stock Pykka; our runtime sets a shorter one."""
OURS, OURS_ONE_CPU, MEASURED = "ours", "one CPU", "with metrics"
STOCK, STOCK_ONE_CPU = "stock", "stock on one CPU"


class Hop(Actor):
    """Passes every message on; the last one counts."""

    def __init__(self, onward: "Address[Any] | None", total: int, done: threading.Event) -> None:
        super().__init__()
        self.onward, self.total, self.done, self.seen = onward, total, done, 0

    def receive(self, message: Any) -> None:
        if self.onward is not None:
            self.onward.tell(message)
            return
        self.seen += 1
        if self.seen == self.total:
            self.done.set()


class StockHop(pykka.ThreadingActor):
    """The same on Pykka as it comes."""

    def __init__(self, onward: Any, total: int, done: threading.Event) -> None:
        super().__init__()
        self.onward, self.total, self.done, self.seen = onward, total, done, 0

    def on_receive(self, message: Any) -> None:
        if self.onward is not None:
            self.onward.tell(message)
            return
        self.seen += 1
        if self.seen == self.total:
            self.done.set()


def ours(total: int, folder: Path | None = None) -> float:
    """Messages a second through our actors, mailboxes bounded, everything accounted for.

    With a folder, with metrics: waits and outcomes measured, lines sampled and written there.
    """
    runtime, done = ThreadRuntime(), threading.Event()
    if folder is not None:
        _keep_metrics(runtime, folder)
    onward: Address[Any] | None = None
    for place in range(HOPS):
        arguments = {"onward": onward, "total": total, "done": done}
        cell = runtime.populate(f"hop{place}", Hop, arguments, total + 1)
        runtime.start(cell)
        onward = Address(cell)
    assert onward is not None
    rate = _rate(onward.tell, total, done)
    for cell in runtime.cells.values():
        runtime.stop(cell, NS_PER_S)
    handled = [cell.processed for cell in runtime.cells.values()]
    assert handled[-HOPS:] == [total] * HOPS, handled
    return rate


def _keep_metrics(runtime: ThreadRuntime, folder: Path) -> None:
    """As `ops.wiring` does it, with what a configuration says by default."""
    stages = runtime.note_hops(SAMPLE_EVERY)
    arguments = {
        "fold": MetricsFold(),
        "open_lines": partial(RotatingLines, folder / "metrics.ndjson", 64_000_000, 1),
        "write_summary": (folder / "metrics_summary.json").write_bytes,
        "describe": dict,
        "gathering": Gathering(runtime.cells, stages),
    }
    runtime.start(runtime.populate("metrics", MetricsActor, arguments))


def stock(total: int) -> float:
    """Messages a second through stock actors, unbounded and unmeasured."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    done = threading.Event()
    onward: Any = None
    for _ in range(HOPS):
        onward = StockHop.start(onward, total, done)
    rate = _rate(onward.tell, total, done)
    pykka.ActorRegistry.stop_all()
    return rate


def _rate(tell: Callable[[Any], object], total: int, done: threading.Event) -> float:
    begun = time.perf_counter()
    for _ in range(total):
        tell(MESSAGE)
    if not done.wait(300):
        raise TimeoutError("the last message did not come through")
    return total / (time.perf_counter() - begun)


def run(options: Options) -> list[Result]:
    """Interleave all of them and give the medians with their ratios."""
    total, rounds = options.pick(20_000, 50_000), options.pick(3, 7)
    rates: dict[str, list[float]] = {}
    with scratch(options) as folder:
        ways: dict[str, Callable[[], float]] = {
            OURS: partial(ours, total),
            OURS_ONE_CPU: partial(_on_one_cpu, ours, total),
            MEASURED: partial(ours, total, folder),
            STOCK: partial(stock, total),
            STOCK_ONE_CPU: partial(_on_one_cpu, stock, total),
        }
        for count in range(rounds):
            for name, way in ways.items():
                rates.setdefault(name, []).append(way())
            shown = ", ".join(f"{name} {found[-1]:,.0f}/s" for name, found in rates.items())
            say(f"pipeline {count + 1}/{rounds}: {shown}")
    return _lines({name: median(found) for name, found in rates.items()})


def _on_one_cpu(measure: Callable[[int], float], total: int) -> float:
    with one_cpu(wanted=True):
        return measure(total)


def _lines(rates: Mapping[str, float]) -> list[Result]:
    return [
        _against_stock(
            "4-actor pipeline, as a run has it",
            rates[OURS_ONE_CPU],
            rates[STOCK],
            "ours on one CPU, where a run keeps its threads by itself; stock Pykka as it comes",
        ),
        _against_stock(
            "4-actor pipeline, neither on one CPU",
            rates[OURS],
            rates[STOCK],
            "as the kernel places the threads of both",
        ),
        _against_stock(
            "4-actor pipeline, both on one CPU",
            rates[OURS_ONE_CPU],
            rates[STOCK_ONE_CPU],
            "stock Pykka put there by hand",
        ),
        Result(
            name="4-actor pipeline with metrics",
            value=rates[MEASURED],
            unit="messages/s",
            reference=rates[OURS],
            against="metrics off",
            goal="> 0.85x",
            met=rates[MEASURED] > 0.85 * rates[OURS],
            note=f"one line in {SAMPLE_EVERY}, every histogram complete",
        ),
    ]


def _against_stock(name: str, mine: float, theirs: float, note: str) -> Result:
    return Result(
        name=name,
        value=mine,
        unit="messages/s",
        reference=theirs,
        against="stock pykka",
        goal=">= 3x",
        met=mine >= 3 * theirs,
        note=note,
    )
