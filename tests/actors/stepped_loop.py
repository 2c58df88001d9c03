"""A venue's loop that goes on only where the test says: every wait is a choice."""

import threading
from collections.abc import Callable, Coroutine, Generator, Iterable
from concurrent.futures import Future
from typing import Any


class Turn:
    """What a coroutine of a model venue waits for: the test's word, which the wait gives."""

    def __init__(self, name: str, about: str) -> None:
        self.name, self.about = name, about

    def __await__(self) -> Generator["Turn", Any, Any]:
        return (yield self)


OVER = Turn("over", "")


class Task:
    """One coroutine and where it waits; at first it has not begun."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], over: Callable[["Task"], None]) -> None:
        self._coroutine = coroutine
        self._over = over
        self.future: Future[Any] = Future()
        self.turn = Turn("begin", "")

    def go(self, word: Any = None) -> None:
        """Let it run to its next wait, or to its end."""
        self.turn = OVER
        try:
            self.turn = self._coroutine.send(word)
        except StopIteration as end:
            self._over(self)
            self.future.set_result(end.value)
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            self._over(self)
            self.future.set_exception(error)

    def drop(self) -> None:
        """Forget it, as the death of its process does."""
        self._coroutine.close()


class SteppedLoop:
    """Stands where a `VenueLoop` does."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self._dead = False

    def submit(self, coroutine: Coroutine[Any, Any, Any]) -> "Future[Any]":
        task = Task(coroutine, self.tasks.remove)
        if self._dead:
            task.drop()
            return task.future
        self.tasks.append(task)
        return task.future

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.submit(coroutine)

    def after_this(self, callback: Callable[[], object]) -> None:
        callback()

    def give_way(self, event: threading.Event, limit_s: float) -> None:
        """Nobody else could run meanwhile: one thread takes all the steps."""

    @staticmethod
    async def together(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
        """One after another: which is first at the exchange is chance anyway."""
        left = [*coroutines]
        try:
            while left:
                await left[0]
                del left[0]
        finally:
            for one in left:  # forgotten in the middle
                one.close()

    def waiting(self, *names: str) -> list[Task]:
        """Those that wait for one of these words, oldest first."""
        return [task for task in self.tasks if task.turn.name in names]

    def kill(self) -> None:
        """End every coroutine where it stands; nothing runs here any more."""
        self._dead = True
        for task in self.tasks:
            task.drop()
        self.tasks.clear()
