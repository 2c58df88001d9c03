"""What goes between who searches and who tries: frames of msgpack, each behind its length."""

import socket
import struct
from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

import msgspec

from research.optimise.figures import Figures
from research.optimise.trial import Task

_LENGTH = struct.Struct("!I")


class End(StrEnum):
    """How a trial ended that did not come to its end."""

    REFUSED = "refused"
    """The strategy does not take these values."""
    GIVEN_UP = "given_up"
    """It was told to stop: not worth going on."""
    FAILED = "failed"
    """It raised, took too long, or took its process with it."""


class PartOver(msgspec.Struct, frozen=True, tag=True):
    """A part is over; the answer says whether to go on."""

    ticket: int
    part: int
    figures: Figures


class Done(msgspec.Struct, frozen=True, tag=True):
    """It came to its end."""

    ticket: int
    figures: Figures


class Ended(msgspec.Struct, frozen=True, tag=True):
    """It did not."""

    ticket: int
    how: End
    reason: str
    is_stuck: bool = False
    """Its worker is in a call that does not come back, and can make no other trial."""


class Answer(msgspec.Struct, frozen=True, tag=True):
    """To `PartOver`."""

    go_on: bool


Told = PartOver | Done | Ended

encode = msgspec.msgpack.encode
decode_told = msgspec.msgpack.Decoder(Told).decode


class Order(msgspec.Struct, frozen=True, tag=True):
    """Make this trial."""

    task: Task


decode_said = msgspec.msgpack.Decoder(Order | Answer).decode


class Pool(Protocol):
    """Who tries. One thread uses it."""

    @property
    def idle(self) -> int:
        """How many trials more can be begun now."""
        ...

    def begin(self, task: Task) -> None:
        """Begin one; `idle` was more than 0."""
        ...

    def wait(self, limit_s: float) -> list[Told]:
        """Give what was told meanwhile, or nothing after the limit."""
        ...

    def answer(self, ticket: int, *, go_on: bool) -> None:
        """Say whether a trial whose part is over shall go on."""
        ...

    def close(self) -> None:
        """End all of them at once; what they were at is lost to them, not to the study."""
        ...


def send(link: socket.socket, data: bytes) -> None:
    """Send a frame.

    Raises:
        OSError: the other end is gone.
    """
    link.sendall(_LENGTH.pack(len(data)) + data)


def frames(link: socket.socket) -> Iterator[bytes]:
    """Give frames until the other end is closed."""
    with link.makefile("rb") as stream:
        while len(head := stream.read(_LENGTH.size)) == _LENGTH.size:
            (size,) = _LENGTH.unpack(head)
            data = stream.read(size)
            if len(data) < size:
                return
            yield data


class Framer:
    """Puts what arrives together to frames."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the frames that are whole."""
        self._data += data
        while len(self._data) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._data)
            end = _LENGTH.size + size
            if len(self._data) < end:
                return
            yield bytes(self._data[_LENGTH.size : end])
            del self._data[:end]
