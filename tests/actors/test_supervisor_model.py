"""The supervisor in virtual time against a small model of OTP's rules."""

import os
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.step_runtime import StepRuntime
from actors.supervisor import Supervisor
from decisions.supervisor import IMMEDIATE, Intensity, OnExhausted, Restart, Strategy
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState, InjectHang
from tests.actors.support import End, Note, Probe, Raise, Script, World, probe

STRESS = bool(os.environ.get("WATCHKEEPER_STRESS"))
NAMES = "abcd"
CHECK_MS, HANG_MS, WINDOW_S = 100, 1000, 10
INDEX = st.integers(0, len(NAMES) - 1)


class Rules:
    """OTP's rules on plain data: who is up, as which incarnation, and how often in the window."""

    def __init__(self, strategy: Strategy, restarts: list[Restart], limit: int) -> None:
        self.strategy, self.limit = strategy, limit
        self.kind = dict(zip(NAMES, restarts, strict=True))
        self.known = list(NAMES)
        self.up = dict.fromkeys(NAMES, True)
        self.epoch = dict.fromkeys(NAMES, 1)
        self.failing = dict.fromkeys(NAMES, 0)
        self.at_s: list[Fraction] = []
        self.halted = False

    def ends(self, name: str, now_s: Fraction, *, failure: bool) -> None:
        """A child that was up ended by itself."""
        self.up[name] = False
        kind = self.kind[name]
        if kind is Restart.PERMANENT or (kind is Restart.TRANSIENT and failure):
            self.restart(name, now_s)
        elif kind is Restart.TEMPORARY:
            self.known.remove(name)

    def restart(self, name: str, now_s: Fraction) -> None:
        """Restart until it holds, counting every attempt; one too many halts all."""
        while True:
            self.at_s = [s for s in self.at_s if s >= now_s - WINDOW_S] + [now_s]
            if len(self.at_s) > self.limit:
                self.halted = True
                self.up = dict.fromkeys(NAMES, False)
                return
            place = self.known.index(name)
            group = {
                Strategy.ONE_FOR_ONE: [name],
                Strategy.ONE_FOR_ALL: list(self.known),
                Strategy.REST_FOR_ONE: self.known[place:],
            }[self.strategy]
            for other in group:
                self.up[other] = False
                if other != name and self.kind[other] is Restart.TEMPORARY:
                    self.known.remove(other)
            failed = next((n for n in self.start(group)), None)
            if failed is None:
                return
            name = failed

    def start(self, group: list[str]) -> list[str]:
        """Start in order; give the one that failed, if one did."""
        for name in group:
            if name not in self.known or self.up[name]:
                continue
            self.epoch[name] += 1
            if self.failing[name]:
                self.failing[name] -= 1
                return [name]
            self.up[name] = True
        return []


class Watched(Probe):
    """Counts what is alive of its cell, and which incarnation handled what."""

    def started(self) -> None:
        super().started()
        self.script.notes.append(f"born {self.ctx.epoch}")


