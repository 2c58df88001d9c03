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

from messages.patience import Stillness
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
_LOOK_S = 0.5
_GRACE_S = 5.0
"""A worker that can say itself what does not come back has so long to do it."""


class _Worker:
    """One process and what it is at.

    It is a fresh interpreter, not a fork: this process has threads by now (numpy's, the
    database's), and a fork of one that has may lock up. What would be copied, the market, is
    mapped. It has a session of its own: Ctrl-C reaches the parent alone, which then ends it.
    """

    def __init__(self, work: bytes, data_fd: int) -> None:
        self.link, theirs = socket.socketpair()
        self.pulse, their_pulse = socket.socketpair()
        try:
            with theirs, their_pulse:
                self.process = _started(theirs.fileno(), data_fd, their_pulse.fileno())
        except BaseException:
            self.link.close()
            self.pulse.close()
            raise
        self.beats = 0
        self.silence = Stillness(_LOOK_S)
        self.framer = Framer()
        self.task: Task | None = None
        self.until_s = float("inf")
        with contextlib.suppress(OSError):  # it is gone already: found by `wait`
            send(self.link, work)

    def beat(self) -> bool:
        """Count what has come by its pulse, which shows that its interpreter is running.

        False when no more can come: then nothing follows from that.
        """
        count = 0
        with contextlib.suppress(OSError):
            count = len(self.pulse.recv(_READ))
        self.beats = self.beats + count if count else 0
        return count > 0

    def is_silent_for(self, limit_s: float) -> bool:
        """Whether it had a pulse, and has none: a call into C looks at no signal."""
        return self.silence.look(self.beats) >= limit_s and self.beats > 0

    def end(self) -> int:
        """Kill it, and give how it ended."""
        self.process.kill()
        self.link.close()
        self.pulse.close()
        return self.process.wait()


def _started(*descriptors: int) -> "subprocess.Popen[bytes]":
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
        self._event_limit_s = work.event_limit_s
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
            worker: _Worker = key.data
            if worker not in self._workers:
                continue  # dismissed meanwhile
            if key.fileobj is worker.link:
                told += self._hear(worker)
            elif not worker.beat():
                self._selector.unregister(worker.pulse)
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
        for end in (worker.link, worker.pulse):
            self._selector.register(end, selectors.EVENT_READ, worker)
        return worker

    def _dismiss(self, worker: _Worker) -> int:
        self._selector.unregister(worker.link)
        with contextlib.suppress(KeyError):
            self._selector.unregister(worker.pulse)
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
            if isinstance(told, Ended) and told.is_stuck:
                self._dismiss(worker)
                return

    def _lost(self, worker: _Worker) -> Iterator[Told]:
        task = worker.task
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(5)  # its socket is closed: it is as good as over
        code = self._dismiss(worker)
        if task is not None:
            yield Ended(task.ticket, End.FAILED, f"its process ended {_how(code)}")

    def _overdue(self) -> Iterator[Told]:
        now_s = time.monotonic()
        for worker in list(self._workers):
            if worker.is_silent_for(self._event_limit_s + _GRACE_S):
                reason = f"it did not come back within {self._event_limit_s:g} s from a call into C"
            elif worker.until_s <= now_s:
                reason = f"it took longer than {self._limit_s:g} s (--trial-limit-s)"
            else:
                continue
            task = worker.task
            self._dismiss(worker)
            if task is not None:
                yield Ended(task.ticket, End.FAILED, reason)


def _how(code: int) -> str:
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
