"""Trials on a Ray cluster: the only file that imports it. The study stays with who asks.

The market goes into Ray's object store once, and each node's workers read it there. The code of
the strategies must be on every node, as this package must. A worker that is lost costs its trial
a `failed`, as a process of this machine does.
"""

import contextlib
import pickle
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from messages.errors import ConfigError
from messages.extras import how_to_install
from messages.patience import Stillness
from research.backtest.own_code import OwnCode
from research.optimise.figures import Figures
from research.optimise.protocol import (
    Answer,
    Done,
    End,
    Ended,
    Order,
    PartOver,
    Told,
    decode_said,
    decode_told,
    encode,
)
from research.optimise.trial import Task, Work
from research.optimise.worker import attempt

LOCAL = "local"
_LOOK_S = 1.0


class SharedColumns:
    """The mapped file as Ray carries it: beside the pickle, so that nobody copies it."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __reduce_ex__(self, _: Any) -> Any:
        """Give the data as a buffer of its own."""
        return SharedColumns, (pickle.PickleBuffer(self.data),)


class Trier:
    """A worker. A trial runs in a thread, so that a call ends where a part does."""

    def __init__(self, work: bytes, columns: SharedColumns) -> None:
        self._work: Work = pickle.loads(work)  # noqa: S301 - of our own driver
        self._data = memoryview(columns.data)
        self._own: OwnCode | None = None
        self._told: SimpleQueue[Told] = SimpleQueue()
        self._answers: SimpleQueue[bool] = SimpleQueue()

    def begin(self, order: bytes) -> bytes:
        """Begin a trial; give the end of its first part, or its own."""
        said = decode_said(order)
        assert isinstance(said, Order), "asked for a trial before anything else"
        self._own, self._ticket = None, said.task.ticket
        self._thread = Thread(target=self._make, args=(said.task,), daemon=True)
        self._thread.start()
        return encode(self._next())

    def answer(self, answer: bytes) -> bytes:
        """Go on, or not; give the end of the next part, or the trial's."""
        said = decode_said(answer)
        assert isinstance(said, Answer), "a part's end is answered before anything else"
        self._answers.put(said.go_on)
        return encode(self._next())

    def _make(self, task: Task) -> None:
        def ask(part: int, figures: Figures) -> bool:
            self._told.put(PartOver(task.ticket, part, figures))
            return self._answers.get()

        go_on: Callable[[int, Figures], bool] = ask

        def watched(own: OwnCode) -> None:
            self._own = own

        self._told.put(attempt(self._work, self._data, task, go_on, watched))

    def _next(self) -> Told:
        """Wait for what the trial's thread says; for no longer than it may be in one call."""
        limit_s = self._work.event_limit_s
        look_s = min(_LOOK_S, limit_s / 4)
        stillness = Stillness(look_s)
        while True:
            with contextlib.suppress(Empty):
                return self._told.get(timeout=look_s)
            own, frame = self._own, sys._current_frames().get(self._thread.ident or 0)
            if own is None or frame is None:
                continue
            if stillness.look(own.call(frame) or object()) >= limit_s:
                reason = own.where_now(frame, limit_s)
                return Ended(self._ticket, End.FAILED, reason, is_stuck=True)


class _Held:
    """A worker of ours, as the driver sees it."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.task: Task | None = None
        self.reply: Any = None
        self.until_s = float("inf")


class RayPool:
    """See `protocol.Pool`. `jobs` None takes as many workers as the cluster has processors.

    Raises:
        ConfigError: Ray is missing, or there is no cluster at that address.
    """

    def __init__(
        self,
        work: Work,
        data: memoryview,
        jobs: int | None,
        address: str,
        limit_s: float | None = None,
    ) -> None:
        if find_spec("ray") is None:
            text = f"--ray takes Ray, which is not installed: {how_to_install('ray')}"
            raise ConfigError([text])
        import ray

        self._ray: Any = ray
        self._limit_s = limit_s
        started = {"include_dashboard": False, "num_cpus": jobs} if address == LOCAL else {}
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False, **started)
        except (ConnectionError, RuntimeError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise ConfigError([f"--ray {address}: there is no cluster to join: {first}"]) from error
        self._work = ray.put(pickle.dumps(work))
        self._columns = ray.put(SharedColumns(data))
        self._actor = ray.remote(num_cpus=1)(Trier)
        processors = max(int(ray.cluster_resources().get("CPU", 1)), 1)
        self._jobs = min(jobs or processors, processors)  # more would wait for ever
        self._held: list[_Held] = []

    @property
    def idle(self) -> int:
        """See `Pool`."""
        return self._jobs - sum(held.task is not None for held in self._held)

    def begin(self, task: Task) -> None:
        """See `Pool`."""
        held = next((one for one in self._held if one.task is None), None)
        if held is None:
            held = _Held(self._actor.remote(self._work, self._columns))
            self._held.append(held)
        held.task = task
        if self._limit_s is not None:
            held.until_s = time.monotonic() + self._limit_s
        held.reply = held.actor.begin.remote(encode(Order(task)))

    def answer(self, ticket: int, *, go_on: bool) -> None:
        """See `Pool`."""
        for held in self._held:
            if held.task is not None and held.task.ticket == ticket:
                held.reply = held.actor.answer.remote(encode(Answer(go_on)))

    def wait(self, limit_s: float) -> list[Told]:
        """See `Pool`."""
        busy = {held.reply: held for held in self._held if held.reply is not None}
        if not busy:
            time.sleep(limit_s)
            return []
        ready, _ = self._ray.wait(list(busy), num_returns=1, timeout=limit_s)
        told = [self._heard(busy[reply]) for reply in ready]
        return told + self._overdue()

    def close(self) -> None:
        """See `Pool`."""
        self._held.clear()
        self._ray.shutdown()

    def _heard(self, held: _Held) -> Told:
        reply, held.reply = held.reply, None
        assert held.task is not None, "who replies was asked"
        ticket = held.task.ticket
        try:
            told: Told = decode_told(self._ray.get(reply))
        except self._ray.exceptions.RayError as error:
            self._held.remove(held)
            first = str(error).strip().splitlines()[0]
            return Ended(ticket, End.FAILED, f"its worker was lost: {first}")
        if isinstance(told, Done | Ended):
            held.task, held.until_s = None, float("inf")
        if isinstance(told, Ended) and told.is_stuck:
            self._leave(held)
        return told

    def _leave(self, held: _Held) -> None:
        self._held.remove(held)
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(held.actor)

    def _overdue(self) -> list[Told]:
        now_s, told = time.monotonic(), list[Told]()
        for held in [one for one in self._held if one.until_s <= now_s]:
            self._leave(held)
            if held.task is not None:
                reason = f"it took longer than {self._limit_s:g} s (--trial-limit-s)"
                told.append(Ended(held.task.ticket, End.FAILED, reason))
        return told
