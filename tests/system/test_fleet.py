"""A fleet of real processes: killed, stopped, its orchestrator killed; nothing runs twice."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from decisions.fleet_bot import Phase
from exchanges.paper_book import read_book
from ops.audit import audit_run
from persistence.ledger import read_orders
from tests.system.conftest import STRESS
from tests.system.fleets import Fleet, costs, ended_at_last, table
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

BOTS = int(os.environ.get("WATCHKEEPER_STRESS_BOTS", "50")) if STRESS else 3
ROUNDS = 10_000 if STRESS else 4
MOST_S = float(os.environ.get("WATCHKEEPER_STRESS_S", "600"))
SPEED = 60 if STRESS else 6_000
RESTARTS = 4 if STRESS else 1
"""One kill more parks a bot."""
UNLUCKY = 5
"""Of those that are not parked, so many are killed more often than the others."""
IDLE_S = 60.0


@pytest.mark.skipif(not STRESS, reason="fifty processes: WATCHKEEPER_STRESS=1")
def test_an_idle_bot_costs_little(tmp_path: Path) -> None:
    """The market gives a candle a minute; nothing else happens."""
    with ended_at_last(Fleet(tmp_path, BOTS, speed=1, look_s=1)) as fleet:
        orchestrator = fleet.up()
        until(lambda: all(fleet.traders().values()), 300)
        threading.Event().wait(10)  # until the last of them has started up
        *bots, own = costs([*map(fleet.pid, fleet.names), orchestrator.pid], IDLE_S)
        table("idle bots", bots)
        table("their orchestrator", [own])
        assert fleet.run("down").returncode == 0
    assert max(bot.rss for bot in bots) < 60
    assert sum(bot.cpu for bot in bots) / len(bots) < 1


def test_bots_and_orchestrators_are_killed_at_random_and_no_bot_ever_runs_twice(
    tmp_path: Path,
) -> None:
    """Two for a moment can be: the second finds the lock held and ends. Then it trades nothing."""
    rng, kills = random.Random(11), Counter[str]()
    settings = {"speed": SPEED, "silent_s": 120, "most": RESTARTS, "window_s": 3_600}
    with ended_at_last(Fleet(tmp_path, BOTS, **settings)) as fleet, watched(fleet) as twice:
        orchestrator = fleet.up()
        until(lambda: all(fleet.traders().values()), 300)
        ends = time.monotonic() + MOST_S
        while sum(kills.values()) < ROUNDS and time.monotonic() < ends:
            if rng.random() < 0.3:
                orchestrator.kill()
                orchestrator.wait()
                orchestrator = fleet.up()
            left = [name for name in fleet.names if kills[name] <= RESTARTS]
            victim = rng.choice(left[: UNLUCKY if rng.random() < 0.4 else None])
            old = until(partial(fleet.pid, victim))
            os.kill(old, signal.SIGKILL)
            kills[victim] += 1
            if kills[victim] <= RESTARTS:
                until(partial(fleet.pid_besides, victim, old), 120)
        parked = {name for name, count in kills.items() if count > RESTARTS}
        until(lambda: {n for n, m in fleet.memories().items() if m.phase is Phase.PARKED} == parked)
        assert twice == []
        assert fleet.run("down").returncode == 0
        assert orchestrator.wait(60) == 0
        as_the_rules_say(fleet, kills)
        orders = sum(as_its_venue_says(fleet.run_dir(name)) for name in fleet.names)
        assert orders > BOTS
    sys.stdout.write(
        f"\n{BOTS} bots, {sum(kills.values())} of them and {len(fleet.orchestrators) - 1}"
        f" orchestrators killed, {len(parked)} bots parked; {orders} orders, none twice\n"
    )


def as_the_rules_say(fleet: Fleet, kills: Counter[str]) -> None:
    """Each was restarted once for each kill, and parked by one too many."""
    assert not any(fleet.processes().values())
    for name, memory in fleet.memories().items():
        is_parked = kills[name] > RESTARTS
        assert memory.phase is (Phase.PARKED if is_parked else Phase.WAITING), (name, memory)
        assert memory.restarts == min(kills[name], RESTARTS), (name, memory)


def as_its_venue_says(run_dir: Path) -> int:
    """Give how many orders the venue has: each once, each with its decision, each as far along."""
    ids = [order.client_order_id for order in read_book(run_dir / "paper.db")]
    known = {order.client_order_id for order in read_orders(run_dir / "ledger.db")}
    assert len(set(ids)) == len(ids)
    assert set(ids) <= known
    assert [check.examples for check in audit_run(run_dir) if check.differ] == []
    return len(ids)


@contextmanager
def watched(fleet: Fleet) -> Iterator[list[str]]:
    """Look again and again which processes have a ledger open; note where that are two."""
    found: list[str] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.2):
            for name, pids in fleet.traders().items():
                if len(pids) > 1:
                    found.append(f"{name}: {pids}")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield found
    is_over.set()
    watcher.join(30)


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


def test_who_asks_an_orchestrator_that_dies_hears_of_it_and_the_next_does_not_take_it_up(
    tmp_path: Path,
) -> None:
    with ended_at_last(Fleet(tmp_path, 1)) as fleet:
        orchestrator = fleet.up()
        until(lambda: fleet.pid("bot0"))
        orchestrator.send_signal(signal.SIGSTOP)
        answers: list[subprocess.CompletedProcess[str]] = []
        asking = threading.Thread(target=lambda: answers.append(fleet.run("drain", "bot0")))
        asking.start()
        until(lambda: fleet.open_requests() == ["drain"])

        orchestrator.kill()
        asking.join(30)

        (answer,) = answers
        assert (answer.returncode, answer.stderr[:31]) == (3, "watchkeeper: nobody runs this f")
        assert fleet.open_requests() == []
        assert fleet.run("down").returncode == 0
