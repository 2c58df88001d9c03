"""The threads of a run on a clock that a test moves, and where all of them are known to rest.

Nothing here waits for time: every wait is for what another thread does, and only a failure meets
its limit. A mailbox waits in its queue; here that queue says who waits in it, and for how many
messages nobody has come yet, so that to be at rest is a fact and no guess.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from actors.cell import Cell, Incarnation
from actors.clock import VirtualClock
from actors.mailbox_protocols import Queue
from actors.step_runtime import StepRuntime
from actors.thread_runtime import ThreadRuntime
from messages.ids import ActorPath

LIMIT_S = 60.0
"""Met only where something hangs."""


class Call:
    """A question that the thread which waits in a queue answers without leaving it."""

    def __init__(self, question: Callable[[], Any]) -> None:
        self._question = question
        self.answer: Future[Any] = Future()

    def __call__(self) -> None:
        """Answer it."""
        try:
            self.answer.set_result(self._question())
        except BaseException as error:  # noqa: BLE001 - raised where it is asked
            self.answer.set_exception(error)


class News(threading.Condition):
    """Told whenever an actor may have come to rest; `held` keeps readers from what is put."""

    held = False


class WatchedQueue:
    """The queue of a run, with the threads that wait in it; no wait here ends by the clock.

    The moment at which a timer is due comes when the test says so, who then wakes the reader.
    """

    def __init__(self, news: News) -> None:
        self._items: SimpleQueue[Any] = SimpleQueue()
        self._news = news
        self._left = 0
        """Put, and not yet given to a reader."""
        self._waiting: set[int] = set()

    def put(self, item: Any) -> None:
        """Append and wake the reader."""
        with self._news:
            self._left += 1
        self._items.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the oldest; one who may wait does so for as long as there is none."""
        if not block:
            item = self._items.get(False)
            with self._news:
                self._left -= 1
            return item
        me = threading.get_ident()
        with self._news:
            self._waiting.add(me)
            self._news.notify_all()
        while isinstance(item := self._items.get(), Call):
            item()
        with self._news:
            self._news.wait_for(lambda: not self._news.held)
            self._waiting.discard(me)
            self._left -= 1
        return item

    def ask(self, question: Callable[[], Any]) -> Any:
        """Have a question answered by the thread that waits here, of which no actor knows."""
        call = Call(question)
        self._items.put(call)
        return call.answer.result(LIMIT_S)

    def qsize(self) -> int:
        """How many wait."""
        return self._left

    def empty(self) -> bool:
        """Whether none waits."""
        return not self._left

    def rests(self, reader: int | None) -> bool:
        """Whether this thread waits here for what nobody has put."""
        return reader in self._waiting and not self._left


class Gone(threading.Event):
    """The end of a life, of which others are told."""

    def __init__(self, news: News) -> None:
        super().__init__()
        self._news = news

    def set(self) -> None:
        """See `Event.set`."""
        super().set()
        with self._news:
            self._news.notify_all()


class HandRuntime(ThreadRuntime):
    """A thread an actor, as live; time moves where `StepRuntime`'s does, and by the same words."""

    clock: VirtualClock

    def __init__(self, start_ns: int = 0, *, ttl_enforced: bool = True) -> None:
        super().__init__(ttl_enforced=ttl_enforced, clock=VirtualClock(start_ns))
        self._news = News()
        self._queues: dict[ActorPath, WatchedQueue] = {}
        self._begun: list[Incarnation] = []
        """Those whose thread may yet run."""
        self._hung: set[Incarnation] = set()

    # ------------------------------------------------------------ driving

    def run_until_idle(self) -> None:
        """Wait until every actor waits for a message that nobody has sent, or has ended."""
        while True:
            with self._news:
                assert self._news.wait_for(self._all_rest, LIMIT_S), "somebody does not rest"
            if not self._see_off_the_ended():
                return

    def run_for(self, span_ns: int) -> None:
        """Let time pass, with all that becomes due in it, one moment after another."""
        end_ns = self.clock.now_ns + span_ns
        self.run_until_idle()
        while self._jump(end_ns):
            self.run_until_idle()
        self.clock.advance_to(end_ns)

    def run_until(self, done: Callable[[], bool], limit_ns: int = 10**18) -> bool:
        """Let time pass as needed, until `done()`; False when all came to rest before."""
        end_ns = self.clock.now_ns + limit_ns
        self.run_until_idle()
        while not done():
            if not self._jump(end_ns):
                return False
            self.run_until_idle()
        return True

    def _jump(self, end_ns: int) -> bool:
        """Move time to the next timer not after `end_ns`; False when there is none."""
        due_ns = self._next_due_ns()
        if due_ns is None or due_ns > end_ns:
            return False
        self.clock.advance_to(due_ns)
        for cell in self._living():
            cell.mailbox.wake()
        return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let what is told in here lie in the mailboxes before any of it is read.

        Who waits for a plain message would take one before what goes first: it is woken before.
        """
        self.run_until_idle()
        self._news.held = True
        for cell in self._living():
            cell.mailbox.wake()
        try:
            yield
        finally:
            with self._news:
                self._news.held = False
                self._news.notify_all()

    def inside(self, cell: Cell, look: Callable[[], Any]) -> Any:
        """Look at what belongs to an actor's thread, on it, once all rest."""
        self.run_until_idle()
        return self._queues[cell.path].ask(look)

    def end(self) -> None:
        """Give up whoever lives, and see every thread end."""
        for cell in self._living():
            self.fence(cell)
        self._see_off_the_ended()

    # ------------------------------------------------------------ what is known of the threads

    def _living(self) -> list[Cell]:
        cells = list(self.cells.values())  # others may make one meanwhile
        return [one for one in cells if one.life and not one.life.gone.is_set()]

    def _all_rest(self) -> bool:
        return all(self._rests(cell) for cell in self._living())

    def _rests(self, cell: Cell) -> bool:
        life = cell.life
        if life is None or life in self._hung:
            return True
        return life.thread is not None and self._queues[cell.path].rests(life.thread.ident)

    def _see_off_the_ended(self) -> bool:
        """Wait for the threads of lives that are over: they may say a last word; False for none."""
        ended = [life for life in self._begun if life.gone.is_set()]
        for life in ended:
            self._begun.remove(life)
            if life.thread is not None:
                life.thread.join(LIMIT_S)
                assert not life.thread.is_alive(), "the thread of an ended actor does not end"
        return bool(ended)

    def _next_due_ns(self) -> int | None:
        awake = [cell for cell in self._living() if cell.life not in self._hung]
        due = [cell.mailbox.timers.next_due_ns() for cell in awake]
        return min((at for at in due if at is not None), default=None)

    # ------------------------------------------------------------ life

    def _queue(self, path: ActorPath) -> Queue:
        return self._queues.setdefault(path, WatchedQueue(self._news))

    def _launch(self, cell: Cell, life: Incarnation) -> None:
        life.gone = Gone(self._news)
        self._begun.append(life)
        super()._launch(cell, life)

    def hang(self, life: Incarnation) -> None:
        """See `Runtime.hang`: to the others it is at rest."""
        with self._news:
            self._hung.add(life)
            self._news.notify_all()
        super().hang(life)


Driven = StepRuntime | HandRuntime
"""A runtime whose time a test moves."""

DRIVEN: dict[str, type[Driven]] = {"steps": StepRuntime, "threads": HandRuntime}
