"""A fleet of real processes: killed, stopped, its orchestrator killed; nothing runs twice."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from decisions.fleet import BotMemory, Phase
from exchanges.paper_book import read_book
from ops.fleet.bots import holder
from ops.fleet.orchestrator import FLEET_LOCK, STATE
from persistence.fleet import FleetStore
from persistence.ledger import read_orders
from tests.system.conftest import STRESS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

BOTS = int(os.environ.get("WATCHKEEPER_STRESS_BOTS", "50")) if STRESS else 3
ROUNDS = 1_000 if STRESS else 4
MOST_S = float(os.environ.get("WATCHKEEPER_STRESS_S", "600"))
CONFIG = """
name = "{name}"
[feed]
type = "demo"
symbols = ["BTC/USDT"]
seed = {seed}
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
look_s = 0.1
stagger_s = 0.1
drain_s = 20
silent_s = {silent_s}
[restarts]
max = {most}
window_s = 60
backoff_min_ms = 100
backoff_max_ms = 200
"""


class Fleet:
    """A fleet file, its orchestrators, and what is known of its bots."""

    def __init__(self, folder: Path, bots: int, **settings: Any) -> None:
        self.folder, self.path = folder, folder / "fleet.toml"
        self.names = [f"bot{place}" for place in range(bots)]
        self.orchestrators: list[subprocess.Popen[bytes]] = []
        values = {"silent_s": 30, "most": 10_000} | settings
        text = FLEET.format(**values)
        for place, name in enumerate(self.names):
            (folder / f"{name}.toml").write_text(CONFIG.format(name=name, seed=place))
            text += f'[[bot]]\nid = "{name}"\nconfig = "{name}.toml"\n'
        self.path.write_text(text)

    def command(self, verb: str, *more: str) -> list[str]:
        return [sys.executable, "-P", "-m", "cli", "orchestrate", verb, str(self.path), *more]

    def run(self, verb: str, *more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(verb, *more), capture_output=True, text=True, timeout=90, check=False
        )

    def up(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "up.out").open("ab") as out:
            self.orchestrators.append(subprocess.Popen(self.command("up"), stdout=out, stderr=out))
        return self.orchestrators[-1]

    def run_dir(self, name: str) -> Path:
        return self.folder / "runs" / name

    def pid(self, name: str) -> int | None:
        found = holder(self.run_dir(name) / "run.lock")
        return None if found is None else found.pid

    def memory(self, name: str) -> BotMemory:
        with closing(FleetStore(self.folder / "runs" / STATE)) as store:
            kept = next(one for one in store.bots() if one.bot == name)
        return msgspec.json.decode(kept.memory, type=BotMemory)

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "up.out").read_text().splitlines()]


def until(what: Any, limit_s: float = 60.0) -> Any:
    """Wait for something true, and give it."""
    tick, deadline = threading.Event(), time.monotonic() + limit_s
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come"
        tick.wait(0.05)
    return found


@contextmanager
def ended_at_last(fleet: Fleet) -> Iterator[Fleet]:
    """Whatever a test leaves behind is killed."""
    try:
        yield fleet
    finally:
        owner = holder(fleet.folder / "runs" / FLEET_LOCK)
        left = [None if owner is None else owner.pid, *map(fleet.pid, fleet.names)]
        for pid in filter(None, left):
            os.kill(pid, signal.SIGKILL)
        for process in fleet.orchestrators:
            process.wait(30)


def all_run(fleet: Fleet) -> bool:
    return all(fleet.pid(name) for name in fleet.names)


def processes_of(fleet: Fleet, name: str) -> list[int]:
    """Every living process that was started on a bot's directory, by the kernel's list."""
    wanted, found = str(fleet.run_dir(name)), []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "start" in line and wanted in line:
            found.append(process.pid)
    return found


def traders_of(fleet: Fleet) -> dict[str, list[int]]:
    """By bot, every living process that has its ledger open: who waits for a lock has not."""
    found: dict[str, list[int]] = {name: [] for name in fleet.names}
    for name in fleet.names:
        ledger = str(fleet.run_dir(name) / "ledger.db")
        for pid in processes_of(fleet, name):
            with suppress(OSError):  # it ended meanwhile
                files = os.listdir(f"/proc/{pid}/fd")
                if ledger in [_target(f"/proc/{pid}/fd/{file}") for file in files]:
                    found[name].append(pid)
    return found


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def idle_costs(fleet: Fleet, seconds: float) -> list[tuple[float, float]]:
    """Of each bot: percent of a core, and resident megabytes, over a time when nobody is killed."""
    bots = [psutil.Process(pid) for pid in filter(None, map(fleet.pid, fleet.names))]
    before = [sum(bot.cpu_times()[:2]) for bot in bots]
    threading.Event().wait(seconds)  # what is measured is a time
    used = [sum(bot.cpu_times()[:2]) - one for bot, one in zip(bots, before, strict=True)]
    rss = [bot.memory_info().rss / 1e6 for bot in bots]
    return [(100 * one / seconds, mb) for one, mb in zip(used, rss, strict=True)]


def test_bots_and_orchestrators_are_killed_at_random_and_no_bot_ever_runs_twice(
    tmp_path: Path,
) -> None:
    """Two for a moment can be: the second finds the lock held and ends. Then it trades nothing."""
    rng = random.Random(11)
    with ended_at_last(Fleet(tmp_path, BOTS)) as fleet:
        orchestrator = fleet.up()
        until(lambda: all_run(fleet), 300)
        if STRESS:
            until(lambda: all(traders_of(fleet).values()), 300)
            costs = idle_costs(fleet, 30)
            print(f"{len(costs)} idle bots, each % of a core and MB (mean, most):")
            for column in zip(*costs, strict=True):
                print(f"  {sum(column) / len(column):.2f}  {max(column):.2f}")
        kills, ends = 0, time.monotonic() + MOST_S
        while kills < ROUNDS and time.monotonic() < ends:
            kills += 1
            if rng.random() < 0.3:
                orchestrator.kill()
                orchestrator.wait()
                orchestrator = fleet.up()
            victim = rng.choice(fleet.names)
            if pid := fleet.pid(victim):
                os.kill(pid, signal.SIGKILL)
            until(lambda name=victim, old=pid: fleet.pid(name) not in (None, old), 120)
            twice = {name: pids for name, pids in traders_of(fleet).items() if len(pids) > 1}
            assert twice == {}
        print(f"{kills} bots and {len(fleet.orchestrators) - 1} orchestrators were killed")
        assert fleet.run("down").returncode == 0
        assert orchestrator.wait(60) == 0

        for name in fleet.names:
            assert processes_of(fleet, name) == []
            assert fleet.memory(name).phase is Phase.WAITING
            placed = read_book(fleet.run_dir(name) / "paper.db")
            known = {
                order.client_order_id for order in read_orders(fleet.run_dir(name) / "ledger.db")
            }
            ids = [order.client_order_id for order in placed]
            assert len(set(ids)) == len(ids)
            assert set(ids) <= known


def test_a_process_that_is_stopped_hangs_and_is_replaced(tmp_path: Path) -> None:
    with ended_at_last(Fleet(tmp_path, 1, silent_s=3)) as fleet:
        fleet.up()
        first = until(lambda: fleet.pid("bot0"))
        until(lambda: (fleet.run_dir("bot0") / "status.json").exists())
        os.kill(first, signal.SIGSTOP)

        second = until(lambda: fleet.pid("bot0") not in (None, first) and fleet.pid("bot0"))
        assert second != first
        assert "last word" in str(fleet.said())
        assert fleet.run("down").returncode == 0


def test_a_crash_loop_is_parked_and_a_person_starts_it_again(tmp_path: Path) -> None:
    with ended_at_last(Fleet(tmp_path, 2, most=1)) as fleet:
        fleet.up()
        for _ in range(2):
            os.kill(until(lambda: fleet.pid("bot0")), signal.SIGKILL)
            until(lambda: fleet.pid("bot0") is None)
        until(lambda: fleet.memory("bot0").phase is Phase.PARKED)
        assert fleet.run("ps").returncode == 1
        assert fleet.pid("bot1")

        assert fleet.run("restart", "bot0").returncode == 0
        until(lambda: fleet.pid("bot0"))
        drained = fleet.run("drain", "bot1", "--json")
        assert json.loads(drained.stdout)["text"] == "bot1 is being ended, and stays so"
        until(lambda: fleet.memory("bot1").phase is Phase.STOPPED)
        assert fleet.run("ps").returncode == 0
        again = fleet.run("up")
        assert again.returncode == 2
        assert "is run by orchestrator" in again.stderr
        assert fleet.run("restart", "nobody").returncode == 1
        assert fleet.run("down").returncode == 0
        assert fleet.run("restart", "bot0").returncode == 3
