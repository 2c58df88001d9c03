"""Four actors in a row: our runtime with bounds, lanes and accounting, against stock Pykka."""

import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pykka

from actors.actor import Actor
from actors.address import Address
from actors.gathering import Gathering
from actors.metrics import MetricsActor
from actors.thread_runtime import ThreadRuntime
from benchmarks.common import Options, Result, median, say, scratch
from decisions.metrics import MetricsFold
from messages.ids import NS_PER_S, ActorPath
from messages.market import FeedEnded
from persistence.lines import RotatingLines

MESSAGE = FeedEnded(feed=ActorPath("feeds/x"), delivered=1)
HOPS = 4
SAMPLE_EVERY = 1_000
SWITCH_INTERVAL_S = sys.getswitchinterval()
"""The interpreter's own, for stock Pykka; our runtime sets a shorter one."""


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
    """Interleave both and give the medians with their ratio."""
    total, rounds = options.pick(20_000, 50_000), options.pick(3, 7)
    ours_rates, stock_rates, measured_rates = [], [], []
    with scratch(options) as folder:
        for count in range(rounds):
            ours_rates.append(ours(total))
            measured_rates.append(ours(total, folder))
            stock_rates.append(stock(total))
            say(
                f"pipeline {count + 1}/{rounds}: ours {ours_rates[-1]:,.0f}/s, with metrics"
                f" {measured_rates[-1]:,.0f}/s, stock {stock_rates[-1]:,.0f}/s"
            )
    mine, theirs, measured = median(ours_rates), median(stock_rates), median(measured_rates)
    return [
        Result(
            name="4-actor pipeline",
            value=mine,
            unit="messages/s",
            reference=theirs,
            against="stock pykka",
            goal=">= 3x",
            met=mine >= 3 * theirs,
        ),
        Result(
            name="4-actor pipeline with metrics",
            value=measured,
            unit="messages/s",
            reference=mine,
            against="metrics off",
            goal="> 0.85x",
            met=measured > 0.85 * mine,
            note=f"one line in {SAMPLE_EVERY}, every histogram complete",
        ),
    ]
