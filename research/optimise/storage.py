"""Where a study is kept: a SQLite file of one process, or a PostgreSQL database of many."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from messages.errors import ConfigError
from messages.extras import how_to_install

_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_SQLITE = "sqlite:///"


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two; `url` may hold a password and is never shown, `shown` is."""

    url: str
    shown: str
    file: Path | None
    """Of SQLite."""


def storage_of(
    given: str | None, variable: str | None, default: Path, environment: Mapping[str, str]
) -> Storage:
    """Find out where the study is.

    `given` comes from the command line, where everybody on the machine can read it; `variable`
    names an environment variable that holds the same.

    Raises:
        ConfigError: it is nowhere, a password is on the command line, or its driver is missing.
    """
    if given is not None and variable is not None:
        raise ConfigError(["--storage and --storage-env are two ways to say one thing: take one"])
    if variable is not None:
        url = environment.get(variable, "")
        if not url:
            text = f"--storage-env {variable}: there is no such variable, or nothing is in it"
            raise ConfigError([text])
        return _of_url(url)
    if given is None:
        return _of_file(default)
    if _has_password(given):
        text = (
            "--storage: a password on the command line is seen by every user of the machine:"
            " put the URL into an environment variable and name that with --storage-env"
        )
        raise ConfigError([text])
    return _of_url(given)


def _of_url(url: str) -> Storage:
    if url.startswith(_SQLITE):
        return _of_file(Path(url.removeprefix(_SQLITE)))
    if "://" not in url and url.endswith(".db"):
        return _of_file(Path(url))
    scheme, _, rest = url.partition("://")
    if scheme not in _POSTGRES or not rest:
        text = (
            f"the storage is neither sqlite:///FILE.db nor postgresql://HOST/NAME ({scheme[:20]})"
        )
        raise ConfigError([text])
    if find_spec("psycopg") is None:
        text = f"a study in PostgreSQL takes psycopg: {how_to_install('postgres')}"
        raise ConfigError([text])
    parts = urlsplit(f"postgresql://{rest}")
    shown = f"postgresql://{parts.hostname or ''}{parts.path}"
    return Storage(url=f"postgresql+psycopg://{rest}", shown=shown, file=None)


def _of_file(path: Path) -> Storage:
    if not path.name or path.is_dir():
        raise ConfigError([f"the storage names no file: say sqlite:///FILE.db, not {path}"])
    return Storage(url=f"{_SQLITE}{path.absolute()}", shown=str(path), file=path)


def _has_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.password is not None or "password" in parse_qs(parts.query)
    except ValueError:
        return True
