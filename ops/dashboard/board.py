"""What a live page shows now, looked up again and again while somebody watches."""

import asyncio
import contextlib
import json
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from ops.dashboard.command import document, with_names
from ops.dashboard.run import RunModel
from ops.health_text import one_line

_PERIOD_S = 1.0
_REST = 20
"""So many times as long as a look took is rested after it: under 5 % of one core."""
_AS_OF = ("at",)
_MOST_SENTENCES = 100

Parts = list[dict[str, str]]


class LiveBoard:
    """Belongs to one event loop; the files are read on threads of its own, one look at a time.

    An end waits for no look: the first one at a huge run takes minutes, and only reads.
    """

    def __init__(
        self, models: Sequence[RunModel], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._models, self._clock = models, clock
        self._reading = threading.Lock()
        self._found: asyncio.Future[Parts] | None = None
        """What the look under way will find; None before any."""
        self._parts: Parts = [{} for _ in models]
        """The newest JSON of each section of each run."""
        self._numbers: list[dict[str, int]] = [{} for _ in models]
        """In which change a section was new."""
        self._change = 0
        self._changed = asyncio.Condition()
        self._over = asyncio.Event()
        self._looking = asyncio.Lock()
        self._rests_until = float("-inf")
        self._watchers = 0
        self._wanted = asyncio.Event()
        self._told: set[str] = set()
        self.looks = 0
        self.trouble = ""
        """Why the newest look failed, in one sentence; empty when it did not."""

    def close(self) -> None:
        """End: who listens, or waits for a look, is let go. Any number of times."""
        self._over.set()
        self._wanted.set()
        _settle(self._found, [], InterruptedError("the dashboard ends"))

    async def look(self) -> None:
        """Look until closed, while somebody watches."""
        await self.refresh()
        while not self._over.is_set():
            await self._wanted.wait()
            if self._over.is_set():
                break
            await self.refresh()
            await self._rest(max(_PERIOD_S, self._rests_until - self._clock()))
        async with self._changed:
            self._changed.notify_all()

    async def refresh(self) -> None:
        """Look once, now; who asks while a look is under way, or in the rest after one, has it."""
        async with self._looking:
            began = self._clock()
            if began >= self._rests_until:
                await self._look_once()
                ended = self._clock()
                self._rests_until = ended + max(_PERIOD_S / 2, _REST * (ended - began))

    async def _look_once(self) -> None:
        if self._over.is_set():
            return
        try:
            found = await self._begin_look()
        except Exception as error:  # noqa: BLE001 - the next look is another
            if self._over.is_set():
                return  # the thread and the files are let go
            found = self._failed(error)
        else:
            self.trouble = ""
        await self._keep([{"trouble": json.dumps(self.trouble), **parts} for parts in found])

    def _begin_look(self) -> "asyncio.Future[Parts]":
        """Read on a thread that does not keep the process alive; who asked may be gone by then."""
        loop = asyncio.get_running_loop()
        future = self._found = loop.create_future()

        def read() -> None:
            found: Parts = []
            problem: BaseException | None = None
            try:
                with self._reading:
                    found = self._read()
            except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
                problem = error
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_settle, future, found, problem)

        threading.Thread(target=read, name="dashboard", daemon=True).start()
        return future

    def _failed(self, error: Exception) -> Parts:
        """Tell the terminal, each sentence once; the page keeps what it had and says why."""
        what = f"{type(error).__name__}: {one_line(str(error))}"[:500]
        self.trouble = f"The newest look at the files failed ({what}); it is tried again."
        if self.trouble not in self._told and len(self._told) < _MOST_SENTENCES:
            self._told.add(self.trouble)
            with contextlib.suppress(OSError):  # the terminal may be gone, the page is not
                sys.stderr.write(f"dashboard: {self.trouble}\n")
                sys.stderr.flush()
        return [{} for _ in self._models]

    async def _keep(self, found: Parts) -> None:
        self.looks += 1
        fresh = False
        for at, parts in enumerate(found):
            for name, text in parts.items():
                if self._parts[at].get(name) != text:
                    fresh = fresh or name not in _AS_OF
                    self._parts[at][name] = text
                    self._numbers[at][name] = self._change + 1
        if fresh:
            async with self._changed:
                self._change += 1
                self._changed.notify_all()

    async def document(self) -> dict[str, Any] | None:
        """Give the whole model, as of the newest look; None while none has succeeded."""
        if not self._watchers or "standing" not in self._parts[0]:
            await self.refresh()
        if "standing" not in self._parts[0]:
            return None
        runs = [{name: json.loads(text) for name, text in p.items()} for p in self._parts]
        return {**document([]), "live": True, "runs": runs}

    async def changes(self) -> AsyncGenerator[str, None]:
        """Give the sections that change, as JSON, first all of them; ends when closed."""
        seen = -1
        self._watchers += 1
        self._wanted.set()
        try:
            while not self._over.is_set():
                newest = self._change
                for at, parts in enumerate(self._parts):
                    new = {n: t for n, t in parts.items() if self._numbers[at][n] > seen}
                    if new.keys() - set(_AS_OF):
                        yield _object(at, new)
                seen = newest
                await self._change_after(newest)
        finally:
            self._watchers -= 1
            if not self._watchers and not self._over.is_set():
                self._wanted.clear()

    async def _change_after(self, known: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._change != known or self._over.is_set())

    def _read(self) -> Parts:
        models = with_names([model.refresh() for model in self._models])
        return [
            {name: json.dumps(part, separators=(",", ":")) for name, part in model.items()}
            for model in models
        ]

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()


def _settle(
    future: "asyncio.Future[Parts] | None", found: Parts, problem: BaseException | None
) -> None:
    if future is None or future.done():
        return
    if problem is None:
        future.set_result(found)
    else:
        future.set_exception(problem)


def _object(at: int, parts: dict[str, str]) -> str:
    inside = ",".join(f"{json.dumps(name)}:{text}" for name, text in parts.items())
    return f'{{"run":{at},"parts":{{{inside}}}}}'
