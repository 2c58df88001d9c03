"""Lives of a small run with stops, each killed at one durable step; a process of its own.

Usage: stop_kills.py FOLDER [EVERY]. A line of JSON for each kill: where it was, and what differs
from a run that was left alone. Forks, so that a kill costs no start of an interpreter.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.step_runtime import StepRuntime
from exchanges.paper_book import Book, read_book
from persistence.ledger import SqliteLedger
from tests.research.parity import write
from tests.research.stopped import stopped_strategy
from tests.system.conftest import config_of, run_to_end

MINUTE_MS = 60_000
CANDLES = [
    (100, 101, 99, 100, "40"),
    (100, 102, 99, 101, "40"),
    (101, 103, 94, 96, "0.3"),
    (96, 97, 95, 96, "40"),
    (96, 99, 95, 98, "2"),
    (98, 104, 97, 103, "40"),
    (103, 112, 102, 111, "40"),
    (111, 112, 104, 105, "40"),
    (90, 95, 88, 92, "40"),
    (92, 93, 91, 92, "40"),
]
"""A stop inside a candle with too little volume for it, a target, and a gap through a stop."""
ORDERS = [
    [0, "buy", "0.5", "", 5, 10, 0],
    [3, "buy", "0.7", "", 4, 12, 0],
    [5, "buy", "0.2", "", 0, 0, 7],
    [6, "buy", "0.1", "", 12, 0, 0],
]


def config(folder: Path, name: str) -> Any:
    rows = [((28_333_334 + n) * MINUTE_MS, *candle) for n, candle in enumerate(CANDLES)]
    path = write(folder / "candles.csv", rows)
    strategy = [stopped_strategy("s", "BTC/USDT", ORDERS)]
    return config_of(folder / name, {"BTC/USDT": path}, strategy=strategy)


def live(folder: Path, name: str, at: int | None = None, *, kill_after: bool = False) -> int:
    """Run in a child, killed at its `at`-th durable step or not at all; give the wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    count = 0

    def killing(act: Callable[..., Any]) -> Callable[..., Any]:
        def acted(*arguments: Any) -> Any:
            nonlocal count
            count += 1
            if count == at and not kill_after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = act(*arguments)
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return acted

    SqliteLedger._commit = killing(SqliteLedger._commit)  # type: ignore[method-assign]  # planted
    Book.write = killing(Book.write)  # type: ignore[method-assign]  # planted
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    os.dup2(devnull, 1)
    run_to_end(config(folder, name), StepRuntime(ttl_enforced=False))
    os._exit(min(count, 250))


def left(folder: Path, name: str) -> dict[str, Any]:
    """What the ledger and the venue hold at the end: all but when it was written."""
    run = folder / name
    ledger = SqliteLedger(run / "ledger.db")
    orders = [
        (e.order_key, e.side, str(e.quantity), e.state, str(e.filled_quantity), e.decided_at_ns)
        for e in ledger.entries()
    ]
    stops = [
        (s.entry_key, s.state, s.cause, str(s.acted_price), str(s.released), s.exits)
        for s in ledger.stops(done_too=True)
    ]
    ledger.close()
    book = [
        (b.client_order_id, b.state, str(b.filled_quantity), str(b.average_price))
        for b in read_book(run / "paper.db")
    ]
    return {"orders": orders, "stops": stops, "venue": sorted(book)}


def main(folder: Path, every: int) -> None:
    """Kill at each durable step, before it and after it."""
    status = live(folder, "whole")
    steps, whole = os.waitstatus_to_exitcode(status), left(folder, "whole")
    sys.stdout.write(json.dumps({"steps": steps, "whole": whole}) + "\n")
    for at in range(1, steps + 1):
        for kill_after in (False, True):
            if (2 * at + kill_after) % every:
                continue
            name = f"killed-{at}-{kill_after}"
            killed = live(folder, name, at, kill_after=kill_after)
            again = live(folder, name)
            ended = os.WIFSIGNALED(killed) and os.WIFEXITED(again)
            after = left(folder, name) if ended else {"lives": [killed, again]}
            differ = {} if after == whole else after
            sys.stdout.write(json.dumps({"at": at, "after": kill_after, "differ": differ}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
