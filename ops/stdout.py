"""Stdout as a run uses it: who reads it may be slow, stopped or gone, and trading goes on.

A write to a pipe that is full, or to a terminal on which somebody pressed Ctrl-S, waits for ever,
and with it the thread that is to see a signal. So it is asked first whether there is room.
"""

import os
import select
import stat
import sys
from pathlib import Path
from typing import TextIO

PATIENCE_S = 2.0
"""So long an end, or a line that was begun, waits for who reads."""
_PIECE = 1_000
"""Characters: at most 4,000 bytes, for which there is room in a pipe that has any."""


def is_nowhere() -> bool:
    """Whether it is the null device, of which nobody ever reads."""
    try:
        ours, null = os.fstat(sys.stdout.fileno()), Path(os.devnull).stat()
    except (OSError, ValueError, AttributeError):
        return False  # a test's, or none
    return stat.S_ISCHR(ours.st_mode) and ours.st_rdev == null.st_rdev


def takes_more(patience_s: float = 0.0, out: TextIO | None = None) -> bool:
    """Whether a piece can be written without waiting, now or within this time.

    True also where nobody can say, and where a write fails at once. Without `out` it is stdout.
    """
    try:
        fd = (out or sys.stdout).fileno()
    except (OSError, ValueError):
        return True  # a test's, which takes everything
    waiting = select.poll()
    waiting.register(fd, select.POLLOUT)
    return bool(waiting.poll(patience_s * 1_000))


def await_reader() -> None:
    """Wait a moment for whoever reads.

    Raises:
        TimeoutError: nobody does.
    """
    if not takes_more(PATIENCE_S):
        raise TimeoutError(f"nobody has read for {PATIENCE_S:.0f} s")


def say(text: str) -> None:
    """Write a line.

    Raises:
        OSError: who reads is gone, or did not go on reading; the line may be there in part.
    """
    line = text + "\n"
    for begin in range(0, len(line), _PIECE):
        await_reader()
        sys.stdout.write(line[begin : begin + _PIECE])
        sys.stdout.flush()


def give_up() -> None:
    """Write nowhere from now on: what is still buffered would be tried again at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
