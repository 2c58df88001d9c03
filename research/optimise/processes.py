"""Trials in processes of this machine, each on a core of its own."""

import contextlib
import os
import pickle
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from research.optimise.protocol import (
    Answer,
    Done,
    End,
    Ended,
    Framer,
    Order,
    Told,
    decode_told,
    encode,
    send,
)
from research.optimise.trial import Task, Work

_READ = 65_536
_MODULE = "research.optimise.worker"


class _Worker:
    """One process and what it is at.

    It is a fresh interpreter, not a fork: this process has threads by now (numpy's, the
    database's), and a fork of one that has may lock up. What would be copied, the market, is
    mapped. It has a session of its own: Ctrl-C reaches the parent alone, which then ends it.
    """

    def __init__(self, work: bytes, data_fd: int) -> None:
        self.link, theirs = socket.socketpair()
        try:
            with theirs:
                self.process = _started(theirs.fileno(), data_fd)
        except BaseException:
            self.link.close()
            raise
        self.framer = Framer()
        self.task: Task | None = None
        self.until_s = float("inf")
        with contextlib.suppress(OSError):  # it is gone already: found by `wait`
            send(self.link, work)

    def end(self) -> int:
        """Kill it, and give how it ended."""
        self.process.kill()
        self.link.close()
        return self.process.wait()


def _started(link_fd: int, data_fd: int) -> "subprocess.Popen[bytes]":
    descriptors = (link_fd, data_fd)
    path = os.pathsep.join(place for place in sys.path if place)
    return subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-P", "-m", _MODULE, *map(str, descriptors)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # what strategies print
        pass_fds=descriptors,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )


class Processes:
    """See `protocol.Pool`. Processes are started when they are first needed."""

    def __init__(self, work: Work, data_fd: int, jobs: int, limit_s: float | None = None) -> None:
        self._work, self._data_fd, self._jobs = pickle.dumps(work), data_fd, jobs
        self._limit_s = limit_s
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()

    @property
    def idle(self) -> int:
        """See `Pool`."""
        return self._jobs - sum(worker.task is not None for worker in self._workers)

    @property
    def process_ids(self) -> list[int]:
        """Those of the processes that are there."""
        return [worker.process.pid for worker in self._workers]

    def begin(self, task: Task) -> None:
        """See `Pool`."""
        worker = next((one for one in self._workers if one.task is None), None) or self._hire()
        worker.task = task
        if self._limit_s is not None:
            worker.until_s = time.monotonic() + self._limit_s
        self._say(worker, encode(Order(task)))

    def answer(self, ticket: int, *, go_on: bool) -> None:
        """See `Pool`."""
        for worker in self._workers:
            if worker.task is not None and worker.task.ticket == ticket:
                self._say(worker, encode(Answer(go_on)))

    def wait(self, limit_s: float) -> list[Told]:
        """See `Pool`."""
        next_s = min((worker.until_s for worker in self._workers), default=float("inf"))
        patience = max(min(limit_s, next_s - time.monotonic()), 0.0)
        told: list[Told] = []
        for key, _ in self._selector.select(patience):
            told += self._hear(key.data)
        told += self._overdue()
        return told

    def close(self) -> None:
        """See `Pool`."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._selector.close()

    def _hire(self) -> _Worker:
        worker = _Worker(self._work, self._data_fd)
        self._workers.append(worker)
        self._selector.register(worker.link, selectors.EVENT_READ, worker)
        return worker

    def _dismiss(self, worker: _Worker) -> int:
        self._selector.unregister(worker.link)
        self._workers.remove(worker)
        return worker.end()

    def _say(self, worker: _Worker, data: bytes) -> None:
        with contextlib.suppress(OSError):  # it is gone: `wait` finds that, and says how
            send(worker.link, data)

    def _hear(self, worker: _Worker) -> Iterator[Told]:
        try:
            data = worker.link.recv(_READ)
        except OSError:
            data = b""
        if not data:
            yield from self._lost(worker)
            return
        for frame in worker.framer.feed(data):
            told = decode_told(frame)
            if isinstance(told, Done | Ended):
                worker.task, worker.until_s = None, float("inf")
            yield told

    def _lost(self, worker: _Worker) -> Iterator[Told]:
        task = worker.task
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(5)  # its socket is closed: it is as good as over
        code = self._dismiss(worker)
        if task is not None:
            yield Ended(task.ticket, End.FAILED, f"its process ended {_how(code)}")

    def _overdue(self) -> Iterator[Told]:
        now_s = time.monotonic()
        for worker in [one for one in self._workers if one.until_s <= now_s]:
            task = worker.task
            self._dismiss(worker)
            if task is not None:
                reason = f"it took longer than {self._limit_s:g} s (--trial-limit-s)"
                yield Ended(task.ticket, End.FAILED, reason)


def _how(code: int) -> str:
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