class SupervisorMachine(RuleBasedStateMachine):
    """Crashes, hangs, ends, failing starts, time and mail, in any order."""

    @initialize(
        strategy=st.sampled_from(
            [Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE]
        ),
        restarts=st.lists(st.sampled_from(list(Restart)), min_size=len(NAMES), max_size=len(NAMES)),
        limit=st.integers(0, 6),
        seed=st.none() | st.integers(0, 1000),
    )
    def boot(
        self, strategy: Strategy, restarts: list[Restart], limit: int, seed: int | None
    ) -> None:
        self.runtime = StepRuntime(seed)
        self.world = World(self.runtime)
        self.otp = Rules(strategy, restarts, limit)
        self.scripts = {name: Script() for name in NAMES}
        self.lives: list[str] = []
        for script in self.scripts.values():
            script.lives = self.lives
        self.sent: Counter[str] = Counter()
        children = [
            probe(
                name,
                self.scripts[name],
                actor_class=Watched,
                restart=kind,
                hang_after_ms=HANG_MS,
                shutdown_ms=0 if name == "d" else 100,
                capacity=5,
            )
            for name, kind in self.otp.kind.items()
        ]
        started = self.world.boot(
            *children,
            strategy=strategy,
            intensity=Intensity(max_restarts=limit, window_s=WINDOW_S),
            backoff=IMMEDIATE,
            check_every_ms=CHECK_MS,
            on_exhausted=OnExhausted.HALT,
        )
        assert started.problem == ""
        self.supervisor: Supervisor = self.runtime._actors[self.world.root.path][0]

    @property
    def now_s(self) -> Fraction:
        return Fraction(self.runtime.clock.now_ns, NS_PER_S)  # a window has an exact edge

    def tell(self, name: str, message: Any) -> None:
        self.world.address(name).tell(message)

    def quiesce(self) -> None:
        """Until nothing is left to do now."""
        self.runtime.run_for(0)

    @rule(i=INDEX)
    def crash(self, i: int) -> None:
        if self.otp.up[NAMES[i]]:
            self.tell(NAMES[i], Raise())
            self.otp.ends(NAMES[i], self.now_s, failure=True)
            self.quiesce()

    @rule(i=INDEX)
    def exit_normal(self, i: int) -> None:
        if self.otp.up[NAMES[i]]:
            self.tell(NAMES[i], End())
            self.otp.ends(NAMES[i], self.now_s, failure=False)
            self.quiesce()

    @rule(i=INDEX)
    def hang(self, i: int) -> None:
        """The supervisor sees it at its first look after the limit."""
        name = NAMES[i]
        if self.otp.up[name]:
            before = len(self.world.happened("hung"))
            self.tell(name, InjectHang(reason="drill"))
            self.world.settle(lambda: len(self.world.happened("hung")) > before)
            self.otp.ends(name, self.now_s, failure=True)
            self.quiesce()

    @rule(i=INDEX, times=st.integers(1, 3))
    def init_fail(self, i: int, times: int) -> None:
        """The next starts of a child fail; then it crashes."""
        name = NAMES[i]
        if self.otp.up[name]:
            self.otp.failing[name] = times
            self.scripts[name].starts.extend(["ValueError"] * times)
            self.crash(i)
            self.otp.failing[name] = 0
            self.scripts[name].starts.clear()

    @rule(seconds=st.sampled_from([0.05, 1, 4, 11]))
    def advance(self, seconds: float) -> None:
        self.runtime.run_for(int(seconds * NS_PER_S))

    @rule(i=INDEX, count=st.integers(1, 8))
    def mail(self, i: int, count: int) -> None:
        name = NAMES[i]
        for _ in range(count):
            self.sent[name] += 1
            self.tell(name, Note(text=f"n{self.sent[name]}"))

    @rule(i=INDEX, count=st.integers(1, 4))
    def mail_around_a_crash(self, i: int, count: int) -> None:
        if self.otp.up[NAMES[i]]:
            self.mail(i, count)
            self.crash(i)
            self.mail(i, count)

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def the_children_are_as_otp_says(self) -> None:
        rows = {row.child: row for row in self.world.children()}
        assert list(rows) == self.otp.known
        for name, row in rows.items():
            assert (row.state is ActorState.RUNNING) is self.otp.up[name], (name, row)
            assert row.epoch == self.otp.epoch[name], (name, row)

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def restarts_stay_within_the_intensity(self) -> None:
        attempts = self.supervisor.window.count(self.runtime.clock.now_ns)
        recent = [s for s in self.otp.at_s if s >= self.now_s - WINDOW_S]
        assert attempts == len(recent)
        assert attempts <= self.otp.limit or self.otp.halted

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def no_cell_has_two_living_incarnations(self) -> None:
        for name, script in self.scripts.items():
            born = [int(n.split()[1]) for n in script.notes if n.startswith("born")]
            assert born == sorted(set(born))
            cell = self.world.cell(name)
            assert cell.life is not None
            living = (name in self.runtime._actors) and not cell.life.gone.is_set()
            assert living is self.otp.up[name]

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def those_that_run_started_in_order(self) -> None:
        if self.otp.strategy is not Strategy.ONE_FOR_ONE:
            last = {line: place for place, line in enumerate(self.lives)}
            up = [last[f"start {n}"] for n in self.otp.known if self.otp.up[n]]
            assert up == sorted(up)

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def every_message_is_somewhere_exactly_once(self) -> None:
        self.quiesce()
        for name, script in self.scripts.items():
            handled = [n for n in script.notes if n.startswith("n")]
            assert len(set(handled)) == len(handled)
            assert handled == sorted(handled, key=lambda text: int(text[1:]))
            letters = self.runtime.dead_letters
            dead = sum(
                1
                for letter in letters.ring
                if letter.path == name and isinstance(letter.message, Note)
            )
            queued = self.world.cell(name).mailbox.depth()
            if letters.total() <= 256:
                assert len(handled) + dead + queued == self.sent[name]

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()


SupervisorMachine.TestCase.settings = settings(
    max_examples=3000 if STRESS else 80, stateful_step_count=30, deadline=None
)
TestSupervisorModel = pytest.mark.slow(SupervisorMachine.TestCase)
