"""A journal from its beginning to its last whole frame, and where something of it is missing."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from persistence.frames import (
    LOST,
    SEAL,
    Frame,
    lost_of,
    next_begun_ns,
)
from persistence.journal import TORN, Found, begun_at, read_segment, segments


class Place(NamedTuple):
    """Where a message stands."""

    segment: str
    number: int
    """Of its frame, from 1."""

    def __str__(self) -> str:
        """Say it to a person."""
        return f"message {self.number} of {self.segment}"


class Break(NamedTuple):
    """Between what was read before and what comes there may be, or is, something missing.

    `is_end`: a process ended there, and nothing is missing but what it had in hand.
    """

    text: str
    at_ns: int | None
    is_end: bool


class JournalReader:
    """Reads once; memory holds one segment. `place` is that of the frame just given."""

    def __init__(self, folder: Path, on_progress: Callable[[float], object]) -> None:
        self._folder, self._on_progress = folder, on_progress
        self.place = Place("", 0)
        self.frames = self.segments = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self._follows: int | None = None
        """When the segment begins that the last one led to."""
        self._is_ended = True
        """Whether the last segment says that its process ended in order."""

    def __iter__(self) -> Iterator[Frame | Break]:
        """Give every message and every break, in their order."""
        there = segments(self._folder)
        sizes = [_size(path) for path in there]
        total, done, before = sum(sizes) or 1, 0, 0
        for path, size in zip(there, sizes, strict=True):
            number = int(path.stem)
            if number != before + 1:
                last = "" if number == before + 2 else f" to {number - 1}"
                yield Break(f"segment {before + 1}{last} is gone", self.last_ns, is_end=False)
            yield from self._enter(path, is_first=not before)
            yield from self._segment(path, done / total, size / total)
            before, done = number, done + size
        if not self._is_ended:
            text = "it lives, or ended without a word: what it had in hand is not known"
            yield Break(text, self.last_ns, is_end=True)

    def _enter(self, path: Path, *, is_first: bool) -> Iterator[Break]:
        begun_ns = begun_at(path)
        if is_first or (self._follows is not None and begun_ns == self._follows):
            return
        if self._is_ended:
            yield Break("a process ended in order", self.last_ns, is_end=True)
            return
        text = "a process ended without a word: what it had in hand is not known"
        tail = path.with_name(f"{int(path.stem) - 1:08}{TORN}")
        if tail.exists():
            text += f"; of its last message {_size(tail)} bytes were written"
        yield Break(text, self.last_ns, is_end=True)

    def _segment(self, path: Path, before: float, share: float) -> Iterator[Frame | Break]:
        self._follows, self._is_ended = None, False
        self.segments += 1
        number, size = 0, _size(path) or 1
        with suppress(FileNotFoundError):  # its run has let go of it since it was listed
            read = 0
            for item in read_segment(path, seals=True):
                if isinstance(item, Found):
                    if not item.damage.is_torn:
                        text = f"{path.name} from byte {item.damage.offset} on: "
                        yield Break(text + item.damage.reason, self.last_ns, is_end=False)
                    continue
                number += 1
                read += len(item.payload)
                self.place = Place(path.name, number)
                if item.origin == SEAL:
                    self._sealed(item)
                    continue
                self.frames += 1
                self.first_ns = item.at_ns if self.first_ns is None else self.first_ns
                self.last_ns = item.at_ns
                if not number % 4096:
                    self._on_progress(min(before + share * read / size, 1.0))
                yield _gap(item) if item.origin == LOST else item
            return
        yield Break(f"{path.name} is gone", self.last_ns, is_end=False)

    def _sealed(self, seal: Frame) -> None:
        with suppress(msgspec.MsgspecError):
            self._follows = next_begun_ns(seal)
            self._is_ended = self._follows is None


def _gap(frame: Frame) -> Break:
    try:
        lost = lost_of(frame)
    except msgspec.MsgspecError:
        return Break("messages are missing", frame.at_ns, is_end=False)
    return Break(
        f"{lost.messages} messages are missing", lost.since_ns or frame.at_ns, is_end=False
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
