"""A journal that a run would keep, and who takes what into it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import strategies
from actors.step_runtime import StepRuntime
from messages.ids import NS_PER_S, ActorPath
from messages.lifecycle import HaltTrading
from ops.config import Config, demo_config
from ops.journal import Journal, journal_for
from ops.run_dir import RunDir
from ops.wiring import build

CANDLES = 60
EXECUTOR = ActorPath("execution/executor")
COMMAND = HaltTrading(reason="x", durable=False)


def demo(tmp_path: Path, **overrides: Any) -> Config:
    given = {"run_dir": str(tmp_path / "run"), "feed.speed": 0, "feed.limit": CANDLES}
    return demo_config({**given, "journal.when": "always", **overrides}, strategies.check_params)


@contextmanager
def kept(config: Config, utc_ns: Callable[[], int] = lambda: 7) -> Iterator[tuple[RunDir, Journal]]:
    """Hold a run directory, and give the journal that a run would keep there."""
    with RunDir(config.run_dir) as run_dir:
        journal = journal_for(config, run_dir, utc_ns)
        assert journal is not None
        yield run_dir, journal


def take(journal: Journal, count: int, command: HaltTrading = COMMAND) -> None:
    """Let the executor take a command so many times."""
    for _ in range(count):
        journal.record(EXECUTOR, command, is_timer=False)


def run_stepped(config: Config, run_dir: RunDir, journal: Journal, seen: list[Any]) -> Any:
    """Run a demo to its end in virtual time, with everything recorded twice."""
    runtime = StepRuntime(ttl_enforced=False)

    def record(path: Any, message: Any, *, is_timer: bool) -> None:
        before = journal.summary()["waiting"]
        journal.record(path, message, is_timer=is_timer)
        if journal.summary()["waiting"] > before:
            seen.append((path, message))

    runtime.recorder = record
    system = build(config, run_dir, runtime)
    assert not runtime.start(system.root, 60 * NS_PER_S).problem
    life = system.root.life
    assert life is not None
    runtime.run_until(lambda: system.executor.cell.processed >= 1)
    system.executor.tell(HaltTrading(reason="for the journal", durable=True))
    runtime.run_until(life.gone.is_set)
    return system


def eventually(holds: Callable[[], object]) -> bool:
    limit = time.monotonic() + 60
    while not holds() and time.monotonic() < limit:
        threading.Event().wait(0.002)
    return bool(holds())
