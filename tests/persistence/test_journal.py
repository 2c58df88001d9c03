"""The journal's bytes: cut anywhere, with any bit flipped, no message is ever a wrong one."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistence.frames import (
    HEADER_SIZE,
    LARGEST,
    LOST,
    SEAL,
    Damage,
    Frame,
    Header,
    Lost,
    frames_of,
    header_of,
    lost_frame,
    lost_of,
    next_begun_ns,
    packed,
    packed_header,
)
from persistence.journal import (
    TORN,
    Found,
    JournalWriter,
    Retention,
    read_journal,
    read_segment,
    segments,
)

FRAMES = st.lists(
    st.builds(
        Frame,
        origin=st.integers(0, 255),
        at_ns=st.integers(0, 2**63),
        path=st.sampled_from(["feeds/feed:ccxt", "execution/executor", ""]),
        payload=st.binary(max_size=60),
    ),
    max_size=6,
)
DAY_NS = 86_400 * 10**9


class Clock:
    def __init__(self) -> None:
        self.now_ns = 1_700_000_000 * 10**9

    def __call__(self) -> int:
        return self.now_ns


def segment_of(frames: list[Frame]) -> bytes:
    return packed_header(1, 5) + b"".join(map(packed, frames))


def whole(content: bytes) -> tuple[list[Frame], list[Damage]]:
    header = header_of(content)
    if isinstance(header, Damage):
        return [], [header]
    found = list(frames_of(content))
    frames = [item for item in found if isinstance(item, Frame)]
    return frames, [item for item in found if isinstance(item, Damage)]


@given(FRAMES)
def test_what_is_written_reads_back_as_it_was(frames: list[Frame]) -> None:
    assert whole(segment_of(frames)) == (frames, [])


@given(FRAMES, st.data())
def test_cut_at_any_byte_every_whole_frame_before_is_read(
    frames: list[Frame], data: st.DataObject
) -> None:
    content = segment_of(frames)
    cut = data.draw(st.integers(0, len(content)))
    ends = [len(segment_of(frames[:count])) for count in range(len(frames) + 1)]

    read, damages = whole(content[:cut])

    assert read == frames[: max(sum(end <= cut for end in ends) - 1, 0)]
    assert bool(damages) == (cut not in ends)
    assert all(damage.is_torn for damage in damages)


@given(FRAMES, st.data())
def test_with_any_bit_flipped_the_frames_before_are_read_and_the_damage_is_reported(
    frames: list[Frame], data: st.DataObject
) -> None:
    content = bytearray(segment_of(frames))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    intact = sum(len(segment_of(frames[: n + 1])) <= place for n in range(len(frames)))

    read, damages = whole(bytes(content))

    assert read == frames[:intact]
    (damage,) = damages
    assert damage.is_torn is reaches_beyond_the_end(bytes(content), place, damage.offset)


def reaches_beyond_the_end(content: bytes, place: int, begin: int) -> bool:
    """Whether the flipped bit is of a frame's length, which now says more than there is."""
    if begin < HEADER_SIZE or place >= begin + 4:
        return False
    length = int.from_bytes(content[begin : begin + 4], "big")
    return length <= LARGEST and begin + 8 + length > len(content)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(noise: bytes) -> None:
    frames, damages = whole(packed_header(1, 1) + noise)

    kept = b"".join(map(packed, frames))
    assert noise.startswith(kept)
    assert [damage.offset for damage in damages] == [HEADER_SIZE + len(kept)] * (kept != noise)
    assert whole(noise)[0] == [] or noise.startswith(b"WKJ1")


def test_zeros_where_the_end_was_to_be_are_a_torn_tail() -> None:
    frames, (damage,) = whole(segment_of([Frame(1, 2, "a", b"x")]) + bytes(4096))

    assert len(frames) == 1
    assert damage.is_torn


def test_a_later_schema_is_not_guessed_at() -> None:
    head = bytearray(packed_header(1, 5))
    assert isinstance(header_of(bytes(head)), Header)
    head[5] = 9

    assert isinstance(header_of(bytes(head)), Damage)


@pytest.mark.parametrize("frame", [Frame(1, 2, "a" * 256, b""), Frame(1, 2, "a", bytes(1 << 26))])
def test_what_is_too_long_for_a_frame_is_refused(frame: Frame) -> None:
    with pytest.raises(ValueError, match="bytes for a"):
        packed(frame)


# ------------------------------------------------------------------ a directory of them


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Callable[..., JournalWriter]:
    def open_one(**settings: object) -> JournalWriter:
        return JournalWriter(tmp_path / "journal", clock, **settings)  # type: ignore[arg-type]

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


def test_what_is_lost_is_told_with_its_beginning() -> None:
    assert lost_of(lost_frame(3, 5, 9)) == Lost(3, 5)
    assert lost_of(Frame(LOST, 9, "", b"\x03")) == Lost(3, None)  # as it was written before
