"""What the data commands print: JSON lines, plain tables, and progress on a terminal."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

_EVERY_S = 0.2


def write_line(event: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Print one line for a person."""
    sys.stdout.write(printable(text) + "\n")


def counted(number: int, what: str) -> str:
    """Give a number of things: one of them has no plural."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def write_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the columns of the rows, aligned."""
    texts = [[key.upper().replace("_", " ") for key in columns]]
    texts += [[printable(row[key]) for key in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for cells in texts:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def printable(value: object) -> str:
    """Write a value on one line, with nothing in it that a terminal obeys."""
    text = "-" if value is None else str(value)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class Progress:
    """How far it is, and how long it will take: on a terminal, and nowhere else."""

    def __init__(self, what: str, screen: TextIO | None = None) -> None:
        self._what = what
        self._screen = sys.stderr if screen is None else screen
        self._is_shown = self._screen.isatty()
        self._began = self._last = time.monotonic()

    def show(self, share: float, text: str) -> None:
        """Tell which share of the work is done, from 0 to 1, and what it is at."""
        now = time.monotonic()
        if self._is_shown and now - self._last >= _EVERY_S:
            self._last = now
            self._write(f"{self._what} {share:4.0%}  {_eta(share, now - self._began)}  {text}")

    def end(self) -> None:
        """Take the line away: what follows is the result."""
        if self._is_shown:
            self._write("")

    def _write(self, text: str) -> None:
        self._screen.write(f"\r\x1b[K{text}")
        self._screen.flush()


def _eta(share: float, spent_s: float) -> str:
    if share <= 0:
        return "ETA -"
    left_s = round(spent_s * (1 - share) / share)
    return f"ETA {left_s // 3600}:{left_s // 60 % 60:02}:{left_s % 60:02}"
