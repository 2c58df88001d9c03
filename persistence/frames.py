"""The bytes of a journal: a header for each segment, a checksum for each frame. Pure.

A segment begins with ``WKJ1``, the schema, its number, the moment of its beginning (UTC ns), and
a CRC-32 of those. A frame is its length, a CRC-32 of all that follows, its origin, the moment
(UTC ns), the path of the actor it was for, and the message as MessagePack. All numbers are big
endian. A frame is whole or it is damage: nothing between is ever given.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

SCHEMA = 1
MAGIC = b"WKJ1"
_HEADER = struct.Struct(">4sHQQ")
_CRC = struct.Struct(">I")
HEADER_SIZE = _HEADER.size + _CRC.size
_FRONT = struct.Struct(">II")
_FIXED = struct.Struct(">BQB")
LARGEST = 1 << 26
"""Bytes of one frame; a length beyond it is damage, not a message."""
LOST = 0
"""The origin of a frame that says how many messages could not be kept before it."""
SEAL = 255
"""The origin of a segment's last frame: nothing that was taken before it is missing behind it."""


class Header(NamedTuple):
    """What a segment says of itself."""

    schema: int
    number: int
    begun_ns: int


class Frame(NamedTuple):
    """One message, not decoded. `origin` is an `Origin`, or `LOST`, or `SEAL`."""

    origin: int
    at_ns: int
    path: str
    payload: bytes


class Lost(NamedTuple):
    """What a `LOST` frame says: so many messages between a moment and that of the frame."""

    messages: int
    since_ns: int | None
    """UTC; None in a journal of before this was noted."""


class Damage(NamedTuple):
    """From `offset` on a segment can't be read. `is_torn`: it ends there, as a kill leaves it."""

    offset: int
    reason: str
    is_torn: bool


def packed_header(number: int, begun_ns: int) -> bytes:
    """Give the beginning of a segment."""
    head = _HEADER.pack(MAGIC, SCHEMA, number, begun_ns)
    return head + _CRC.pack(zlib.crc32(head))


def packed(frame: Frame) -> bytes:
    """Give a frame's bytes.

    Raises:
        ValueError: the path or the message is too long for one.
    """
    path = frame.path.encode()
    if len(path) > 255 or len(frame.payload) > LARGEST - 512:
        raise ValueError(f"a message of {len(frame.payload)} bytes for {frame.path}")
    body = _FIXED.pack(frame.origin, frame.at_ns, len(path)) + path + frame.payload
    return _FRONT.pack(len(body), zlib.crc32(body)) + body


def fits(frame: Frame) -> bool:
    """Whether the path and the message have room in a frame."""
    return len(frame.path.encode()) <= 255 and len(frame.payload) <= LARGEST - 512


def lost_frame(count: int, since_ns: int, at_ns: int) -> Frame:
    """Say that messages are missing, of between two moments (UTC ns)."""
    return Frame(LOST, at_ns, "", msgspec.msgpack.encode((count, since_ns)))


def lost_of(frame: Frame) -> Lost:
    """Read a `LOST` frame.

    Raises:
        msgspec.MsgspecError: it says nothing that can be understood.
    """
    said = msgspec.msgpack.decode(frame.payload, type=int | tuple[int, int])
    return Lost(said, None) if isinstance(said, int) else Lost(*said)


def seal_frame(at_ns: int, next_begun_ns: int | None) -> Frame:
    """Say that a segment is whole, and when the next one begins that the same process writes.

    None where it ended in order. The number alone tells nothing: a next process gives it anew
    where a kill had not left even the header.
    """
    return Frame(SEAL, at_ns, "", msgspec.msgpack.encode(next_begun_ns))


def next_begun_ns(seal: Frame) -> int | None:
    """Say when the next segment begins, as a seal has it."""
    return msgspec.msgpack.decode(seal.payload, type=int | None)


def header_of(content: bytes) -> Header | Damage:
    """Read the beginning of a segment."""
    if len(content) < HEADER_SIZE:
        return Damage(0, "the header is cut short", is_torn=True)
    head = content[: _HEADER.size]
    (crc,) = _CRC.unpack_from(content, _HEADER.size)
    magic, schema, number, begun_ns = _HEADER.unpack(head)
    if magic != MAGIC or crc != zlib.crc32(head):
        return Damage(0, "this is not the header of a journal", is_torn=not any(content))
    if schema > SCHEMA:
        return Damage(0, f"it was written by a later version (schema {schema})", is_torn=False)
    return Header(schema, number, begun_ns)


def frames_of(content: bytes, offset: int = HEADER_SIZE) -> Iterator[Frame | Damage]:
    """Give the whole frames from a place on, then the damage if there is one."""
    view = memoryview(content)
    while offset < len(content):
        found = _frame_at(view, offset)
        if isinstance(found, Damage):
            yield found
            return
        frame, offset = found
        yield frame


def _frame_at(view: memoryview, offset: int) -> tuple[Frame, int] | Damage:
    body_at = offset + _FRONT.size
    if body_at > len(view):
        return Damage(offset, "a frame is cut short", is_torn=True)
    length, crc = _FRONT.unpack_from(view, offset)
    end = body_at + length
    if not _FIXED.size <= length <= LARGEST:
        # A disk that lost its power may leave zeros where the end was to be.
        is_torn = not any(view[offset:])
        return Damage(offset, f"a frame of {length} bytes cannot be", is_torn=is_torn)
    if end > len(view):
        return Damage(offset, "a frame is cut short", is_torn=True)
    body = view[body_at:end]
    if zlib.crc32(body) != crc:
        return Damage(offset, "a frame's checksum is wrong", is_torn=False)
    origin, at_ns, path_size = _FIXED.unpack_from(body)
    path_end = _FIXED.size + path_size
    if path_end > length:
        return Damage(offset, "a frame's path is longer than the frame", is_torn=False)
    path = bytes(body[_FIXED.size : path_end]).decode(errors="replace")
    return Frame(origin, at_ns, path, bytes(body[path_end:])), end
