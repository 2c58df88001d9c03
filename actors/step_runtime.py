"""The deterministic runtime: the same actors, one thread, virtual time, a seeded schedule.

A step lets Pykka's own unmodified loop handle one message: the inbox grants one and then
raises `WouldBlock` from a place outside the loop's `try`. When nobody can run, time jumps to
the next timer; when there is no timer either, everything is at rest.
"""

from collections import deque
from collections.abc import Callable
from queue import Empty
from typing import Any

import pykka

from actors.actor import StuckInHandler
from actors.address import Address
from actors.cell import Cell, Incarnation
from actors.clock import VirtualClock
from actors.inbox import WouldBlock
from actors.mailbox_protocols import Queue
from actors.runtime import CURRENT_ASKER, Job, Runtime, Started, describe, too_slow
from messages.errors import AskTimeout
from messages.ids import NS_PER_S, ActorPath


class StepQueue:
    """A user lane that tells the scheduler when something was put."""

    def __init__(self, path: ActorPath, ready: deque[str], is_ready: set[str]) -> None:
        self._path, self._ready, self._is_ready = path, ready, is_ready
        self._items: deque[Any] = deque()
        self.qsize = self._items.__len__

    def put(self, item: Any) -> None:
        """Append, and mark its reader as ready."""
        self._items.append(item)
        if self._path not in self._is_ready:
            self._is_ready.add(self._path)
            self._ready.append(self._path)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002 - a queue's signature
        """Take the oldest; never waits."""
        if not self._items:
            raise Empty
        return self._items.popleft()

    def empty(self) -> bool:
        """Whether none waits."""
        return not self._items


class StepFuture(pykka.ThreadingFuture[Any]):
    """What a stepped ask waits on; `done` without blocking."""

    @property
    def done(self) -> bool:
        """Whether an answer or an error was set."""
        return self._result is not None


