"""A bar with the time that is left; on a terminal only."""

import time
from typing import Self, TextIO

_WIDTH = 30
_EVERY_S = 0.1


class Progress:
    """Draws over one line, and leaves it empty at the end. `total` None: how many are done."""

    def __init__(self, total: int | None, stream: TextIO) -> None:
        self._total, self._stream = total, stream
        self._shown = stream.isatty()
        self._began_s = self._drawn_s = time.monotonic()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe the line."""
        if self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()

    def at(self, done: int) -> None:
        """Say how many events are behind."""
        if not self._shown:
            return
        now_s = time.monotonic()
        if now_s - self._drawn_s < _EVERY_S:
            return
        self._drawn_s = now_s
        self._stream.write(f"\r\033[K{bar(done, self._total, now_s - self._began_s)}")
        self._stream.flush()


def bar(done: int, total: int | None, passed_s: float) -> str:
    """Give the line after `passed_s` seconds."""
    pace = done / passed_s if passed_s > 0 else 0.0
    if not total or not pace:
        return f"{done:,} events, {pace:,.0f} a second"
    part = min(done / total, 1.0)
    left_s = max(total - done, 0) / pace
    drawn = "#" * int(part * _WIDTH)
    return f"[{drawn:<{_WIDTH}}] {part:4.0%}  {pace:,.0f} events a second, {left_s:.0f} s left"
