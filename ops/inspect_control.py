"""The process's side of `health --errors` and `health --deep`: looks that nobody waits for."""

from collections.abc import Mapping
from typing import Any

from actors.inspection import Inspections
from actors.runtime import Runtime
from ops.control import Handler

_LETTERS = 20


class InspectControl:
    """Methods are called on the control thread, which waits for nobody."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._inspections = Inspections(runtime)

    def handlers(self) -> Mapping[str, Handler]:
        """Give the commands of the control socket."""
        return {"errors": self._errors, "deep": self._deep, "deep_answer": self._answer}

    def _errors(self, _: dict[str, Any]) -> dict[str, Any]:
        """Give each actor's last error with its traceback, and the newest dead letters."""
        cells = dict(self._runtime.cells)
        errors = [
            {
                "path": path,
                "error": cell.last_error,
                "at_ns": cell.last_error_at_ns,
                "traceback": cell.last_traceback,
            }
            for path, cell in sorted(cells.items())
            if cell.last_error
        ]
        now_ns = self._runtime.clock.monotonic_ns()
        letters = [
            {
                "path": letter.path,
                "message": type(letter.message).__name__,
                "why": letter.why,
                "age_s": (now_ns - letter.at_ns) / 1_000_000_000,
            }
            for letter in list(self._runtime.dead_letters.ring)[-_LETTERS:]
        ]
        return {"errors": errors, "dead_letters": letters}

    def _deep(self, request: dict[str, Any]) -> dict[str, Any]:
        path = str(request.get("actor"))
        number = self._inspections.begin(path)
        if number is None:
            known = ", ".join(sorted(self._runtime.cells))
            return {"error": f"there is no actor {path!r}; known: {known}"}
        cell = self._runtime.cells[path]  # type: ignore[index]  # `begin` knew it
        thread = cell.life.thread if cell.life is not None else None
        return {"question": number, "thread": None if thread is None else thread.ident}

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        number = request.get("question")
        try:
            told = self._inspections.answer(number if isinstance(number, int) else -1)
        except Exception as error:  # noqa: BLE001 - whatever ended the actor is the answer
            return {"error": self._runtime.clean(f"{type(error).__name__}: {error}")}
        return {"told": told}
