"""Follows the journal of a run, dead or alive: what its market told, each frame once."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from messages.codec import from_msgpack
from messages.errors import CodecError
from messages.market import FeedNews, MarketBatch
from messages.outside import Origin
from persistence.frames import (
    HEADER_SIZE,
    LARGEST,
    LOST,
    Damage,
    Frame,
    frames_of,
    header_of,
    lost_of,
)
from persistence.journal import segments

MOST_BYTES = 128_000_000
"""A longer journal is read at its beginning and at its end: some 800,000 trades, in a quarter of
a minute. One symbol's candles of a minute take a year to get there."""
CHUNK_BYTES = 1 << 20


class JournalTail:
    """Each `read` goes on where the one before ended; memory is flat."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._number = self._offset = 0
        self._is_over = False
        """Nothing more of this segment can be read."""
        self._passed: set[int] = set()
        self._epochs: dict[str, int] = {}
        self.gone = 0
        """Segments that are there no more, by retention or by somebody's hand."""
        self.lost = 0
        """Messages that the journal says it could not keep."""
        self.damaged = 0
        """Segments of which a part cannot be read, or nothing."""

    @property
    def passed_over(self) -> int:
        """Segments in the middle of a long journal that are not read."""
        return len(self._passed)

    def read(self) -> Iterator[FeedNews | MarketBatch]:
        """Give what was written since, oldest first. To be read to its end."""
        there = self._there()
        if not self._number:
            self._choose(there)
        for number, path in there:
            if number > self._number:
                self.gone += number - self._number - 1
                self._number, self._offset, self._is_over = number, 0, number in self._passed
                # A rotation or a process of its own, whose incarnations count from 1 again.
                self._epochs.clear()
            if number == self._number and not self._is_over:
                yield from self._segment(path, is_newest=number == there[-1][0])

    def _there(self) -> list[tuple[int, Path]]:
        try:
            return [(int(path.stem), path) for path in segments(self._folder)]
        except (OSError, ValueError):
            return []

    def _choose(self, there: list[tuple[int, Path]]) -> None:
        """Of a journal that is too long, read the first segment and the newest."""
        left = self._most_bytes
        sizes = {number: _size(path) for number, path in there}
        for number in [*list(sizes)[:1], *reversed(list(sizes)[1:])]:
            left -= sizes[number]
            if left < 0 and len(sizes) > 1:
                self._passed.add(number)

    def _segment(self, path: Path, *, is_newest: bool) -> Iterator[FeedNews | MarketBatch]:
        try:
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            self.gone += 1
            self._is_over = True
            return
        except OSError:
            self._end_damaged()
            return
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                self._end_damaged()
                return
            yield from self._frames(file, is_newest=is_newest)
        except OSError:
            self._end_damaged()
        finally:
            os.close(file)

    def _frames(self, file: int, *, is_newest: bool) -> Iterator[FeedNews | MarketBatch]:
        size, damage = CHUNK_BYTES, self._header(file)
        while damage is None:
            content = os.pread(file, size, self._offset)
            read = 0
            for item in frames_of(content, 0):
                if isinstance(item, Damage):
                    damage, read = item, item.offset
                    break
                yield from self._message(item)
            else:
                read = len(content)
            self._offset += read
            is_whole = len(content) == size
            if damage is None and not is_whole:
                return
            if damage is not None and damage.is_torn and is_whole and size <= LARGEST:
                damage = None  # the chunk ends there, the segment does not
                size = CHUNK_BYTES if read else 2 * size
        # What a living writer has written half will be whole at the next look.
        if not (damage.is_torn and is_newest):
            self._end_damaged()

    def _header(self, file: int) -> Damage | None:
        if self._offset:
            return None
        header = header_of(os.pread(file, HEADER_SIZE, 0))
        if isinstance(header, Damage):
            return header
        self._offset = HEADER_SIZE
        return None

    def _message(self, frame: Frame) -> Iterator[FeedNews | MarketBatch]:
        try:
            if frame.origin == LOST:
                self.lost += lost_of(frame).messages
            elif frame.origin == Origin.MARKET:
                message = from_msgpack(frame.payload)
                if isinstance(message, MarketBatch) or (
                    isinstance(message, FeedNews) and self._is_current(frame.path, message.epoch)
                ):
                    yield message
        except (CodecError, msgspec.MsgspecError):
            self.lost += 1

    def _is_current(self, path: str, epoch: int) -> bool:
        """Whether the feed acted on it: news of a connection that was replaced are void."""
        newest = self._epochs[path] = max(epoch, self._epochs.get(path, epoch))
        return epoch == newest

    def _end_damaged(self) -> None:
        self.damaged += 1
        self._is_over = True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
