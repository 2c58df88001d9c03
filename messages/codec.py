"""Messages to bytes and back, as the journal and the bus carry them: MessagePack.

An unknown tag, an unknown field and a wrong type are refused. Money travels as strings.
"""

from functools import cache

import msgspec

from messages.catalogue import AnyMessage
from messages.errors import CodecError
from messages.learning import learn


@cache
def _decoder() -> "msgspec.msgpack.Decoder[AnyMessage]":
    learn(AnyMessage)
    return msgspec.msgpack.Decoder(AnyMessage)


def to_msgpack(message: AnyMessage) -> bytes:
    """Give the message as MessagePack."""
    return msgspec.msgpack.encode(message)


def from_msgpack(frame: bytes) -> AnyMessage:
    """Read what `to_msgpack` gave.

    Raises:
        CodecError: these bytes are not one message of the catalogue; nothing is known.
    """
    try:
        return _decoder().decode(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CodecError(f"not a message of the catalogue: {error}") from error
