"""One line on a terminal: how far, how good, how long still."""

import shutil
import time
from typing import Self, TextIO

from research.optimise.search import State

_WIDTH = 24
_EVERY_S = 0.1


class Progress:
    """Draws over one line, and leaves it empty at the end; draws nothing where nobody looks."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._shown = stream, stream.isatty()
        self._began_s = time.monotonic()
        self._drawn_s = 0.0
        self._before: int | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe the line."""
        self.wipe()

    def wipe(self) -> None:
        """Leave the line to what is printed now."""
        self._draw("")

    def search(self, state: State) -> None:
        """Show how far the search is."""
        if self._before is None:
            self._before = state.over
        passed_s = time.monotonic() - self._began_s
        self._now_and_then(line(state, state.over - self._before, passed_s))

    def judging(self, over: int, count: int) -> None:
        """Show how far the judging is."""
        self._now_and_then(f"judging what was chosen: {over} of {count}")

    def reading(self, events: int) -> None:
        """Show how much of the market is read."""
        self._now_and_then(f"reading the market: {events:,} events")

    def _now_and_then(self, text: str) -> None:
        now_s = time.monotonic()
        if now_s - self._drawn_s >= _EVERY_S:
            self._drawn_s = now_s
            self._draw(text)

    def _draw(self, text: str) -> None:
        if self._shown:
            width = shutil.get_terminal_size().columns - 1  # a line that wraps cannot be wiped
            self._stream.write(f"\r\033[K{text[:width]}")
            self._stream.flush()


def line(state: State, new: int, passed_s: float) -> str:
    """Give the line; `new` trials were tried in `passed_s` seconds."""
    part = min(state.over / state.wanted, 1.0) if state.wanted else 1.0
    drawn = "#" * int(part * _WIDTH)
    text = f"[{drawn:<{_WIDTH}}] {state.over:,} of {state.wanted:,} trials"
    text += f", window {state.window} of {state.windows}"
    if state.waiting_for:
        return f"{text}, waiting for {state.waiting_for} of others"
    if new and passed_s > 0:
        pace = new / passed_s
        text += f", {pace:.1f} a second, {max(state.wanted - state.over, 0) / pace:.0f} s left"
    return f"{text}, best {state.best}" if state.best else text
