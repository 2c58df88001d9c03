"""A tree of supervisors in virtual time against a small model: backoff, escalation, rollback."""

import os
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.actor import Reject
from actors.runtime import Started
from actors.step_runtime import StepRuntime
from actors.supervisor import Supervisor
from decisions.supervisor import Backoff, Intensity, Restart, Strategy
from messages.base import Message
from messages.ids import NS_PER_MS, ActorPath
from messages.lifecycle import (
    ActorState,
    InjectCrash,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from tests.actors.support import End, Raise, Script, World, branch, probe
from tests.actors.tree_rules import JITTER, MOST_MS, RESET_MS, WINDOW_MS, Node, Tree

STRESS = bool(os.environ.get("WATCHKEEPER_STRESS"))
LEAST_MS = {"root": 200, "mid": 100, "pool": 150}
THREE = ("mid/a", "mid/b", "mid/c")
KINDS = (*THREE, "w", "pool/*")
DYNAMIC = ("x", "y", "z")
LIMIT = st.sampled_from([6, 3, 1, 0])
SPAN_MS = st.sampled_from([0, 10, 80, 160, 400, 1_000, 2_500, 11_000])
RESTART = st.sampled_from(list(Restart))


class SameChance(Random):
    """The schedule's chance as ever; the jitter's always the same, so that a model can tell it."""

    def random(self) -> float:
        return JITTER

    def getrandbits(self, k: int) -> int:
        return super().getrandbits(k)


class Settings(NamedTuple):
    """What one tree is told; the limits are those of root, mid and pool."""

    strategy: Strategy
    kinds: tuple[Restart, Restart, Restart]
    mid: Restart
    dynamic: Restart
    limits: tuple[int, int, int]


SETTINGS = st.builds(
    Settings,
    strategy=st.sampled_from([Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE]),
    kinds=st.tuples(RESTART, RESTART, RESTART),
    mid=st.sampled_from([Restart.PERMANENT, Restart.TRANSIENT]),
    dynamic=RESTART,
    limits=st.tuples(LIMIT, LIMIT, LIMIT),
)


def model_of(told: Settings) -> Tree:
    one, simple = Strategy.ONE_FOR_ONE, Strategy.SIMPLE_ONE_FOR_ONE
    permanent, limits = Restart.PERMANENT, told.limits
    three = [Node(name, "", kind) for name, kind in zip(THREE, told.kinds, strict=True)]
    mid = Node("mid", "", told.mid, told.strategy, limits[1], LEAST_MS["mid"]).over(*three)
    pool = Node("pool", "", permanent, simple, limits[2], LEAST_MS["pool"])
    root = Node("root", "", permanent, one, limits[0], LEAST_MS["root"])
    return Tree(root.over(Node("w"), mid, pool))


def limits_of(name: str, limit: int) -> dict[str, Any]:
    return {
        "intensity": Intensity(max_restarts=limit, window_s=WINDOW_MS // 1000),
        "backoff": Backoff(min_ms=LEAST_MS[name], max_ms=MOST_MS, reset_after_ms=RESET_MS),
        "check_every_ms": 1_000,
    }


class TreeMachine(RuleBasedStateMachine):
    """Under the root a worker, a supervisor of three, and one of dynamic children."""

    @initialize(told=SETTINGS, seed=st.none() | st.integers(0, 1000))
    def prepare(self, told: Settings, seed: int | None) -> None:
        self.told = told
        self.runtime = StepRuntime(seed)
        self.runtime.rng = SameChance(seed)
        self.world = World(self.runtime)
        self.scripts = {kind: Script() for kind in KINDS}
        self.lives: list[str] = []
        for script in self.scripts.values():
            script.lives = self.lives
        self.tree = model_of(told)
        self.pool = self.tree.root.given[-1]

    @precondition(lambda self: not self.tree.root.up)
    @rule()
    def boot(self) -> None:
        """Where one fails to start, those before it are stopped in reverse, and nothing is up."""
        self.lives.clear()
        started = self._start_root()
        assert (started.outcome is None) is self.tree.start(self.tree.root)
        if started.problem:
            began = [line.removeprefix("start ") for line in self.lives if "start" in line]
            assert self.lives == [f"start {n}" for n in began] + [f"stop {n}" for n in began[::-1]]

    def _start_root(self) -> Started:
        scripts, limits = self.scripts, self.told.limits
        three = [
            probe(name.removeprefix("mid/"), scripts[name], restart=kind)
            for name, kind in zip(THREE, self.told.kinds, strict=True)
        ]
        mid = {"restart": self.told.mid, "strategy": self.told.strategy}
        template = probe("any", scripts["pool/*"], restart=self.told.dynamic)
        pool = {"strategy": Strategy.SIMPLE_ONE_FOR_ONE, "template": template}
        return self.world.boot(
            probe("w", scripts["w"]),
            branch("mid", *three, world=self.world, **mid, **limits_of("mid", limits[1])),
            branch("pool", world=self.world, **pool, **limits_of("pool", limits[2])),
            **limits_of("root", limits[0]),
        )

    # ------------------------------------------------------------ what happens

    def let_pass(self, span_ns: int) -> None:
        self.runtime.run_for(span_ns)
        self.tree.advance(self.tree.now_ns + span_ns)

    def tell(self, node: Node, message: Message, *, failure: bool) -> None:
        """At a moment of its own, so that no two restarts are due at the same."""
        self.let_pass(1)
        if node.up:
            self.world.address(node.path).tell(message)
            self.tree.ended(node, failure=failure)
            self.let_pass(0)

    def living(self, *, supervisors: bool) -> list[Node]:
        nodes = [node for node in self.tree.root.all() if node.up and node.parent is not None]
        return [node for node in nodes if (node.strategy is not None) is supervisors]

    @precondition(lambda self: self.living(supervisors=False))
    @rule(pick=st.integers(0, 6), failure=st.sampled_from([True, True, False]), then_ms=SPAN_MS)
    def a_worker_ends(self, pick: int, failure: bool, then_ms: int) -> None:
        some = self.living(supervisors=False)
        message = Raise() if failure else End()
        self.tell(some[pick % len(some)], message, failure=failure)
        self.let_pass(then_ms * NS_PER_MS)

    @precondition(lambda self: len(self.living(supervisors=False)) > 1)
    @rule(late=st.integers(1, 6), early=st.integers(0, 5), then_ms=SPAN_MS)
    def one_ends_while_a_later_one_waits(self, late: int, early: int, then_ms: int) -> None:
        """Which may be among those that go down with it, and wait for it from then on."""
        some = self.living(supervisors=False)
        place = 1 + late % (len(some) - 1)
        for node in (some[place], some[early % place]):
            self.tell(node, Raise(), failure=True)
        self.let_pass(then_ms * NS_PER_MS)

    @precondition(lambda self: self.living(supervisors=True))
    @rule(pick=st.integers(0, 1), then_ms=SPAN_MS)
    def a_supervisor_crashes(self, pick: int, then_ms: int) -> None:
        some = self.living(supervisors=True)
        self.tell(some[pick % len(some)], InjectCrash(reason="model"), failure=True)
        self.let_pass(then_ms * NS_PER_MS)

    @rule(kind=st.sampled_from(KINDS), times=st.integers(1, 2))
    def next_starts_fail(self, kind: str, times: int) -> None:
        """Whenever they come: at boot, after a backoff, or with others."""
        self.scripts[kind].starts.extend(["ValueError"] * times)
        self.tree.failing[kind] += times

    @precondition(lambda self: self.pool.up)
    @rule(name=st.sampled_from(DYNAMIC))
    def add(self, name: str) -> None:
        self.let_pass(1)
        node = Node(f"pool/{name}", "pool/*", self.told.dynamic)
        node.parent = self.pool
        if not self.pool.up or node.path in [child.path for child in self.pool.known]:
            return
        if self.tree.start(node):
            self.pool.known.append(node)
            self.world.ask("pool", StartChild(child=name))
            return
        with pytest.raises(Reject, match="did not start"):
            self.world.ask("pool", StartChild(child=name))

    @precondition(lambda self: self.pool.up and self.pool.known)
    @rule(pick=st.integers(0, 2))
    def remove(self, pick: int) -> None:
        node = self.pool.known.pop(pick % len(self.pool.known))
        self.world.ask("pool", TerminateChild(child=node.path.removeprefix("pool/")))

    @rule(ms=SPAN_MS)
    def advance(self, ms: int) -> None:
        self.let_pass(ms * NS_PER_MS)

    # ------------------------------------------------------------ what is always so

    @invariant()
    def all_are_as_the_model_says(self) -> None:
        up = {node.path for node in self.tree.root.all() if node.up}
        for path, epoch in self.tree.epoch.items():
            cell = self.world.cell(path)
            assert (cell.state is ActorState.RUNNING) is (path in up), (path, cell.state)
            assert (path in self.runtime._actors) is (path in up), path
            assert cell.epoch == epoch, path

    @invariant()
    def each_was_started_and_will_be_when_the_model_says(self) -> None:
        for node in self.tree.root.all():
            cell = self.world.cell(node.path)
            assert not node.up or (cell.life and cell.life.begun_ns == node.started_ns), node.path
            assert cell.retry_at_ns == node.due_ns, node.path
            assert (cell.state is ActorState.BACKOFF) is (node.due_ns is not None), node.path

    @invariant()
    def each_supervisor_knows_its_children_and_counts_their_restarts(self) -> None:
        for node in [n for n in self.tree.root.all() if n.up and n.strategy is not None]:
            rows = self.world.ask(node.path, WhichChildren())
            assert [row.path for row in rows] == [child.path for child in node.known]
            supervisor: Supervisor = self.runtime._actors[ActorPath(node.path)][0]
            since_ns = self.tree.now_ns - WINDOW_MS * NS_PER_MS
            recent = sum(at >= since_ns for at in node.at_ns)
            assert supervisor.window.count(self.tree.now_ns) == recent, node.path

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()


TreeMachine.TestCase.settings = settings(
    max_examples=2000 if STRESS else 80, stateful_step_count=40, deadline=None
)
TestSupervisorTreeModel = pytest.mark.slow(TreeMachine.TestCase)
