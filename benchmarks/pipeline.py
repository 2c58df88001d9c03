"""Four actors in a row: our runtime with bounds, lanes and accounting, against stock Pykka."""

import argparse
import statistics
import threading
import time
from typing import Any

import pykka

from actors.actor import Actor
from actors.address import Address
from actors.thread_runtime import ThreadRuntime
from messages.ids import TimestampNs
from messages.lifecycle import HaltTrading
from messages.market import FeedEnded
from messages.ids import ActorPath


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


MESSAGE = FeedEnded(feed=ActorPath("feeds/x"), delivered=1)


def ours(total: int) -> float:
    """Messages a second through four of our actors, mailboxes bounded."""
    runtime, done = ThreadRuntime(), threading.Event()
    onward: Address[Any] | None = None
    for place in range(4):
        cell = runtime.populate(
            f"hop{place}", Hop, {"onward": onward, "total": total, "done": done}, total + 1
        )
        runtime.start(cell)
        onward = Address(cell)
    assert onward is not None
    begun = time.perf_counter()
    for _ in range(total):
        onward.tell(MESSAGE)
    done.wait()
    took = time.perf_counter() - begun
    for cell in runtime.cells.values():
        runtime.stop(cell, 1_000_000_000)
    return total / took


def stock(total: int) -> float:
    """Messages a second through four stock actors, unbounded and unmeasured."""
    done = threading.Event()
    onward = None
    for _ in range(4):
        onward = StockHop.start(onward, total, done)
    begun = time.perf_counter()
    for _ in range(total):
        onward.tell(MESSAGE)
    done.wait()
    took = time.perf_counter() - begun
    pykka.ActorRegistry.stop_all()
    return total / took


def run(total: int = 50_000, rounds: int = 5) -> dict[str, float]:
    """Interleave both and give the medians with their ratio."""
    ours_rates, stock_rates = [], []
    for _ in range(rounds):
        ours_rates.append(ours(total))
        stock_rates.append(stock(total))
    mine, theirs = statistics.median(ours_rates), statistics.median(stock_rates)
    return {"ours_per_s": mine, "stock_pykka_per_s": theirs, "ratio": mine / theirs}


if __name__ == "__main__":
    print(run())
