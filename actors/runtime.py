"""What a runtime offers, and the half of it that threads and steps share."""

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

import pykka

from actors.address import Address
from actors.cell import Cell, Incarnation
from actors.clock import Clock
from actors.dead_letters import DeadLetter, DeadLetters
from actors.error_text import Clean, as_it_is
from actors.hops import Hops, StageNotes
from actors.mailbox import Mailbox
from actors.mailbox_protocols import Queue, Recorder
from actors.notes import Notes
from actors.waits import WaitGraph
from messages.base import Message
from messages.errors import ActorCrashed, ActorUnavailable
from messages.ids import NS_PER_S, ActorPath
from messages.lifecycle import ActorState, ExitReason, TimerFired

if TYPE_CHECKING:
    from collections.abc import Iterator

Job = Callable[[], None]
_LOOK_NS = NS_PER_S // 2
SPAWNING: ContextVar[tuple[Cell, Incarnation, Any]] = ContextVar("SPAWNING")
"""The cell, the life and the runtime that the actor under construction belongs to."""

CURRENT_ASKER: ContextVar[ActorPath | None] = ContextVar("CURRENT_ASKER", default=None)


class Started(NamedTuple):
    """How a start ended; `problem` is empty when the child is up (or over in good order)."""

    problem: str
    outcome: ExitReason | None


