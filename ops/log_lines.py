"""Log lines are written on a thread of their own: who logs waits for no disk and no terminal.

A disk that takes no write for a minute, or a person who stops a terminal's output, would hold up
whoever logs next, and that is a supervisor, the kill switch, or who sends the alert of it.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Protocol

WAIT_S = 0.05
"""So long who logs waits for its line, as long as lines are written at all: what a process said
before it died is there, then."""
MOST_WAITING = 4_000
"""Lines for a disk that does not take any; of more, the newest are left out."""
END_S = 2.0

_Line = tuple[str, threading.Event]


class Sink(Protocol):
    """Where lines end."""

    def write(self, text: str) -> object:
        """Put one there."""


class LinesAside:
    """Loguru calls `write`, one thread at a time. `tell` is given a sentence on lines left out."""

    def __init__(self, sink: Sink, name: str, tell: Callable[[str], object]) -> None:
        self._sink, self._name, self._tell = sink, name, tell
        self._lines: SimpleQueue[_Line | None] = SimpleQueue()
        self._left_out = 0
        self._is_over = False
        self.is_held_up = False
        """Whether lines wait, and nobody waits for them."""
        self._thread = threading.Thread(target=self._work, name=f"log of {name}", daemon=True)
        self._has_thread = self._begin()

    def write(self, text: str) -> None:
        """Have a line written, and see it written where that takes no time."""
        if self._lines.qsize() >= MOST_WAITING:
            self._left_out += 1
            return
        written = self._put(text)
        if not self.is_held_up and not written.wait(WAIT_S):
            self.is_held_up = True

    def isatty(self) -> bool:
        """Whether a person looks at it, who is shown colors."""
        return bool(getattr(self._sink, "isatty", bool)())

    def drain(self, limit_s: float = END_S) -> bool:
        """Wait until all is written; False where it is not by then."""
        return self._is_over or self._put("").wait(limit_s)

    def stop(self) -> None:
        """Write what waits, if that takes no time, and end the thread. Loguru calls it."""
        self._is_over = True
        self._lines.put(None)
        if self._has_thread:
            self._thread.join(END_S)
        else:
            self._work()

    def _begin(self) -> bool:
        try:
            self._thread.start()
        except RuntimeError:  # no more threads can be started
            return False
        return True

    def _put(self, text: str) -> threading.Event:
        line = text, threading.Event()
        if self._has_thread:
            self._lines.put(line)
        else:
            self._done(line)
        return line[1]

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            self._done(line)
        stop = getattr(self._sink, "stop", None)
        if stop is not None:
            stop()

    def _done(self, line: _Line) -> None:
        text, written = line
        if text:
            self._write(text)
        written.set()
        if self.is_held_up and self._lines.empty():
            self.is_held_up = False

    def _write(self, text: str) -> None:
        try:
            self._sink.write(text)
        except Exception:  # noqa: BLE001 - whatever one line fails on, the next ones are written
            self._left_out += 1
            return
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            with suppress(Exception):  # of who is told nobody else can be told
                self._tell(f"{self._name} was held up; lines that were left out: {left_out}")
