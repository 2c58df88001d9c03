"""A supervisor that hangs is given up, also while it is stopped; one that waits for a child is not.

Nor does it touch, once it comes back to itself, what its successor has started.
"""

import threading
from typing import ClassVar

import pytest

from actors.children import Child, SupervisorSpec
from actors.supervisor import Supervisor
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import ActorState, ExitReason, InjectHang, TerminateChild
from tests.actors.support import Probe, Script, World, branch, probe

SELDOM_MS = 3_600_000
"""Rounds that do not come: what is found then was found at the stop."""
HANG_MS, START_MS, STOP_MS = 50, 20_000, 15_000


class WaitsAt(Probe):
    """Waits at its start, or at its end, for the script's gate, as the script says."""

    where: ClassVar[str] = "start"

    def started(self) -> None:
        super().started()
        if self.where == "start":
            self._wait()

    def stopping(self) -> None:
        if self.where == "end":
            self._wait()
        super().stopping()

    def _wait(self) -> None:
        self.script.inside.set()
        self.script.gate.wait(20)


class WaitsAtItsEnd(WaitsAt):
    where: ClassVar[str] = "end"


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops one looks whether it hangs."""
    monkeypatch.setattr("actors.runtime._LOOK_NS", 5 * NS_PER_MS)


def patience_ns(world: World, path: str) -> int | None:
    """How long a supervisor may be at one place, as whoever looks at it would find it now."""
    return world.cell(path).hang_limit_ns


def test_a_supervisor_may_wait_as_long_as_the_child_that_it_starts(
    threads: World, script: Script
) -> None:
    """And not for longer: one that has come up leaves it the patience for its own work alone."""
    spec = probe("a", script, actor_class=WaitsAt, start_timeout_ms=START_MS)
    boot = threading.Thread(
        target=lambda: threads.boot(branch("mid", spec, world=threads, hang_after_ms=HANG_MS))
    )
    boot.start()
    assert script.inside.wait(20)

    assert patience_ns(threads, "mid") == (HANG_MS + START_MS) * NS_PER_MS

    script.gate.set()
    boot.join()
    threads.until_running("mid/a", 1)
    assert patience_ns(threads, "mid") == HANG_MS * NS_PER_MS


def test_and_as_long_as_the_one_that_it_stops(threads: World, script: Script) -> None:
    spec = probe("a", script, actor_class=WaitsAtItsEnd, shutdown_ms=STOP_MS)
    threads.boot(branch("mid", spec, world=threads, hang_after_ms=HANG_MS))
    threads.address("mid").tell(TerminateChild(child="a"))
    assert script.inside.wait(20)

    assert patience_ns(threads, "mid") == (HANG_MS + STOP_MS) * NS_PER_MS

    script.gate.set()
    threads.settle(lambda: patience_ns(threads, "mid") == HANG_MS * NS_PER_MS)
    assert threads.cell("mid").epoch == 1


def test_one_that_hangs_as_all_is_stopped_is_given_up_and_the_others_end_in_order(
    world: World, script: Script
) -> None:
    other = Script()
    mid = branch("mid", probe("a", script), world=world, shutdown_ms=None, hang_after_ms=HANG_MS)
    world.boot(probe("other", other), mid, check_every_ms=SELDOM_MS)
    world.address("mid").tell(InjectHang(reason="drill"))
    world.settle(lambda: type(world.cell("mid").handling) is InjectHang)

    reason = world.runtime.stop(world.root, 20 * NS_PER_S)

    assert reason is ExitReason.SHUTDOWN
    assert other.lives == ["start other", "stop other"]
    assert world.state("mid") is ActorState.HALTED
    assert "it did not end in time" in world.cell("mid").problem
    life = world.cell("mid/a").life
    assert life is not None
    assert life.fenced


@pytest.mark.slow
def test_nor_is_one_waited_for_whose_thread_ended_without_a_word(
    threads: World, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    mid = branch("mid", probe("a", script), world=threads, shutdown_ms=None, hang_after_ms=HANG_MS)
    threads.boot(mid, check_every_ms=SELDOM_MS)
    life = threads.cell("mid").life
    assert life is not None
    monkeypatch.setattr(Supervisor, "on_stop", lambda _: None)  # it says nothing of its end
    assert life.actor_ref is not None
    life.actor_ref.stop(block=True)
    threads.settle(lambda: threads.cell("mid").lost)
    monkeypatch.undo()

    assert threads.runtime.stop(threads.root, 20 * NS_PER_S) is ExitReason.SHUTDOWN


def test_one_that_waits_for_its_children_as_all_is_stopped_is_not_given_up(
    threads: World, script: Script
) -> None:
    """It is looked at again and again meanwhile, and has long been at it by its own limit."""
    spec = probe("a", script, actor_class=WaitsAtItsEnd, shutdown_ms=STOP_MS)
    mid = branch("mid", spec, world=threads, shutdown_ms=None, hang_after_ms=1)
    threads.boot(mid, check_every_ms=SELDOM_MS)
    looks: list[int] = []
    cell = threads.cell("mid")
    look = cell.look
    cell.look = lambda *seen: looks.append(1) or look(*seen)  # type: ignore[func-returns-value,method-assign]
    stop = threading.Thread(target=lambda: threads.runtime.stop(threads.root, None))
    stop.start()
    assert script.inside.wait(20)
    looks.clear()
    threads.settle(lambda: len(looks) >= 1)

    script.gate.set()
    stop.join()

    assert threads.outcome("mid") is ExitReason.SHUTDOWN
    assert "stop mid/a" in script.lives


class Dawdles(Supervisor):
    """Waits before it stops a child, in its first life."""

    inside: ClassVar[threading.Event]
    gate: ClassVar[threading.Event]

    def _terminate(self, child: Child, *, for_good: bool = False) -> None:
        if self.ctx.epoch == 1:
            Dawdles.inside.set()
            Dawdles.gate.wait(20)
        super()._terminate(child, for_good=for_good)


def test_one_that_comes_back_to_itself_stops_nobody_whom_its_successor_has_started(
    threads: World, script: Script
) -> None:
    Dawdles.inside, Dawdles.gate = threading.Event(), threading.Event()
    spec = SupervisorSpec(children=(probe("a", script),))
    mid = threads.runtime.populate("mid", Dawdles, {"spec": spec})
    threads.runtime.start(mid)
    first = mid.life
    threads.address("mid").tell(TerminateChild(child="a"))
    assert Dawdles.inside.wait(20)
    threads.runtime.fence(mid)
    assert threads.runtime.start(mid).problem == ""

    Dawdles.gate.set()
    threads.settle(lambda: first is not None and not first.runs_on)

    assert threads.running("mid/a", 2)
    life = threads.cell("mid/a").life
    assert life is not None
    assert not life.gone.is_set()
    assert not life.fenced


def test_the_start_that_was_too_slow_is_named(threads: World, script: Script) -> None:
    spec = probe("slow", script, actor_class=WaitsAt, start_timeout_ms=START_MS)
    mid = branch("mid", spec, world=threads, start_timeout_ms=50)

    started = threads.boot(mid)

    assert started.problem == "mid: did not start within 0.05 s: mid/slow had not come up"
    script.gate.set()
