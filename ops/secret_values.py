"""Every value of a run that must never be written: keys, logins, addresses that hold a token."""

import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from messages.errors import ConfigError, WatchkeeperError
from messages.texts import writable
from ops.config import Config
from ops.secret_names import MASK, is_secret_name, without_logins, without_secrets
from persistence.postgres.passwords import passwords_in
from persistence.secret_files import secret

_PASSWORD = re.compile(r"password\s*=\s*(?:'([^']*)'|([^\s&]+))")
_SHORTEST_LINE = 16
_SHORTEST_PART = 6
_CUT = "..."
"""What a text ends with that was too long."""
_SHORTEST_BEGINNING = 8
_SCHEMES_WITH_A_PLACE = ("json", "xml", "form", "mailto", "gotify")
"""Of these, and with an ``s`` behind, apprise takes the host as a machine and never as a token."""


def secret_variables(config: Config) -> list[str]:
    """Give the names of all environment variables that hold a secret of this run."""
    named = [*config.venue.secret_variables, config.metrics.http_token_env or ""]
    named += config.feed.nats.secret_variables if config.feed.nats else ()
    named += [name for one in config.strategies for name in _variables(one.params)]
    return [name for name in (*named, config.alerts.urls_env) if name]


def secrets_of(config: Config) -> list[str]:
    """Give the secrets of a run in every spelling that a line could have, longest first.

    Raises:
        ConfigError: the file with the address of the database cannot be read.
    """
    named = secret_variables(config)
    plain = [os.environ.get(name, "") for name in named if name != config.alerts.urls_env]
    plain += [*_named(config.venue.ccxt), *_named(config.feed.ccxt)]
    urls = os.environ.get(config.alerts.urls_env, "").split()
    plain += [part for url in urls for part in secret_parts(url)]
    if config.idempotency.database_url_env:
        plain += _of_database(secret(config.idempotency.database_url_env))
    return spellings(plain)


def cleaner(secrets: Collection[str]) -> Callable[[str], str]:
    """Give what takes these values out of a text, also one that was cut within such a value.

    What comes out can be written down, whoever wrote what went in.
    """

    def clean(text: str) -> str:
        text = without_logins(without_secrets(text, secrets))
        return writable(_without_beginnings(text, secrets) if _CUT in text else text)

    return clean


@contextmanager
def clean_refusals(secrets: Collection[str]) -> Iterator[None]:
    """Take these values out of the sentence with which a start is refused."""
    try:
        yield
    except WatchkeeperError as error:
        clean = cleaner(secrets)
        error.args = tuple(clean(one) if isinstance(one, str) else one for one in error.args)
        if isinstance(error, ConfigError):
            error.problems[:] = map(clean, error.problems)
        raise


def _without_beginnings(text: str, secrets: Collection[str]) -> str:
    for one in secrets:
        for length in range(len(one) - 1, _SHORTEST_BEGINNING - 1, -1):
            text = text.replace(one[:length] + _CUT, MASK + _CUT)
    return text


def spellings(plain: Iterable[str]) -> list[str]:
    """Give each value as it is, in an address, in quotes (Python's, JSON's), and line by line."""
    found: set[str] = set()
    for value in filter(None, plain):
        lines = [line for line in value.splitlines() if len(line) >= _SHORTEST_LINE]
        for part in (value, value.strip(), *lines):
            found |= {part, quote(part), quote(part, safe=""), quote_plus(part), repr(part)[1:-1]}
            found |= {json.dumps(part, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)}
    return sorted(found - {""}, key=lambda text: (-len(text), text))


def secret_parts(url: str) -> Iterator[str]:
    """Give an address whose parts are secrets, and those parts: login, path, query, and the place.

    The place is one unless it surely is a machine: in ``pbul://o.TOKEN`` it is the token.
    """
    yield url
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    host = parts.netloc.rpartition("@")[2]
    wanted = [parts.username, parts.password, *parts.path.split("/")]
    wanted += [value for _, value in parse_qsl(parts.query)]
    if not is_place(parts.scheme, host):
        wanted.append(host)
    for part in wanted:
        if part and len(part) >= _SHORTEST_PART:
            yield from {part, unquote(part)}


def is_place(scheme: str, host: str) -> bool:
    """Whether this surely names a machine: this one, a number, or a name where none is a token."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name == "localhost" or _is_number(name):
        return True
    return scheme.removesuffix("s") in _SCHEMES_WITH_A_PLACE and "." in name


def _is_number(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _variables(params: Mapping[str, Any]) -> Iterator[str]:
    """Give the variables that a strategy's parameters name: those that end in ``_env``."""
    return (value for key, value in _texts(params) if key.endswith("_env"))


def _named(settings: Mapping[str, Any]) -> Iterator[str]:
    """Give what stands in a table under a secret's name, and the password of an address."""
    for key, value in _texts(settings):
        if is_secret_name(key):
            yield value
        elif "://" in value:
            password = _password_in(value)
            yield from {password, unquote(password)}


def _texts(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Give each text in tables and lists, however deep, with the name that it stands under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts(item, str(name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, key)


def _of_database(address: str) -> Iterator[str]:
    """Give an address, and the passwords in it: an URL's, each ``password=`` among words.

    And those that the driver itself reads out of it.
    """
    yield address
    found = {_password_in(address), *filter(None, chain(*_PASSWORD.findall(address)))}
    found |= {unquote(one) for one in found}
    yield from found | passwords_in(address)


def _password_in(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""