class Runtime(ABC):
    """Makes cells, starts and stops incarnations, keeps the time and the dead letters."""

    threaded: bool

    def __init__(self, clock: Clock, seed: int = 0, *, ttl_enforced: bool = True) -> None:
        self.clock = clock
        self.rng = random.Random(seed)  # noqa: S311 - jitter and schedules, not secrets
        self.ttl_enforced = ttl_enforced
        self.dead_letters = DeadLetters()
        self.cells: dict[ActorPath, Cell] = {}
        self.waits = WaitGraph()
        self.recorder: Recorder | None = None
        """Set before any cell is made: shown what comes from outside."""
        self.notes: Notes | None = None
        """Set before any actor starts: who keeps what actors say of themselves."""
        self.clean: Clean = as_it_is
        """Set before any cell is made: takes secrets out of what an error says. Any thread."""
        self.stages: StageNotes | None = None
        """Of decisions; None where nobody wants to know."""
        self._sample_every = 0
        self._lives = threading.RLock()
        """Held while a life begins or is fenced, so that no fenced supervisor begins one."""

    # ------------------------------------------------------------ cells

    def cell(self, path: str) -> Cell:
        """Give the cell at `path`, made at the first call."""
        name = ActorPath(path)
        found = self.cells.get(name)
        if found is None:
            now_ns = self.clock.monotonic_ns
            mailbox = Mailbox(name, 1024, self.dead_letters, now_ns, self._queue(name))
            mailbox.ttl_enforced = self.ttl_enforced
            cell = Cell(name, mailbox, now_ns, self.clock.utc_ns)
            cell.clean = self.clean
            if self.stages is not None:
                nudge = self.stages.nudge
                cell.hops = mailbox.hops = Hops(self._sample_every, nudge, self.clean)
            mailbox.recorder = self.recorder
            found = self.cells.setdefault(name, cell)
        return found

    def note_hops(self, sample_every: int) -> StageNotes:
        """Have what messages go through noted from now on, each order's, and one in so many.

        To be called before any cell is made.
        """
        assert not self.cells, "cells that are there already would not be noted"
        self._sample_every = sample_every
        self.stages = StageNotes(self.clock.monotonic_ns)
        self.dead_letters.observe = self._lost
        return self.stages

    def _lost(self, letter: DeadLetter) -> None:
        cell = self.cells.get(letter.path)
        if cell is not None and cell.hops is not None:
            cell.hops.lost(letter)

    def populate(
        self,
        path: str,
        actor_class: "type[pykka.Actor]",
        arguments: dict[str, Any] | None = None,
        capacity: int = 1024,
    ) -> Cell:
        """Say which actor lives at `path`; each incarnation is a fresh one of it."""
        cell = self.cell(path)
        cell.actor_class = actor_class
        cell.arguments = arguments or {}
        cell.mailbox.capacity = capacity
        cell.mailbox.gather_s = getattr(actor_class, "gather_ms", 0) / 1_000
        return cell

    def address(self, path: str) -> Address[Any]:
        """Give the address of `path`, which need not have started."""
        return Address(self.cell(path))

    # ------------------------------------------------------------ life

    def start(
        self, cell: Cell, timeout_ns: int = 10 * NS_PER_S, owner: Incarnation | None = None
    ) -> Started:
        """Begin an incarnation and wait until its `started` returned.

        A constructor or a hook that fails is a `problem`, never an exception.

        Raises:
            ActorUnavailable: `owner`, the supervisor's incarnation that asks, was replaced.
        """
        with self._lives:
            if owner is not None and owner.fenced:
                raise ActorUnavailable(f"{cell.path} belongs to a newer supervisor now")
            if cell.life is not None and not cell.life.gone.is_set():
                self.fence(cell)
            cell.mailbox.reopen()
            life = cell.next_life()
        try:
            with self._spawning(cell, life):
                self._launch(cell, life)
        except BaseException as error:  # noqa: BLE001 - a constructor's failure is an outcome
            cell.remember_error(error)
            cell.end_life(life, ExitReason.INIT_FAILED, error)
        return self._await_start(cell, life, timeout_ns)

    def stop(self, cell: Cell, timeout_ns: int | None, *, drain: bool = False) -> ExitReason:
        """End the incarnation and wait; one that overruns `timeout_ns` is fenced off.

        Args:
            cell: whose incarnation.
            timeout_ns: 0 kills at once, None waits for ever.
            drain: whether what is queued is handled first.
        """
        life = cell.life
        if life is None or life.gone.is_set():
            cell.set_state(ActorState.STOPPED, cell.problem)
            return life.outcome if life and life.outcome else ExitReason.SHUTDOWN
        if self._ask_to_stop(life, timeout_ns, drain=drain) and self._await_gone(
            cell, life, timeout_ns
        ):
            return life.outcome or ExitReason.SHUTDOWN
        self.fence(cell)
        return ExitReason.KILLED

    def stop_while(
        self, cell: Cell, comes_on: Callable[[], bool], *, drain: bool = False
    ) -> ExitReason:
        """As `stop`, however long it takes, as long as it `comes_on`; that is asked twice a second.

        Where it does not, it is fenced off.
        """
        life = cell.life
        if life is None or life.gone.is_set():
            return self.stop(cell, 0)
        if self._ask_to_stop(life, None, drain=drain):
            while not self._await_gone(cell, life, _LOOK_NS):
                if not comes_on():
                    break
            else:
                return life.outcome or ExitReason.SHUTDOWN
        self.fence(cell)
        return ExitReason.KILLED

    def stop_together(
        self, cells: Iterable[Cell], timeout_ns: int | None, *, drain: bool = False
    ) -> None:
        """As `stop`, side by side: all are asked, then all have the same `timeout_ns` to go."""
        begun_ns = self.clock.monotonic_ns()
        going: list[tuple[Cell, Incarnation]] = []
        for cell in cells:
            life = cell.life
            if life is None or life.gone.is_set():
                continue
            if self._ask_to_stop(life, timeout_ns, drain=drain):
                going.append((cell, life))
            else:
                self.fence(cell)
        # On steps a wait lets time pass for all of them: whoever needs none of it goes first.
        late = [(cell, life) for cell, life in going if not self._await_gone(cell, life, 0)]
        for cell, life in late:
            spent_ns = self.clock.monotonic_ns() - begun_ns
            left_ns = None if timeout_ns is None else max(timeout_ns - spent_ns, 0)
            if not self._await_gone(cell, life, left_ns):
                self.fence(cell)

    def _ask_to_stop(self, life: Incarnation, timeout_ns: int | None, *, drain: bool) -> bool:
        """Ask for an orderly end; False where there is no time for one, or nobody to ask."""
        if timeout_ns == 0 or life.actor_ref is None:
            return False
        life.ending = True
        life.actor_ref.actor_inbox.drain_on_stop = drain
        life.actor_ref.stop(block=False)
        return True

    def fence(self, cell: Cell, why: str = "killed", detail: str = "") -> None:
        """Abandon the incarnation: a Python thread cannot be killed, but it can be ignored.

        What it was handling is a dead letter, `why`. If it is a supervisor, its children go
        with it: nobody would look after them.
        """
        with self._lives:
            life = cell.life
            if life is None or life.fenced or life.gone.is_set():
                return
            life.fenced = True
        life.outcome = life.outcome or ExitReason.KILLED
        stuck = life.stuck.is_set() or not life.ready.is_set()
        if life.actor_ref is not None:
            pykka.ActorRegistry.unregister(life.actor_ref)
            life.actor_ref.actor_stopped.set()
        self._release(cell, life)
        handled = cell.handling  # once: it may come to its end at this moment
        if stuck or handled is not None:
            cell.abandon(life)
        if isinstance(handled, Message):
            letter = cell.count_given_up(handled, why, detail)
            if not isinstance(handled, TimerFired):  # which its successor sets for itself
                self.dead_letters.add(letter)
        if life.actor_ref is not None:
            life.actor_ref.actor_inbox.fail(ActorCrashed(f"{cell.path} was given up: {why}"))
        self.waits.end(cell.path)
        life.gone.set()
        life.ready.set()
        cell.handling = None
        cell.set_state(ActorState.STOPPED, cell.problem)
        for child in reversed(self.below(cell)):
            self.fence(child)

    def below(self, cell: Cell) -> list[Cell]:
        """The cells whose supervisor is `cell`, in the order in which they were made."""
        return [other for other in list(self.cells.values()) if other.supervisor is cell.mailbox]

    def starting_below(self, cell: Cell) -> str:
        """Name the lowest that is just being started by `cell`, or by whoever it starts."""
        for child in self.below(cell):
            if child.state is ActorState.STARTING:
                return self.starting_below(child) or child.path
        return ""

    def close(self, cell: Cell, why: str) -> None:
        """Refuse mail to a cell that will not come back by itself, and to all below it."""
        cell.mailbox.close(why)
        for child in self.below(cell):
            self.close(child, why)

    @contextmanager
    def _spawning(self, cell: Cell, life: Incarnation) -> "Iterator[None]":
        token = SPAWNING.set((cell, life, self))
        try:
            yield
        finally:
            SPAWNING.reset(token)

    # ------------------------------------------------------------ per runtime

    @abstractmethod
    def _queue(self, path: ActorPath) -> Queue | None: ...

    @abstractmethod
    def _launch(self, cell: Cell, life: Incarnation) -> None: ...

    @abstractmethod
    def _await_start(self, cell: Cell, life: Incarnation, timeout_ns: int) -> Started: ...

    @abstractmethod
    def _await_gone(self, cell: Cell, life: Incarnation, timeout_ns: int | None) -> bool: ...

    @abstractmethod
    def _release(self, cell: Cell, life: Incarnation) -> None: ...

    @abstractmethod
    def ask(self, address: Address[Any], message: Any, timeout_ns: int = NS_PER_S) -> Any:
        """Send and wait for the answer. Not for actors' handlers: they tell and go on.

        Raises:
            AskTimeout: no answer yet; the message may still be handled.
            ActorUnavailable: it was not and will not be handled.
            ActorCrashed: the handler failed on it.
            WouldDeadlock: asked in a ring; nothing was sent.
        """

    @abstractmethod
    def hang(self, life: Incarnation) -> None:
        """Leave the calling handler stuck until its incarnation is fenced."""

    @abstractmethod
    def flush(self, name: str, timeout_ns: int) -> bool:
        """Wait until the worker has done every job queued so far; False when it has not."""

    @abstractmethod
    def worker(self, name: str) -> Callable[[Job], None]:
        """Give the queue of a thread that works off jobs in order; one per name.

        A job reports its failure as a message. One that raises has a bug, which is logged, and
        the next one is worked off.
        """


def describe(life: Incarnation) -> Started:
    """Say how a start ended, from what the incarnation left behind."""
    if life.outcome is ExitReason.INIT_FAILED:
        return Started(life.error or "failed to start", life.outcome)
    return Started("", life.outcome)


def too_slow(timeout_ns: int, waits_for: str) -> Started:
    """Say that a start was given up, and which start below it was not over, if any."""
    problem = f"did not start within {timeout_ns / NS_PER_S:g} s"
    if waits_for:
        problem += f": {waits_for} had not come up"
    return Started(problem, ExitReason.INIT_FAILED)
