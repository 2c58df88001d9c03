"""A NATS server's own kind of login: an operator, an account, and a user with a `.creds` file.

Its tokens are JWTs that are signed with Ed25519 (NATS' ADR-14); `nsc` makes them elsewhere.
"""

import base64
import binascii
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SEED, _OPERATOR, _ACCOUNT, _USER = 18 << 3, 14 << 3, 0, 20 << 3
"""What the first byte of a key says: S, O, A, U."""


class Key:
    """A key of NATS: its public half has a letter in front, and both a check behind."""

    def __init__(self, prefix: int) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.name = _checked(bytes([prefix]) + self._key.public_key().public_bytes_raw())
        head = bytes([_SEED | (prefix >> 5), (prefix & 31) << 3])
        self.seed = _checked(head + self._key.private_bytes_raw())

    def sign(self, what: bytes) -> bytes:
        return self._key.sign(what)


def _checked(raw: bytes) -> str:
    check = binascii.crc_hqx(raw, 0).to_bytes(2, "little")
    return base64.b32encode(raw + check).rstrip(b"=").decode()


def operator(folder: Path) -> tuple[Path, Path]:
    """Write a server's configuration, and the credentials of a user that it lets in."""
    kinds = {"operator": _OPERATOR, "account": _ACCOUNT, "system": _ACCOUNT, "user": _USER}
    keys = {name: Key(prefix) for name, prefix in kinds.items()}
    names = {name: key.name for name, key in keys.items()}
    signed = keys["operator"]
    of_account = {"type": "account", "limits": _NO_LIMITS}
    tokens = {
        "operator": _token(signed, names["operator"], {"type": "operator"}),
        "account": _token(signed, names["account"], of_account),
        "system": _token(signed, names["system"], {"type": "account", "limits": _OF_SYSTEM}),
        "user": _token(
            keys["account"], names["user"], {"type": "user", "subs": -1, "data": -1, "payload": -1}
        ),
    }
    settings = folder / "server.conf"
    settings.write_text(
        f"operator: {tokens['operator']}\nsystem_account: {names['system']}\nresolver: MEMORY\n"
        f"resolver_preload: {{ {names['account']}: {tokens['account']}\n"
        f"{names['system']}: {tokens['system']} }}\n"
    )
    credentials = folder / "bot.creds"
    credentials.write_text(
        f"-----BEGIN NATS USER JWT-----\n{tokens['user']}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{keys['user'].seed}\n"
        "------END USER NKEY SEED------\n"
    )
    return settings, credentials


_OF_SYSTEM = {
    **dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1),
    "wildcards": True,
}
_NO_LIMITS = _OF_SYSTEM | dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)


def _token(signer: Key, subject: str, claims: dict[str, Any]) -> str:
    body: dict[str, Any] = {
        "jti": subject,
        "iat": 1,
        "iss": signer.name,
        "sub": subject,
        "name": claims["type"],
        "nats": {"version": 2, **claims},
    }
    parts = [_part({"typ": "JWT", "alg": "ed25519-nkey"}), _part(body)]
    signed = ".".join(parts)
    return f"{signed}.{_text(signer.sign(signed.encode()))}"


def _part(what: dict[str, Any]) -> str:
    return _text(json.dumps(what).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
