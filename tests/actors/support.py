"""A world to put actors in, on either runtime, and an actor that does what it is told."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pykka

from actors.actor import Actor, Reject
from actors.address import Address
from actors.cell import Cell
from actors.children import ChildSpec, SupervisorSpec
from actors.runtime import Runtime, Started
from actors.supervisor import Supervisor
from actors.thread_runtime import ThreadRuntime
from decisions.supervisor import IMMEDIATE, Backoff, Intensity
from messages.base import Message
from messages.ids import NS_PER_MS, NS_PER_S
from messages.lifecycle import ActorState, ExitReason, InjectHang, Supervision, WhichChildren
from tests.actors.hand_runtime import Driven

PATIENCE_S = 20.0
OFTEN = Intensity(max_restarts=1000, window_s=5)


class Note(Message, frozen=True, kw_only=True):
    """Write `text` down; answered with it and the epoch."""

    text: str


class Raise(Message, frozen=True, kw_only=True):
    """Fail in the handler with `ERRORS[kind]`."""

    kind: str = "ValueError"


class Refuse(Message, frozen=True, kw_only=True):
    """Be refused without harm."""


class End(Message, frozen=True, kw_only=True):
    """Stop yourself."""

    reason: ExitReason = ExitReason.NORMAL


class Wait(Message, frozen=True, kw_only=True):
    """Wait in the handler for the script's gate, then write `text` down. Threads only."""

    text: str = "woke"


class Pass(Message, frozen=True, kw_only=True):
    """Ask `path` to handle `message` and answer what it answers."""

    path: str
    message: Any
    timeout_ns: int = NS_PER_S


ERRORS: dict[str, type[BaseException]] = {
    "ValueError": ValueError,
    "SystemExit": SystemExit,
    "KeyboardInterrupt": KeyboardInterrupt,
    "CancelledError": asyncio.CancelledError,
}

Hook = str | None
"""What a hook does: None is nothing, "hang" hangs, the rest are names of `ERRORS`."""


class Lines(list[tuple[str, str]]):
    """What is logged: levels and sentences."""

    def of(self, level: str) -> list[str]:
        return [text for said, text in self if said == level]


