"""Which account a key opens, as a name that may stand in a file: it holds no part of the key."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from messages.errors import ConfigError

_DIGITS = 16
"""Of the hash. A key is as long as a password never is, so that nobody finds it by trying; who
has the key already could recognise the name, and has no use for that."""


def account_name(exchange: str, api_key: str, ccxt: Mapping[str, Any]) -> str:
    """Name the account that a key opens at an exchange.

    Two addresses of one exchange are one account. On loopback the address counts, with its
    port: two local exchanges are two, whatever their play keys. So does the sandbox.
    """
    parts = ["watchkeeper account 1", exchange, api_key, str(bool(ccxt.get("sandbox")))]
    parts += sorted(_loopback_addresses(ccxt.get("urls")))
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_DIGITS]
    return f"{re.sub(r'[^a-z0-9]', '', exchange.lower())}-{digest}"


def default_lease_dir(environment: Mapping[str, str]) -> Path:
    """Give where the leases of this user stand: one place for all run directories.

    Raises:
        ConfigError: this user has no home.
    """
    state = environment.get("XDG_STATE_HOME", "")
    try:
        root = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise ConfigError(["venue.lease_dir: is needed, for this user has no home"]) from error
    return root / "watchkeeper" / "accounts"


def _loopback_addresses(urls: object) -> Iterator[str]:
    if isinstance(urls, Mapping):
        for inner in urls.values():
            yield from _loopback_addresses(inner)
    elif isinstance(urls, str):
        try:
            parts = urlsplit(urls)
            if _is_loopback(parts.hostname or ""):
                yield parts.netloc.rpartition("@")[2]
        except ValueError:
            return


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
