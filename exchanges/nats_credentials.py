"""A `.creds` file of NATS: a token that says who we are, and a key that signs what the server asks.

The key never leaves this process. Signed with `cryptography`, which has wheels, and not with NATS'
own `nkeys`, which has none; nats-py would also look for the beginning of a token without end.
"""

import base64
import binascii
import re
from pathlib import Path
from typing import Any

from exchanges.nats_reading import NotLetIn
from messages.errors import VenueRefused
from messages.extras import how_to_install

_PARTS = (
    re.compile(rb"-BEGIN NATS USER JWT-+\s+(\S+)\s"),
    re.compile(rb"-BEGIN USER NKEY SEED-+\s+(\S+)\s"),
)
_LONGEST = 65_536
"""Bytes; such a file has about one thousand."""
_HEAD, _SEED, _CHECK = 2, 32, 2
"""Bytes of a seed: what it is of, the key itself, and the check of both."""


def signing_with(path: str) -> dict[str, Any]:
    """Give what nats-py asks for a token and for a signature.

    Raises:
        NotLetIn: the file cannot be read, or is no such file.
        VenueRefused: `cryptography` is not installed.
    """
    token, seed = _parts(path)
    key = _key(seed, path)

    def sign(nonce: str) -> bytes:
        signed: bytes = key.sign(nonce.encode())
        return base64.b64encode(signed)

    return {"user_jwt_cb": lambda: bytearray(token), "signature_cb": sign}


def _parts(path: str) -> tuple[bytes, bytes]:
    try:
        with Path(path).open("rb") as file:
            text = file.read(_LONGEST)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise NotLetIn(f"the credentials in {path} cannot be read: {why}") from error
    token, seed = (part.search(text + b"\n") for part in _PARTS)
    if token is None or seed is None:
        raise NotLetIn(f"there are no credentials in {path}")
    return token[1], seed[1]


def _key(seed: bytes, path: str) -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        text = f"cryptography is not installed: {how_to_install('nats')}"
        raise VenueRefused(text) from error
    try:
        raw = base64.b32decode(seed + b"=" * (-len(seed) % 8))
    except binascii.Error:
        raw = b""
    body, check = raw[:-_CHECK], raw[-_CHECK:]
    if len(body) != _HEAD + _SEED or binascii.crc_hqx(body, 0) != int.from_bytes(check, "little"):
        raise NotLetIn(f"the key in {path} is damaged")
    return Ed25519PrivateKey.from_private_bytes(body[_HEAD:])