class Script:
    """What the incarnations of one cell do at their hooks, and what they wrote down."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.lives: list[str] = []
        self.constructions: deque[Hook] = deque()
        self.starts: deque[Hook] = deque()
        self.ends: deque[Hook] = deque()
        self.always_starts: Hook = None
        self.gate = threading.Event()
        self.inside = threading.Event()

    def act(self, what: Hook, actor: "Probe | None" = None) -> None:
        if what == "hang" and actor is not None:
            actor.ctx.block_forever()
        elif what is not None and what != "hang":
            raise ERRORS[what](what)


class Probe(Actor):
    """Does what messages and its script say, and writes it down."""

    def __init__(self, script: Script, extra: tuple[str, ...] = ()) -> None:
        script.act(script.constructions.popleft() if script.constructions else None)
        super().__init__()
        self.script = script
        self.extra = extra

    def started(self) -> None:
        self.script.act(
            self.script.starts.popleft() if self.script.starts else self.script.always_starts, self
        )
        self.script.lives.append(f"start {self.ctx.path}")

    def stopping(self) -> None:
        self.script.act(self.script.ends.popleft() if self.script.ends else None, self)
        self.script.lives.append(f"stop {self.ctx.path}")

    def receive(self, message: Any) -> Any:
        match message:
            case Note(text=text):
                self.script.notes.append(text)
                return text, self.ctx.epoch
            case Raise(kind=kind):
                raise ERRORS[kind](kind)
            case Refuse():
                raise Reject("not this one")
            case End(reason=reason):
                self.ctx.stop(reason)
            case Wait(text=text):
                self.script.inside.set()
                self.script.gate.wait(PATIENCE_S)
                self.script.notes.append(text)
                self.ctx.tell(self.ctx.runtime.address("sink"), Note(text=text))
                self.ctx.after(0, Note(text=f"timer of {text}"))
                return text
            case Pass(path=path, message=inner, timeout_ns=timeout_ns):
                return self.ctx.runtime.ask(self.ctx.runtime.address(path), inner, timeout_ns)
        return None


class World:
    """A runtime, the supervisors' events, and ways to wait that suit the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.events: list[Supervision] = []

    @property
    def steps(self) -> bool:
        return not self.runtime.threaded

    def settle(self, done: Callable[[], bool], what: str = "") -> None:
        """Let actors run until `done()`; where a test moves time, it passes as needed."""
        if isinstance(self.runtime, Driven):
            self.runtime.run_until(done, 3600 * NS_PER_S)
        else:
            pause, left = threading.Event(), int(PATIENCE_S / 0.001)
            while not done() and left:
                pause.wait(0.001)
                left -= 1
        assert done(), what or "it never came to that"

    def pass_time(self, ms: int) -> None:
        """Let a span pass."""
        if isinstance(self.runtime, Driven):
            self.runtime.run_for(ms * NS_PER_MS)
        else:
            threading.Event().wait(ms / 1000)

    def rest(self) -> None:
        """Let everything that can happen now happen."""
        if isinstance(self.runtime, Driven):
            self.runtime.run_until_idle()
        else:
            cells = list(self.runtime.cells.values())
            self.settle(lambda: all(c.handling is None and not c.mailbox.depth() for c in cells))

    def solo(self, path: str, script: Script, **changes: Any) -> Cell:
        """Start one probe without a supervisor."""
        cell = self.runtime.populate(path, Probe, {"script": script}, **changes)
        assert self.runtime.start(cell).problem == ""
        return cell

    def boot(self, *children: ChildSpec, **changes: Any) -> Started:
        """Start the root supervisor over `children`; restarts are immediate unless said."""
        settings = {"backoff": IMMEDIATE, "intensity": OFTEN, "check_every_ms": 20, **changes}
        spec = SupervisorSpec(children=children, **settings)
        arguments = {"spec": spec, "on_event": self.events.append}
        root = self.runtime.populate("root", Supervisor, arguments)
        return self.runtime.start(root)

    @property
    def root(self) -> Cell:
        return self.runtime.cell("root")

    def address(self, path: str) -> Address[Any]:
        return self.runtime.address(path)

    def cell(self, path: str) -> Cell:
        return self.runtime.cell(path)

    def ask(self, path: str, message: Any, timeout_ns: int = int(PATIENCE_S) * NS_PER_S) -> Any:
        return self.runtime.ask(self.address(path), message, timeout_ns)

    def children(self, path: str = "root") -> list[Any]:
        """What the supervisor at `path` says of its children."""
        rows: list[Any] = self.ask(path, WhichChildren())
        return rows

    def names(self, path: str = "root") -> list[str]:
        return [row.child for row in self.children(path)]

    def state(self, path: str) -> ActorState:
        return self.cell(path).state

    def running(self, path: str, epoch: int) -> bool:
        cell = self.cell(path)
        return cell.epoch == epoch and cell.state is ActorState.RUNNING

    def until_running(self, path: str, epoch: int) -> None:
        self.settle(lambda: self.running(path, epoch), f"{path} never ran as number {epoch}")

    def until_ended(self, path: str = "root") -> None:
        life = self.cell(path).life
        assert life is not None
        self.settle(life.gone.is_set, f"{path} never ended")

    def root_ended(self) -> bool:
        life = self.root.life
        return life is not None and life.gone.is_set()

    def happened(self, event: str) -> list[Supervision]:
        return [e for e in list(self.events) if e.event == event]

    def outcome(self, path: str = "root") -> ExitReason | None:
        life = self.cell(path).life
        return life.outcome if life is not None else None

    def dead(self, path: str) -> dict[str, int]:
        """The dead letters of a path, by reason."""
        counts = self.runtime.dead_letters.counts
        return {why: n for (owner, why), n in list(counts.items()) if owner == path}

    def close(self) -> None:
        """End everything, whatever state it is in, and prove that Pykka has forgotten it."""
        for cell in [c for c in self.runtime.cells.values() if isinstance(c.handling, InjectHang)]:
            self.runtime.fence(cell)
        for cell in [c for c in self.runtime.cells.values() if c.supervisor is None]:
            if isinstance(self.runtime, ThreadRuntime):
                self.runtime.stop(cell, 5 * NS_PER_S)
            else:
                self.runtime.fence(cell)
        lives = [cell.life for cell in self.runtime.cells.values() if cell.life is not None]
        ours = {life.actor_ref for life in lives}
        self.settle(lambda: not ours & set(pykka.ActorRegistry.get_all()), "Pykka still has some")


def probe(name: str, script: Script, **changes: Any) -> ChildSpec:
    """One probe as a child."""
    settings = {"actor_class": Probe, "arguments": {"script": script}, **changes}
    return ChildSpec(name=name, **settings)


def branch(name: str, *children: ChildSpec, world: World, **changes: Any) -> ChildSpec:
    """A supervisor as a child."""
    child_keys = ("restart", "shutdown_ms", "start_timeout_ms", "hang_after_ms", "significant")
    child = {key: changes.pop(key) for key in child_keys if key in changes}
    settings = {"backoff": IMMEDIATE, "intensity": OFTEN, "check_every_ms": 20, **changes}
    spec = SupervisorSpec(children=children, **settings)
    arguments = {"spec": spec, "on_event": world.events.append}
    return ChildSpec(name=name, actor_class=Supervisor, arguments=arguments, **child)


SLOW_RETRY = Backoff(min_ms=200, max_ms=1600, reset_after_ms=60_000)
