"""The live runtime: one thread an actor, the machine's clocks."""

import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pykka

from actors.address import Address
from actors.cell import Cell, Incarnation
from actors.clock import Clock, SystemClock
from actors.log import logger
from actors.mailbox_protocols import Queue
from actors.runtime import CURRENT_ASKER, Job, Runtime, Started, describe, too_slow
from messages.errors import AskTimeout
from messages.ids import NS_PER_S, ActorPath

SWITCH_INTERVAL_S = 50e-6
"""One busy thread moves tick-to-order from 0.5 to 55 ms at Python's default of 5 ms."""
RECORDED_SWITCH_INTERVAL_S = 2e-3
"""Where a recording runs through and nothing grows old, turns of 50 us only cost: a `/metrics`,
4 ms of work, is interrupted 80 times and waits 80 times for all others (p99 82 ms, so 52)."""


class ThreadRuntime(Runtime):
    """Daemon threads: a hung one cannot keep the process alive after an orderly stop.

    On another `clock` than the machine's, whoever moves it wakes the mailboxes.
    """

    threaded = True

    def __init__(
        self,
        seed: int = 0,
        *,
        ttl_enforced: bool = True,
        one_cpu: bool = False,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(clock or SystemClock(), seed, ttl_enforced=ttl_enforced)
        if one_cpu:
            stay_on_one_cpu()
        if ttl_enforced:
            wake_on_time()
        self._workers: dict[str, SimpleQueue[Job]] = {}
        sys.setswitchinterval(SWITCH_INTERVAL_S if ttl_enforced else RECORDED_SWITCH_INTERVAL_S)

    def _queue(self, path: ActorPath) -> Queue | None:  # noqa: ARG002 - the other runtime needs it
        return None

    def _launch(self, cell: Cell, life: Incarnation) -> None:
        actor = cell.new_actor()
        life.actor_ref = actor.actor_ref
        pykka.ActorRegistry.register(actor.actor_ref)
        actor._start_actor_loop()  # what Pykka's `start` does, with the ref known first

    def _await_start(self, cell: Cell, life: Incarnation, timeout_ns: int) -> Started:
        if life.ready.wait(timeout_ns / NS_PER_S):
            return describe(life)
        waits_for = self.starting_below(cell)
        self.fence(cell)
        return too_slow(timeout_ns, waits_for)

    def _await_gone(self, cell: Cell, life: Incarnation, timeout_ns: int | None) -> bool:  # noqa: ARG002 - the other runtime needs it
        return life.gone.wait(None if timeout_ns is None else timeout_ns / NS_PER_S)

    def _release(self, cell: Cell, life: Incarnation) -> None:
        life.stuck.set()
        cell.mailbox.wake()
        for _ in range(1000):  # until it has handled or handed on what it took
            if not life.reading:
                return
            life.gone.wait(0.001)

    def ask(self, address: Address[Any], message: Any, timeout_ns: int = NS_PER_S) -> Any:
        """See `Runtime.ask`."""
        asker = CURRENT_ASKER.get()
        self.waits.begin(asker, address.path)
        future: pykka.Future[Any] = pykka.ThreadingFuture()
        try:
            address.cell.mailbox.ask(message, future)
            return future.get(timeout=timeout_ns / NS_PER_S)
        except pykka.Timeout as error:
            raise AskTimeout(f"{address.path} gave no answer in {timeout_ns / 1e9:g} s") from error
        finally:
            self.waits.end(asker)

    def hang(self, life: Incarnation) -> None:
        """Block this thread until its incarnation is fenced."""
        life.stuck.wait()

    def worker(self, name: str) -> Callable[[Job], None]:
        """See `Runtime.worker`."""
        jobs = self._workers.get(name)
        if jobs is None:
            jobs = self._workers[name] = SimpleQueue()
            threading.Thread(target=_work, args=(jobs,), name=name, daemon=True).start()
        return jobs.put

    def flush(self, name: str, timeout_ns: int) -> bool:
        """See `Runtime.flush`."""
        done = threading.Event()
        self.worker(name)(done.set)
        return done.wait(timeout_ns / NS_PER_S)


def stay_on_one_cpu() -> None:
    """Keep the calling thread, and all it starts from now on, on one of the CPUs it may use."""
    if hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cpus[os.getpid() % len(cpus)]})


def wake_on_time() -> None:
    """Let waits of the calling thread, and of all it starts from now on, end when they are due.

    Linux lets each end up to 50 us later, which is a whole turn of the interpreter: a thread that
    waits for one beside a busy thread got it after 100 us instead of 50.
    """
    with suppress(OSError):  # another system, or one that does not say so
        slack = Path(f"/proc/{threading.get_native_id()}/timerslack_ns")
        if slack.is_file():
            slack.write_text("1", encoding="ascii")


def _work(jobs: "SimpleQueue[Job]") -> None:
    while True:
        job = jobs.get()
        try:
            job()
        except Exception:  # noqa: BLE001 - whoever has the next job is not to wait for ever
            name, why = threading.current_thread().name, traceback.format_exc()
            logger.critical("a job of the thread {} failed: {}", name, why)
