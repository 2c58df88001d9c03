"""Which names and values are secrets, and how they are shown: not at all."""

import re
from collections.abc import Iterable, Mapping

MASK = "***"

_SECRET_NAME = re.compile(
    r"api_?key|secret|passw|passphrase|private_?key|credential|authorization|mnemonic|twofa"
    r"|(access|auth|bearer|api|session)_?token|^token$",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"_(env|file)$")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_URL_LOGIN = re.compile(r"(?<=://)[^/\s]+(?=@)")
"""Up to the last one: in a password an ``@`` need not be spelled otherwise."""
_SHORTEST_WORTH_HIDING = 4


def is_secret_name(key: str) -> bool:
    """Whether a value under this key is a secret; ``api_key_env`` only says where one is."""
    return bool(_SECRET_NAME.search(key)) and not _REFERENCE.search(key)


def is_variable_name(text: str) -> bool:
    """Whether this can name an environment variable and does not look like a key itself."""
    mixed = any(c.islower() for c in text) and any(c.isupper() for c in text)
    random = len(text) >= 20 and mixed and any(c.isdigit() for c in text)
    return bool(_VARIABLE.fullmatch(text)) and not random and len(text) <= 64


def masked(value: object, key: str = "") -> object:
    """Give the value as it may be shown: secrets by name and logins in URLs replaced."""
    if isinstance(value, Mapping):
        return {name: masked(item, str(name)) for name, item in value.items()}
    if is_secret_name(key):
        return MASK
    if isinstance(value, list | tuple):
        return [masked(item, key) for item in value]
    return without_logins(value) if isinstance(value, str) else value


def without_logins(text: str) -> str:
    """Give the text with the name and the password of each address in it replaced."""
    return _URL_LOGIN.sub(MASK, text) if "://" in text else text


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Give the text with each of these values replaced; very short ones would hit words."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_WORTH_HIDING:
            text = text.replace(secret, MASK)
    return text