class StepRuntime(Runtime):
    """`seed=None` serves the ready actors in turn; a seed shuffles who goes next.

    `turn` is how many of its messages an actor handles, or a worker of its jobs, before another
    goes: 1 interleaves as finely as can be; more is what a thread does that finds many waiting.
    """

    threaded = False
    clock: VirtualClock

    def __init__(
        self,
        seed: int | None = None,
        start_ns: int = 0,
        *,
        ttl_enforced: bool = True,
        turn: int = 1,
    ) -> None:
        super().__init__(VirtualClock(start_ns), seed or 0, ttl_enforced=ttl_enforced)
        self.shuffled = seed is not None
        self._turn = turn
        self.steps = 0
        self._ready: deque[str] = deque()
        self._is_ready: set[str] = set()
        self._busy: set[ActorPath] = set()
        self._actors: dict[ActorPath, tuple[Any, Incarnation]] = {}
        self._jobs: dict[str, deque[Job]] = {}

    # ------------------------------------------------------------ driving

    def run_until_idle(self, max_steps: int = 10_000_000) -> int:
        """Step without moving time until nobody can run; give the number of steps."""
        for count in range(max_steps):
            if not self.step():
                return count
        raise RuntimeError(f"still busy after {max_steps} steps")

    def run_for(self, span_ns: int, max_steps: int = 10_000_000) -> None:
        """Let virtual time pass, with all that becomes due in it."""
        end_ns = self.clock.now_ns + span_ns
        for _ in range(max_steps):
            if not self.step() and not self._jump(end_ns):
                break
        self.clock.advance_to(end_ns)

    def run_until(self, done: Callable[[], bool], limit_ns: int = 10**18) -> bool:
        """Run, moving time as needed, until `done()`; False when all came to rest before."""
        end_ns = self.clock.now_ns + limit_ns
        while not done():
            if not self.step() and not self._jump(end_ns):
                return done()
        return True

    def step(self) -> bool:
        """Let one ready actor or worker have its turn."""
        name = self._next_ready()
        if name is None:
            return False
        self.steps += 1
        if name in self._jobs:
            self._work(name)
        else:
            self._step_actor(ActorPath(name))
        return True

    def _next_ready(self) -> str | None:
        waiting: list[str] = []
        chosen = None
        while self._ready:
            if self.shuffled and len(self._ready) > 1:
                self._ready.rotate(-self.rng.randrange(len(self._ready)))
            name = self._ready.popleft()
            if name in self._busy:
                waiting.append(name)
                continue
            self._is_ready.discard(name)
            if name in self._jobs or name in self._actors:
                chosen = name
                break
        self._ready.extend(waiting)
        return chosen

    def _mark_ready(self, name: str) -> None:
        if name not in self._is_ready:
            self._is_ready.add(name)
            self._ready.append(name)

    def _jump(self, end_ns: int) -> bool:
        """Move time to the next timer not after `end_ns`; False when there is none."""
        due: int | None = None
        for path in self._actors:
            if path in self._busy:
                continue
            at = self.cells[path].mailbox.timers.next_due_ns()
            if at is not None and at <= end_ns and (due is None or at < due):
                due = at
        if due is None:
            return False
        self.clock.advance_to(due)
        for path in self._actors:
            at = self.cells[path].mailbox.timers.next_due_ns()
            if at is not None and at <= self.clock.now_ns:
                self._mark_ready(path)
        return True

    # ------------------------------------------------------------ one step

    def _step_actor(self, path: ActorPath) -> None:
        actor, life = self._actors[path]
        inbox = actor.actor_inbox
        inbox.grant = self._turn
        asker = CURRENT_ASKER.set(path)
        self._busy.add(path)
        try:
            actor._actor_loop_running()  # Pykka's own loop, pinned by a contract test
        except WouldBlock:
            stopped = False
        else:
            stopped = True
        finally:
            CURRENT_ASKER.reset(asker)
            if self._actors.get(path, (actor, life))[1] is life:
                self._busy.discard(path)
        if stopped:
            actor._actor_loop_teardown()
            self._forget(path, life)
        elif life.stuck.is_set() and not life.fenced:
            self._busy.add(path)
        elif self.cells[path].mailbox.has_work():
            self._mark_ready(path)

    def _forget(self, path: ActorPath, life: Incarnation) -> None:
        present = self._actors.get(path)
        if present is not None and present[1] is life:
            del self._actors[path]

    def _work(self, name: str) -> None:
        jobs = self._jobs[name]
        for _ in range(self._turn):
            if not jobs:  # a flush may have done them before their turn
                return
            jobs.popleft()()
        if jobs:
            self._mark_ready(name)

    # ------------------------------------------------------------ life

    def _queue(self, path: ActorPath) -> Queue | None:
        return StepQueue(path, self._ready, self._is_ready)

    def _launch(self, cell: Cell, life: Incarnation) -> None:
        actor = cell.new_actor()
        life.actor_ref = actor.actor_ref
        actor.actor_inbox.stepped = True
        pykka.ActorRegistry.register(actor.actor_ref)
        self._actors[cell.path] = (actor, life)
        self._busy.add(cell.path)
        asker = CURRENT_ASKER.set(cell.path)
        try:
            actor._actor_loop_setup()
        finally:
            CURRENT_ASKER.reset(asker)
            self._busy.discard(cell.path)
        if life.gone.is_set():
            self._forget(cell.path, life)
        elif cell.mailbox.has_work():
            self._mark_ready(cell.path)

    def _await_start(self, cell: Cell, life: Incarnation, timeout_ns: int) -> Started:
        if life.ready.is_set():
            return describe(life)
        self.clock.advance_to(self.clock.now_ns + timeout_ns)
        waits_for = self.starting_below(cell)
        self.fence(cell)
        return too_slow(timeout_ns, waits_for)

    def _await_gone(self, cell: Cell, life: Incarnation, timeout_ns: int | None) -> bool:
        """Step the dying actor, and the workers it may wait for, until it is gone."""
        while cell.path in self._actors and cell.path not in self._busy:
            if cell.mailbox.has_work():
                self._step_actor(cell.path)
            elif not self._work_off_one():
                break
        if not life.gone.is_set():
            self.clock.advance_to(self.clock.now_ns + (timeout_ns or 0))
        return life.gone.is_set()

    def _work_off_one(self) -> bool:
        for name, jobs in self._jobs.items():
            if jobs:
                self._work(name)
                return True
        return False

    def _release(self, cell: Cell, life: Incarnation) -> None:
        present = self._actors.get(cell.path)
        was_stuck = life.stuck.is_set()
        life.stuck.set()
        self._busy.discard(cell.path)
        self._forget(cell.path, life)
        if present is None or present[1] is not life:
            return
        present[0].actor_inbox.grant = 0
        if was_stuck:
            present[0].let_go()  # as a hung thread does when it comes back to itself

    # ------------------------------------------------------------ asking

    def ask(self, address: Address[Any], message: Any, timeout_ns: int = NS_PER_S) -> Any:
        """See `Runtime.ask`: others run until the answer is there."""
        asker = CURRENT_ASKER.get()
        self.waits.begin(asker, address.path)
        future = StepFuture()
        deadline_ns = self.clock.now_ns + timeout_ns
        try:
            address.cell.mailbox.ask(message, future)
            while not future.done:
                if not self.step() and not self._jump(deadline_ns):
                    self.clock.advance_to(deadline_ns)
                    raise AskTimeout(f"{address.path} gave no answer in {timeout_ns / 1e9:g} s")
            return future.get(timeout=0)
        finally:
            self.waits.end(asker)

    def hang(self, life: Incarnation) -> None:
        """Leave the handler for good; the scheduler passes this actor by from now on."""
        life.stuck.set()
        life.actor_ref.actor_inbox.grant = 0
        raise StuckInHandler

    def worker(self, name: str) -> Callable[[Job], None]:
        """See `Runtime.worker`: a job is a step like any other."""
        key = f"worker:{name}"
        jobs = self._jobs.setdefault(key, deque())

        def submit(job: Job) -> None:
            jobs.append(job)
            self._mark_ready(key)

        return submit

    def flush(self, name: str, timeout_ns: int) -> bool:  # noqa: ARG002 - steps take no time
        """See `Runtime.flush`: the jobs are done here and now."""
        jobs = self._jobs.get(f"worker:{name}", deque())
        while jobs:
            jobs.popleft()()
        return True
