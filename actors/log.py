"""Loguru, imported when the first line is logged: a start that goes well has nothing to log.

Loguru brings asyncio, multiprocessing and ssl with it, a fifth of the time until a run is ready.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loguru import Logger
    from loguru import Record as Record

_opening = threading.RLock()
_set_up: list[Callable[[], object]] = []
_draining: list[Callable[[], object]] = []


class Log:
    """Loguru's logger, as far as it is used here. Any thread may log; lines are never held back."""

    def __init__(self, fields: dict[str, Any] | None = None) -> None:
        self._fields = fields or {}

    def bind(self, **fields: Any) -> "Log":
        """Give a log whose lines all carry these fields."""
        return Log({**self._fields, **fields})

    def debug(self, text: str, *values: object) -> None:
        """Log with the level DEBUG; `values` go where `text` has braces."""
        self._write("DEBUG", text, values)

    def info(self, text: str, *values: object) -> None:
        """Log with the level INFO."""
        self._write("INFO", text, values)

    def warning(self, text: str, *values: object) -> None:
        """Log with the level WARNING."""
        self._write("WARNING", text, values)

    def error(self, text: str, *values: object) -> None:
        """Log with the level ERROR."""
        self._write("ERROR", text, values)

    def critical(self, text: str, *values: object) -> None:
        """Log with the level CRITICAL."""
        self._write("CRITICAL", text, values)

    def log(self, level: str | int, text: str, *values: object) -> None:
        """Log with a level given by its name, or by its number."""
        self._write(level, text, values)

    def _write(self, level: str | int, text: str, values: tuple[object, ...]) -> None:
        open_log().opt(depth=2).bind(**self._fields).log(level, text, *values)


def set_up_with(set_up: Callable[[], object]) -> None:
    """Have `set_up` called before the first line that comes from now on.

    An error of it is itself logged, by what it has set up until then: who logs is in trouble
    already, and is to get on with that.
    """
    with _opening:
        _set_up[:] = [set_up]


def drain_with(*drains: Callable[[], object]) -> None:
    """Say what waits until all lines are written, for `drain_log`."""
    _draining[:] = drains


def drain_log() -> None:
    """Wait until the lines that were logged are written, a moment at most.

    For who ends the process by `os._exit`; Loguru does it at any other end.
    """
    for drain in _draining:
        drain()


def bare_log() -> "Logger":
    """Give loguru's own logger as it is, for who sets it up."""
    from loguru import logger as loguru

    return loguru


def open_log() -> "Logger":
    """Give loguru's own logger, set up."""
    loguru = bare_log()
    if _set_up:
        with _opening:
            try:
                for set_up in _set_up:
                    set_up()
            except Exception as error:  # noqa: BLE001 - a log that cannot be kept ends nothing
                loguru.error("the log is not kept: {}", error)
            _set_up.clear()
    return loguru


logger = Log()
