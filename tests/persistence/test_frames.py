"""The journal's bytes: cut anywhere, with any bit flipped, no message is ever a wrong one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistence.frames import (
    HEADER_SIZE,
    LARGEST,
    LOST,
    Damage,
    Frame,
    Header,
    Lost,
    frames_of,
    header_of,
    lost_frame,
    lost_of,
    packed,
    packed_header,
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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_what_is_lost_is_told_with_its_beginning() -> None:
    assert lost_of(lost_frame(3, 5, 9)) == Lost(3, 5)
    assert lost_of(Frame(LOST, 9, "", b"\x03")) == Lost(3, None)  # as it was written before
