"""A directory of segments: torn, rotated, retired, on a full disk, it reads as one."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from persistence.frames import HEADER_SIZE, SEAL, Frame, next_begun_ns, packed
from persistence.journal import (
    TORN,
    Found,
    JournalWriter,
    Retention,
    read_journal,
    read_segment,
    segments,
)

DAY_NS = 86_400 * 10**9


class Clock:
    def __init__(self) -> None:
        self.now_ns = 1_700_000_000 * 10**9

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Callable[..., JournalWriter]:
    def open_one(**settings: object) -> JournalWriter:
        return JournalWriter(tmp_path / "journal", clock, **settings)  # type: ignore[arg-type]  # settings by name

    return open_one


def a_frame(number: int) -> Frame:
    return Frame(1, number, "feeds/x", b"payload-%d" % number)


def numbers(folder: Path) -> list[int]:
    return [item.at_ns for item in read_journal(folder) if isinstance(item, Frame)]


def damages(folder: Path) -> list[Found]:
    return [item for item in read_journal(folder) if isinstance(item, Found)]


def test_segments_follow_each_other_and_read_as_one(
    tmp_path: Path, opened: Callable[..., JournalWriter]
) -> None:
    writer = opened(rotate_bytes=200)
    for number in range(1, 30):
        writer.write([a_frame(number)])
    writer.close()
    again = opened()
    again.write([a_frame(30)])
    again.close()

    assert numbers(tmp_path / "journal") == list(range(1, 31))
    assert len(segments(tmp_path / "journal")) > 3
    assert damages(tmp_path / "journal") == []
    assert (tmp_path / "journal" / "00000001.wkj").stat().st_mode & 0o777 == 0o600


def test_a_torn_tail_is_cut_off_at_the_next_start_and_laid_beside(
    tmp_path: Path, opened: Callable[..., JournalWriter]
) -> None:
    writer = opened()
    writer.write([a_frame(1), a_frame(2)])
    writer.close()
    segment = writer.segment
    os.truncate(segment, segment.stat().st_size - 3)
    torn = segment.read_bytes()

    again = opened()
    again.write([a_frame(3)])
    again.close()

    assert again.mended is not None
    assert again.mended.damage.is_torn
    assert numbers(tmp_path / "journal") == [1, 3]
    assert damages(tmp_path / "journal") == []
    assert segment.read_bytes() + segment.with_suffix(TORN).read_bytes() == torn
    assert segment.with_suffix(TORN).stat().st_mode & 0o777 == 0o600
    assert opened().mended is None


def test_a_segment_that_had_not_even_begun_is_laid_aside(
    tmp_path: Path, opened: Callable[..., JournalWriter]
) -> None:
    first = opened()
    first.close()
    os.truncate(first.segment, HEADER_SIZE - 1)

    assert opened().mended is not None
    assert damages(tmp_path / "journal") == []


def test_a_flipped_bit_is_left_as_it_is_and_reported(
    tmp_path: Path, opened: Callable[..., JournalWriter]
) -> None:
    writer = opened()
    writer.write([a_frame(1), a_frame(2)])
    writer.close()
    content = bytearray(writer.segment.read_bytes())
    content[-1] ^= 1
    writer.segment.write_bytes(content)
    again = opened()
    again.write([a_frame(3)])
    again.close()

    assert numbers(tmp_path / "journal") == [1, 3]
    assert [found.damage.reason for found in damages(tmp_path / "journal")] == [
        "a frame's checksum is wrong"
    ]
    assert writer.segment.read_bytes() == content


def test_a_segment_that_ends_too_soon_before_another_is_damaged_and_not_torn(
    tmp_path: Path, opened: Callable[..., JournalWriter]
) -> None:
    for number in (1, 2):
        writer = opened()
        writer.write([a_frame(number), a_frame(number + 10)])
        writer.close()
    for path in segments(tmp_path / "journal"):
        os.truncate(path, path.stat().st_size - 3)

    assert numbers(tmp_path / "journal") == [1, 2]
    assert [found.damage.is_torn for found in damages(tmp_path / "journal")] == [False, True]


def test_a_segment_that_is_gone_is_a_damage(
    tmp_path: Path, opened: Callable[..., JournalWriter]
) -> None:
    for number in range(3):
        writer = opened()
        writer.write([a_frame(number)])
        writer.close()
    segments(tmp_path / "journal")[1].unlink()

    assert [found.damage.reason for found in damages(tmp_path / "journal")] == [
        "segments 2 to 2 are gone"
    ]


def test_segments_that_a_living_run_lets_go_of_while_they_are_read_are_no_damage(
    tmp_path: Path, opened: Callable[..., JournalWriter]
) -> None:
    for number in range(4):
        writer = opened()
        writer.write([a_frame(number)])
        writer.close()
    reading = read_journal(tmp_path / "journal")
    first = next(reading)
    for path in segments(tmp_path / "journal")[:3]:
        path.unlink()

    assert [first, *reading] == [a_frame(0), a_frame(3)]


@pytest.mark.parametrize(
    ("retention", "left"),
    [
        (Retention(segments=3), 3),
        (Retention(megabytes=0), 1),
        (Retention(days=1), 1),
        (Retention(), 8),
    ],
)
def test_old_segments_go_by_count_by_size_and_by_age(
    tmp_path: Path,
    opened: Callable[..., JournalWriter],
    clock: Clock,
    retention: Retention,
    left: int,
) -> None:
    for _ in range(7):
        opened().close()
    for path in segments(tmp_path / "journal"):
        os.utime(path, ns=(clock.now_ns, clock.now_ns))
    clock.now_ns += 2 * DAY_NS

    opened(retention=retention).close()

    names = [path.name for path in segments(tmp_path / "journal")]
    assert len(names) == left
    assert names[-1] == "00000008.wkj"


def test_a_fence_keeps_all_from_being_written(
    tmp_path: Path, opened: Callable[..., JournalWriter]
) -> None:
    def taken() -> None:
        raise PermissionError("taken over")

    with pytest.raises(PermissionError):
        opened(fence=taken)
    assert segments(tmp_path / "journal") == []


def test_reading_one_segment_gives_its_frames(opened: Callable[..., JournalWriter]) -> None:
    writer = opened()
    writer.write([a_frame(7)])
    writer.close()

    assert list(read_segment(writer.segment)) == [a_frame(7)]


# ------------------------------------------------------------------ a disk that has no room


class Disk:
    """Takes so many bytes more; then none, until there is room again."""

    def __init__(self, patch: pytest.MonkeyPatch, room: int) -> None:
        self.room, self.may_cut = room, True
        self._write, self._cut = os.write, os.ftruncate
        patch.setattr("persistence.journal.os.write", self.write)
        patch.setattr("persistence.journal.os.ftruncate", self.ftruncate)

    def write(self, fd: int, content: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._write(fd, content[: self.room])
        self.room -= written
        return written

    def ftruncate(self, fd: int, size: int) -> None:
        if not self.may_cut:
            raise OSError(errno.EIO, "Input/output error")
        self._cut(fd, size)


@pytest.mark.parametrize("may_cut", [True, False])
@pytest.mark.parametrize("room", range(0, 104, 8))
def test_a_writer_goes_on_when_there_is_room_and_leaves_nothing_torn(
    tmp_path: Path,
    opened: Callable[..., JournalWriter],
    monkeypatch: pytest.MonkeyPatch,
    room: int,
    may_cut: bool,
) -> None:
    writer = opened()
    disk = Disk(monkeypatch, room)
    disk.may_cut = may_cut
    with pytest.raises(OSError, match="No space"):
        writer.write([a_frame(number) for number in (1, 2, 3)])
    kept = writer.written
    disk.room, disk.may_cut = 1 << 20, True

    writer.write([a_frame(4)])
    writer.close()

    assert numbers(tmp_path / "journal") == [*range(1, kept + 1), 4]
    assert damages(tmp_path / "journal") == []


def test_a_segment_that_could_not_be_begun_is_begun_when_there_is_room(
    tmp_path: Path, opened: Callable[..., JournalWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = opened(rotate_bytes=50)
    disk = Disk(monkeypatch, len(packed(a_frame(1))) + 30)
    with pytest.raises(OSError, match="No space"):
        writer.write([a_frame(1)])
    assert writer.written == 1
    disk.room = 1 << 20

    writer.write([a_frame(2)])
    writer.close()

    assert numbers(tmp_path / "journal") == [1, 2]
    assert damages(tmp_path / "journal") == []


def test_the_last_of_a_disk_is_left_to_others(
    tmp_path: Path, opened: Callable[..., JournalWriter]
) -> None:
    with pytest.raises(OSError, match="left to the ledger"):
        opened(reserve_bytes=1 << 60)
    assert segments(tmp_path / "journal") == []


def seals(folder: Path) -> list[bool | None]:
    """How each segment ends: it goes on in the next, it ended in order, or nobody says."""
    ends: list[bool | None] = []
    for path in segments(folder):
        *_, last = [a_frame(0), *read_segment(path, seals=True)]
        assert isinstance(last, Frame)
        ends.append(next_begun_ns(last) is not None if last.origin == SEAL else None)
    return ends


def test_a_segment_says_whether_it_is_whole_and_goes_on(
    tmp_path: Path, opened: Callable[..., JournalWriter]
) -> None:
    killed = opened(rotate_bytes=200)
    for number in range(6):
        killed.write([a_frame(number)])
    killed.close()
    orderly = opened()
    orderly.write([a_frame(7)])
    orderly.seal()
    orderly.close()

    *rotated, left, ended = seals(tmp_path / "journal")
    assert rotated
    assert all(rotated)
    assert (left, ended) == (None, False)
