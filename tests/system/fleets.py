"""Fleets of real processes for tests: a fleet file, its orchestrators, and what they cost."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psutil

from cli import main
from decisions.fleet_bot import BotMemory
from ops.fleet.bots import holder
from ops.fleet.fleet_lock import FLEET_LOCK
from ops.fleet.orchestrator import STATE
from persistence.fleet import FleetStore

CONFIG = """
name = "{name}"
[feed]
type = "demo"
symbols = ["BTC/USDT"]
seed = {seed}
speed = {speed}
[[strategy]]
id = "sma"
uses = "sma_cross"
[strategy.params]
fast = 3
slow = 6
"""
FLEET = """
name = "desk"
run_dir = "runs"
look_s = {look_s}
stagger_s = 0.1
drain_s = {drain_s}
silent_s = {silent_s}

[restarts]
max = {most}
window_s = {window_s}
backoff_min_ms = 100
backoff_max_ms = 200
"""
DEFAULTS = {"drain_s": 20, "silent_s": 30, "most": 10_000, "window_s": 60, "look_s": 0.1}


class Fleet:
    """A fleet file, its orchestrators, and what is known of its bots."""

    def __init__(self, folder: Path, bots: int, *, speed: float = 600, **settings: Any) -> None:
        self.folder, self.path = folder, folder / "fleet.toml"
        self.names = [f"bot{place}" for place in range(bots)]
        self.orchestrators: list[subprocess.Popen[bytes]] = []
        text = FLEET.format(**(DEFAULTS | settings))
        for place, name in enumerate(self.names):
            config = CONFIG.format(name=name, seed=place, speed=speed)
            (folder / f"{name}.toml").write_text(config)
            text += f'[[bot]]\nid = "{name}"\nconfig = "{name}.toml"\n'
        self.path.write_text(text)

    def command(self, verb: str, *more: str) -> list[str]:
        return [sys.executable, "-P", "-m", "cli", "orchestrate", verb, str(self.path), *more]

    def run(self, verb: str, *more: str) -> "subprocess.CompletedProcess[str]":
        """Have a command carried out: in this process, whose imports are made, but for `up`."""
        command = self.command(verb, *more)
        if verb == "up":
            return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as problems:
            code = main(command[command.index("cli") + 1 :])
        return subprocess.CompletedProcess(command, code, out.getvalue(), problems.getvalue())

    def up(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "up.out").open("ab") as out:
            self.orchestrators.append(subprocess.Popen(self.command("up"), stdout=out, stderr=out))
        return self.orchestrators[-1]

    def run_dir(self, name: str) -> Path:
        return self.folder / "runs" / name

    def pid(self, name: str) -> int | None:
        found = holder(self.run_dir(name) / "run.lock")
        return None if found is None else found.pid

    def pid_besides(self, name: str, old: int) -> int | None:
        """Give the process that has taken an old one's place."""
        found = self.pid(name)
        return None if found == old else found

    def memories(self) -> dict[str, BotMemory]:
        """How each bot stood when its orchestrator last wrote it down."""
        with closing(FleetStore(self.folder / "runs" / STATE)) as store:
            kept = store.bots()
        return {one.bot: msgspec.json.decode(one.memory, type=BotMemory) for one in kept}

    def open_requests(self) -> list[str]:
        """What was asked for, and is not answered."""
        with closing(FleetStore(self.folder / "runs" / STATE)) as store:
            return [one.verb for one in store.open_requests()]

    def memory(self, name: str) -> BotMemory:
        return self.memories()[name]

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "up.out").read_text().splitlines()]

    def all_run(self) -> bool:
        return all(map(self.pid, self.names))

    def processes(self) -> dict[str, list[int]]:
        """By bot, every living process that was started on its directory, by the kernel's list."""
        names = {str(self.run_dir(name)): name for name in self.names}
        found: dict[str, list[int]] = {name: [] for name in self.names}
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            for name in {names[word] for word in line if word in names and "start" in line}:
                found[name].append(process.pid)
        return found

    def traders(self) -> dict[str, list[int]]:
        """Those of them that have its ledger open: who waits for a lock has not."""
        return {
            name: [pid for pid in pids if _has_open(pid, self.run_dir(name) / "ledger.db")]
            for name, pids in self.processes().items()
        }


@contextmanager
def ended_at_last(fleet: Fleet) -> Iterator[Fleet]:
    """Whatever a test leaves behind is killed."""
    try:
        yield fleet
    finally:
        owner = holder(fleet.folder / "runs" / FLEET_LOCK)
        for pid in [owner.pid] if owner else []:
            os.kill(pid, signal.SIGKILL)
        for process in fleet.orchestrators:
            process.wait(30)
        for pids in fleet.processes().values():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


class Cost(NamedTuple):
    """Of one process, over a time: percent of a core; megabytes, shared pages whole and shared."""

    cpu: float
    rss: float
    pss: float


def costs(pids: Iterable[int | None], seconds: float) -> list[Cost]:
    """Measure processes that nobody kills meanwhile."""
    processes = [psutil.Process(pid) for pid in pids if pid]
    before, begun = [_cpu_s(one) for one in processes], time.monotonic()
    threading.Event().wait(seconds)  # what is measured is a time
    used, took_s = [_cpu_s(one) for one in processes], time.monotonic() - begun
    memory = [one.memory_full_info() for one in processes]
    return [
        Cost(100 * (now - then) / took_s, own.rss / 1e6, own.pss / 1e6)
        for now, then, own in zip(used, before, memory, strict=True)
    ]


def table(title: str, rows: list[Cost]) -> None:
    """Print what processes cost."""
    sys.stdout.write(f"\n{title}: {len(rows)}\n{'':22}{'mean':>8}{'most':>8}\n")
    names = ("CPU, % of a core", "RSS, MB", "PSS, MB")
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        sys.stdout.write(f"  {name:20}{sum(column) / len(rows):8.2f}{max(column):8.2f}\n")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _has_open(pid: int, path: Path) -> bool:
    with suppress(OSError):  # it ended meanwhile
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if file.readlink() == path:
                    return True
    return False
