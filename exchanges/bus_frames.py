"""How market events stand on the bus: subjects, bytes, and the head of a stream. Pure.

A payload is one byte of version and a message of the catalogue in MessagePack. Names are
injective: nothing of a symbol can lead to the subject of another one.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

from exchanges.feed_settings import Channel
from messages.bus import BusFrame, BusPulse
from messages.codec import from_msgpack, to_msgpack
from messages.errors import CodecError
from messages.ids import Symbol
from messages.market import Candle, FeedEnded, FeedGap, Tick, Trade

VERSION = 1
LARGEST = 4_096
"""Bytes of a payload; a frame has some three hundred."""
STORED = (Channel.CANDLES, Channel.TRADES)
"""The channels that a stream keeps; a tick is only worth something now."""
_HEAD = "watchkeeper_"


class NoFrame(Exception):
    """A payload is nothing that a publisher of ours has written; the text says why."""


class StreamHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream says of itself, so that a bot knows it before the first event.

    It stands in the stream's metadata.
    """

    source: str
    """``ccxt:binance``, or which generated or recorded market it is."""
    clock: str
    """``real``, or ``market`` where time goes as fast as somebody wants."""
    timeframe: str
    symbols: tuple[Symbol, ...]
    channels: tuple[str, ...]
    version: str = str(VERSION)

    def metadata(self) -> dict[str, str]:
        """Give it as a stream's metadata."""
        fields = msgspec.structs.asdict(self)
        return {
            _HEAD + name: value if isinstance(value, str) else " ".join(value)
            for name, value in fields.items()
        }


def head_of(metadata: Mapping[str, str]) -> StreamHead | None:
    """Read a stream's metadata; None where no publisher of ours made it."""
    fields = {
        name.removeprefix(_HEAD): value
        for name, value in metadata.items()
        if name.startswith(_HEAD)
    }
    try:
        return StreamHead(
            source=fields["source"],
            clock=fields["clock"],
            timeframe=fields["timeframe"],
            symbols=tuple(map(Symbol, fields["symbols"].split())),
            channels=tuple(fields["channels"].split()),
            version=fields["version"],
        )
    except KeyError:
        return None


# ---------------------------------------------------------------- subjects


def stored_subjects(stream: str) -> list[str]:
    """Give what a stream of this name keeps."""
    return [*(f"{stream}.{channel}.>" for channel in STORED), end_subject(stream)]


def subject_of(stream: str, channel: str, symbol: Symbol) -> str:
    """Give the subject of one channel of one symbol."""
    return f"{stream}.{channel}.{symbol.replace('%', '%25').replace('.', '%2E')}"


def end_subject(stream: str) -> str:
    """Give where a recording says that it is over."""
    return f"{stream}.end"


def pulse_subject(stream: str) -> str:
    """Give where the publisher says that it is alive; no stream keeps that."""
    return f"{stream}.pulse"


def subjects_of(stream: str, channels: Iterable[str], symbols: Iterable[Symbol]) -> list[str]:
    """Give the stored subjects that somebody reads who follows these."""
    wanted, symbols = set(channels), tuple(symbols)
    stored = [c for c in STORED if c in wanted]
    each = [subject_of(stream, channel, symbol) for channel in stored for symbol in symbols]
    return [*each, end_subject(stream)]


def channel_of(event: object) -> Channel:
    """Give the channel that an event belongs to."""
    if isinstance(event, Candle):
        return Channel.CANDLES
    return Channel.TICKS if isinstance(event, Tick) else Channel.TRADES


# ---------------------------------------------------------------- payloads


def encoded(message: BusFrame | BusPulse) -> bytes:
    """Give the payload."""
    return bytes((VERSION,)) + to_msgpack(message)


def frame_of(stream: str, subject: str, payload: bytes) -> BusFrame:
    """Read a payload, and hold it against the subject that it came by.

    Raises:
        NoFrame: it is none, is of another version, or does not belong there.
    """
    message = _decoded(payload)
    if not isinstance(message, BusFrame):
        raise NoFrame("it is no market event")
    if subject != _where(stream, message):
        raise NoFrame("it is of another symbol or kind than its subject")
    return message


def pulse_of(payload: bytes) -> BusPulse:
    """Read a pulse.

    Raises:
        NoFrame: it is none, or of another version.
    """
    message = _decoded(payload)
    if not isinstance(message, BusPulse):
        raise NoFrame("it is no pulse")
    return message


def message_id(subject: str, frame: BusFrame, key: bytes) -> str:
    """Name a frame for JetStream's own deduplication.

    With a key that only the publisher knows: who could foretell a name could take it, and the
    server would drop the event as one that it had.
    """
    text = f"{subject}:{frame.sequence}".encode()
    return blake2b(text, digest_size=12, key=key).hexdigest()


def _where(stream: str, frame: BusFrame) -> str:
    match frame.what:
        case FeedEnded():
            return end_subject(stream)
        case Candle() | Tick() | Trade() | FeedGap():
            return subject_of(stream, channel_of(frame.what), frame.what.symbol)


def _decoded(payload: bytes) -> object:
    if not payload or payload[0] != VERSION:
        raise NoFrame("it is no payload of version 1")
    try:
        return from_msgpack(payload[1:])
    except CodecError as error:
        raise NoFrame(str(error)[:120]) from error
