"""Every value of a run that must never be written: keys, logins, addresses that hold a token."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from ops.config import Config
from ops.secret_names import is_secret_name

_SHORTEST_LINE = 16
_SHORTEST_PART = 6


def secrets_of(config: Config) -> list[str]:
    """Give the secrets of a run in every spelling that a line could have, longest first."""
    plain = [os.environ.get(name, "") for name in config.venue.secret_variables]
    plain += [*_named(config.venue.ccxt), *_named(config.feed.ccxt)]
    urls = os.environ.get(config.alerts.urls_env, "").split()
    plain += [part for url in urls for part in secret_parts(url)]
    return spellings(plain)


def spellings(plain: Iterable[str]) -> list[str]:
    """Give each value as it is, in an address, as text in quotes, and line by line."""
    found: set[str] = set()
    for value in filter(None, plain):
        lines = [line for line in value.splitlines() if len(line) >= _SHORTEST_LINE]
        for part in (value, value.strip(), *lines):
            found |= {part, quote(part), quote(part, safe=""), quote_plus(part), repr(part)[1:-1]}
    return sorted(found - {""}, key=lambda text: (-len(text), text))


def secret_parts(url: str) -> Iterator[str]:
    """Give an address whose parts are secrets, and those parts: login, path, query, and the place.

    The place is one only where it is no address: in ``tgram://TOKEN/CHAT`` it is the token.
    """
    yield url
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    host = parts.netloc.rpartition("@")[2]
    wanted = [parts.username, parts.password, *parts.path.split("/")]
    wanted += [value for _, value in parse_qsl(parts.query)]
    if not is_place(host):
        wanted.append(host)
    for part in wanted:
        if part and len(part) >= _SHORTEST_PART:
            yield from {part, unquote(part)}


def is_place(host: str) -> bool:
    """Whether this names a machine: this one, or a name or number with dots, or IPv6."""
    name = host.partition(":")[0]
    return name == "localhost" or "." in name or host.startswith("[")


def _named(settings: Mapping[str, Any]) -> Iterator[str]:
    """Give what stands in a table under a secret's name, and the password of an address."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _named(value)
        elif isinstance(value, str) and is_secret_name(str(key)):
            yield value
        elif isinstance(value, str) and "://" in value:
            yield _password_in(value)


def _password_in(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""
