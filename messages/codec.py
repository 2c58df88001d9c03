"""Messages to bytes and back: MessagePack for the journal and the bus, JSON for what people read.

Both refuse an unknown tag, an unknown field and a wrong type. Money travels as strings.
"""

from functools import cache

import msgspec

from messages.catalogue import AnyMessage
from messages.errors import CodecError
from messages.learning import learn


@cache
def _decoders() -> tuple["msgspec.json.Decoder[AnyMessage]", "msgspec.msgpack.Decoder[AnyMessage]"]:
    learn(AnyMessage)
    return msgspec.json.Decoder(AnyMessage), msgspec.msgpack.Decoder(AnyMessage)


def to_json(message: AnyMessage) -> bytes:
    """Give one line of JSON, keys sorted, without the newline."""
    return msgspec.json.encode(message, order="sorted")


def from_json(line: bytes) -> AnyMessage:
    """Read what `to_json` gave.

    Raises:
        CodecError: these bytes are not one message of the catalogue; nothing is known.
    """
    return _decode(_decoders()[0], line)


def to_msgpack(message: AnyMessage) -> bytes:
    """Give the message as MessagePack."""
    return msgspec.msgpack.encode(message)


def from_msgpack(frame: bytes) -> AnyMessage:
    """Read what `to_msgpack` gave.

    Raises:
        CodecError: these bytes are not one message of the catalogue; nothing is known.
    """
    return _decode(_decoders()[1], frame)


def _decode(
    decoder: "msgspec.json.Decoder[AnyMessage] | msgspec.msgpack.Decoder[AnyMessage]", raw: bytes
) -> AnyMessage:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CodecError(f"not a message of the catalogue: {error}") from error
