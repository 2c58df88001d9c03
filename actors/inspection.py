"""A look into one actor: a question on its control lane, and the answer when it comes."""

import itertools
import threading
from typing import TYPE_CHECKING, Any

import pykka

from actors.error_text import sentence_of
from messages.errors import said_by
from messages.ids import ActorPath
from messages.lifecycle import Inspect

if TYPE_CHECKING:
    from actors.runtime import Runtime

_MOST = 32


def inspected(actor: Any) -> dict[str, Any]:
    """Give what an actor says of itself; one that cannot say it is not to die of the question."""
    try:
        told: dict[str, Any] = actor.inspect()
    except Exception as error:  # noqa: BLE001 - it is what the actor says then
        said = f"{type(error).__name__}: {said_by(error)}"
        return {"problem": f"inspect failed: {sentence_of(said, actor.ctx.cell.clean)}"}
    return told


class Inspections:
    """Any thread may ask; nobody waits. An answer is kept until it is fetched."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._numbers = itertools.count(1)
        self._asked: dict[int, pykka.Future[Any]] = {}
        self._lock = threading.Lock()

    def begin(self, path: str) -> int | None:
        """Ask an actor; give the number of the question, None where there is no such actor."""
        cell = self._runtime.cells.get(ActorPath(path))
        if cell is None:
            return None
        future: pykka.Future[Any] = pykka.ThreadingFuture()
        with self._lock:
            number = next(self._numbers)
            self._asked[number] = future
            while len(self._asked) > _MOST:
                self._asked.pop(next(iter(self._asked)))
        cell.mailbox.ask(Inspect(), future)
        return number

    def answer(self, number: int) -> dict[str, Any] | None:
        """Fetch an answer; None while there is none.

        Raises:
            LookupError: there is no such question, or no more.
            Exception: the actor died of something, or takes no questions.
        """
        with self._lock:
            future = self._asked.get(number)
        if future is None:
            raise LookupError(f"question {number} is not known")
        try:
            told: dict[str, Any] = future.get(timeout=0)
        except pykka.Timeout:
            return None
        except BaseException:
            self._forget(number)
            raise
        self._forget(number)
        return told

    def _forget(self, number: int) -> None:
        with self._lock:
            self._asked.pop(number, None)
