"""Stdout and stderr of a process of its own. Standard library only: `health` is here.

A halt that cancels orders must not end in the middle of it because its progress has no reader, or
because the file that it goes to is on a full disk.
"""

import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

from ops.stdout import PATIENCE_S

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDOUT = "stdout"
"""The file name of an error of it."""
_REPLACED: list[TextIO] = []
"""What was there before. With its last reference such a stream would close the number, which the
next file that is opened then has: all that is printed would go into it."""
_PIECE = 4_096
"""Bytes for which there is room in a pipe that has any."""


class _Named(io.FileIO):
    """Says of an error that it is of stdout, as a file says its path."""

    def write(self, piece: "ReadableBuffer", /) -> int:
        try:
            return super().write(piece)
        except OSError as error:
            error.filename = STDOUT
            raise


class _Unheard(io.FileIO):
    """Takes all that is written, whether anybody reads it or not."""

    _patience_s = PATIENCE_S

    def write(self, piece: "ReadableBuffer", /) -> int:
        """Write what can be written; wait a moment, once, for who does not go on reading."""
        whole = memoryview(piece).cast("B")
        try:
            for begin in range(0, len(whole), _PIECE):
                if not self._has_room():
                    break
                super().write(whole[begin : begin + _PIECE])
        except OSError:
            pass  # nobody can be told
        return len(whole)

    def _has_room(self) -> bool:
        waiting = select.poll()
        waiting.register(self.fileno(), select.POLLOUT)
        has_room = bool(waiting.poll(self._patience_s * 1_000))
        self._patience_s = PATIENCE_S if has_room else 0.0
        return has_room


def open_what_is_closed() -> None:
    """Give a process that was started without them (`>&-`) streams that lead nowhere.

    In this order, so that no file of the run gets the number of one of them.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def take_streams() -> None:
    """Have stdout name itself in its errors, and stderr neither raise nor wait for long."""
    sys.stdout = _over(sys.stdout, _Named)
    sys.stderr = _over(sys.stderr, _Unheard)


def write_what_can_be_written() -> None:
    """Have a terminal or a pipe of few letters (ASCII, Latin-1) show `?` for one that it lacks.

    Else the first line with one would be the last that is told. In the locale C that Python leaves
    as it is, it would write a name's bytes back as they are, and cannot write a letter either.
    """
    stdout = sys.stdout
    if isinstance(stdout, io.TextIOWrapper) and (
        stdout.errors == "strict"
        or (stdout.errors == "surrogateescape" and stdout.encoding != "utf-8")
    ):
        stdout.reconfigure(errors="replace")


def forget_no_size() -> None:
    """Have a terminal that is said to have no columns or lines (`COLUMNS=0`) be asked itself."""
    for name in ("COLUMNS", "LINES"):
        if not os.environ.get(name, "").strip("0"):
            os.environ.pop(name, None)


def _over(stream: TextIO, kind: type[io.FileIO]) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    _REPLACED.append(stream)
    raw = kind(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
