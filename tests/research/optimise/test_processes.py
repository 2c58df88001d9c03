"""Workers as real processes: what ends them ends a trial, never a search."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from research.optimise import processes
from research.optimise.processes import Processes
from research.optimise.protocol import Done, End, Ended, PartOver, Told
from research.optimise.trial import Task
from tests.cli.runs import ROOT
from tests.research.optimise.markets import plan_of, work_of, write_candles

pytestmark = pytest.mark.slow
STRESS = bool(os.environ.get("WATCHKEEPER_STRESS"))

ACTING = """
import itertools, os, sys, threading
from strategies import Strategy

class Acting(Strategy):
    def __init__(self, params, symbol, order_notional, instrument):
        self.act = params.get("act", "")
    def on_candle(self, candle, position):
        print("to nobody")
        if self.act == "exit":
            os._exit(7)
        if self.act == "quit":
            sys.exit("enough")
        if self.act == "raise":
            raise RuntimeError("no good")
        if self.act == "hang":
            threading.Event().wait()
        if self.act == "loop":
            while True:
                pass
        if self.act == "catch":
            while True:
                try:
                    threading.Event().wait()
                except BaseException:
                    pass
        if self.act == "in C":
            sum(itertools.count())
        return ()
"""


class World:
    """Two workers on a small market."""

    def __init__(
        self, folder: Path, limit_s: float | None = None, event_limit_s: float = 60
    ) -> None:
        file = folder / "acting.py"
        file.write_text(ACTING)
        plan = plan_of(write_candles(folder / "c.csv", 60), {}, f"{file}:Acting")
        work, self.columns = work_of(plan)
        work = msgspec.structs.replace(work, event_limit_s=event_limit_s)
        self.pool = Processes(work, self.columns.fd, 2, limit_s)
        segment = work.indices[0].segments
        self.span = segment[0].first_ns - 1, segment[-1].last_ns

    def begin(self, ticket: int, act: str = "", cuts: int = 0) -> None:
        begin, end = self.span
        cuts_ns = tuple(begin + (end - begin) * n // (cuts + 1) for n in range(1, cuts + 1))
        params = {"s": {"act": act}}
        self.pool.begin(
            Task(ticket=ticket, params=params, begin_ns=begin, end_ns=end, cuts_ns=cuts_ns)
        )

    def next(self, limit_s: float = 20) -> Told:
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            for told in self.pool.wait(0.2):
                return told
        raise TimeoutError("nothing was told")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all tests, each of which leaves it with nothing to do: a worker takes its time."""
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.pool.close()
    made.columns.close()


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("exit", "its process ended with exit code 7"),
        ("quit", "SystemExit: enough"),
        ("raise", "RuntimeError: no good"),
    ],
)
def test_what_a_strategy_does_fails_its_trial_and_the_next_one_is_made(
    world: World, act: str, said: str
) -> None:
    world.begin(1, act)
    failed = world.next()
    world.begin(2)

    assert isinstance(failed, Ended)
    assert (failed.ticket, failed.how) == (1, End.FAILED)
    assert said in failed.reason
    if act != "exit":
        assert "acting.py:" in failed.reason
    assert isinstance(world.next(), Done)
    assert world.pool.idle == 2


def test_a_worker_that_is_killed_fails_its_trial(world: World) -> None:
    world.begin(1, "hang")
    (worker,) = world.pool.process_ids  # the one that there was, or the first

    os.kill(worker, signal.SIGKILL)

    assert world.next() == Ended(1, End.FAILED, "its process ended by SIGKILL")
    world.begin(2)
    assert isinstance(world.next(), Done)


def test_a_trial_that_takes_for_ever_is_ended(tmp_path: Path) -> None:
    world = World(tmp_path, limit_s=0.5)
    world.begin(1, "hang")

    ended = world.next()

    assert isinstance(ended, Ended)
    assert "longer than 0.5 s" in ended.reason
    assert world.pool.process_ids == []
    world.pool.close()
    world.columns.close()


def test_a_call_that_does_not_come_back_fails_its_trial_and_its_worker_makes_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each trial is the next one's proof. In C nothing interrupts it: it is ended from outside."""
    monkeypatch.setattr(processes, "_GRACE_S", 0.2)
    world = World(tmp_path, event_limit_s=0.4)
    told, workers = [], []
    acts = ["loop", "hang", "in C", *(["catch"] if STRESS else [])]
    for ticket, act in enumerate(acts):
        world.begin(ticket, act)
        workers += world.pool.process_ids
        told.append(world.next())

    assert [(one.ticket, one.how) for one in told if isinstance(one, Ended)] == [
        (ticket, End.FAILED) for ticket in range(len(acts))
    ]
    looped, hung, in_c, *caught = (one.reason for one in told if isinstance(one, Ended))
    for reason in (looped, hung):
        assert reason.startswith("strategy s did not come back within 0.4 s on the candle of BTC/")
        assert reason.endswith(", in on_candle)")
    assert in_c == "it did not come back within 0.4 s from a call into C"
    for reason in caught:
        assert "does not come back within 0.4 s, and catches whatever interrupts it" in reason
    assert workers[:3] == workers[:1] * 3, "what is interrupted costs no process"
    assert world.pool.process_ids == []
    world.begin(9)
    assert isinstance(world.next(), Done)
    world.pool.close()
    world.columns.close()


def test_parts_are_answered_one_by_one(world: World) -> None:
    world.begin(1, cuts=2)
    parts: list[Any] = []
    while isinstance(told := world.next(), PartOver):
        parts.append(told.part)
        world.pool.answer(1, go_on=told.part < 2)

    assert parts == [1, 2]
    assert told == Ended(1, End.GIVEN_UP, "")


HOLDER = """
import signal, sys
from pathlib import Path
from tests.research.optimise.test_processes import World
world = World(Path(sys.argv[1]))
world.begin(1, "hang")
print(world.pool.process_ids[0], flush=True)
signal.pause()
"""


def test_workers_end_with_who_asks_even_in_the_middle_of_a_trial(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parents[3]}"},
    )
    assert holder.stdout is not None
    worker = psutil.Process(int(holder.stdout.readline()))

    holder.kill()
    holder.wait()
    holder.stdout.close()

    gone, alive = psutil.wait_procs([worker], timeout=10)
    assert (len(gone), alive) == (1, [])
