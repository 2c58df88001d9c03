"""A NATS server's own kind of login: an operator, an account, and a user with a `.creds` file.

Its tokens are JWTs that are signed with Ed25519 (NATS' ADR-14); `nsc` makes them elsewhere.
"""

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import nkeys
from nacl.signing import SigningKey


def operator(folder: Path) -> tuple[Path, Path]:
    """Write a server's configuration, and the credentials of a user that it lets in."""
    kinds = {
        "operator": nkeys.PREFIX_BYTE_OPERATOR,
        "account": nkeys.PREFIX_BYTE_ACCOUNT,
        "system": nkeys.PREFIX_BYTE_ACCOUNT,
        "user": nkeys.PREFIX_BYTE_USER,
    }
    keys = {
        name: nkeys.from_seed(bytearray(nkeys.encode_seed(bytes(SigningKey.generate()), prefix)))
        for name, prefix in kinds.items()
    }
    names = {name: key.public_key.decode() for name, key in keys.items()}
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
        f"-----BEGIN USER NKEY SEED-----\n{keys['user'].seed.decode()}\n"
        "------END USER NKEY SEED------\n"
    )
    return settings, credentials


_OF_SYSTEM = {
    **dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1),
    "wildcards": True,
}
_NO_LIMITS = _OF_SYSTEM | dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)


def _token(signer: Any, subject: str, claims: dict[str, Any]) -> str:
    body: dict[str, Any] = {
        "jti": hashlib.sha256(os.urandom(8)).hexdigest(),
        "iat": 1,
        "iss": signer.public_key.decode(),
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
