"""Secrets that stand in files: where `NAME_FILE` names one, its text is the value of `NAME`.

Docker, Kubernetes and systemd mount secrets as files, which no `docker inspect` and no manifest
shows. A configuration names the variable all the same; nothing else of the program knows where
the value came from.
"""

import os
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path

from messages.errors import ConfigError

SUFFIX = "_FILE"
_LONGEST = 65_536
"""Bytes. A private key has some thousand."""


def take_secret_files(
    names: Iterable[str], environment: MutableMapping[str, str] = os.environ
) -> None:
    """Set each of these variables that has a file, for all that reads the environment later.

    One that has none loses the white space around it: with it, a key would be another account.

    Raises:
        ConfigError: one sentence for each that cannot be had; see `secret`.
    """
    problems: list[str] = []
    for name in dict.fromkeys(names):
        try:
            value = secret(name, environment)
            if value or name in environment:
                environment[name] = value
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


def secret(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """Give the value of a variable, or what its file holds; without white space around it.

    Raises:
        ConfigError: the file cannot be read, holds no secret, or the variable says otherwise;
            it is no text.
    """
    given, path = environment.get(name, "").strip(), environment.get(name + SUFFIX, "")
    if not _is_text(given):
        raise ConfigError([f"{name}: it is not UTF-8 text: export it again"])
    if not path:
        return given
    try:
        value = _read(Path(path))
    except (OSError, ValueError) as error:
        why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
        raise ConfigError([f"{name}{SUFFIX}: {path}: {why}"]) from error
    if given not in ("", value):
        raise ConfigError([f"{name}{SUFFIX}: {name} is set too, to something else: unset one"])
    return value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(_LONGEST + 1)
    if len(raw) > _LONGEST:
        raise ValueError(f"a secret has at most {_LONGEST} bytes: is this the right file?")
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    if not text or "\0" in text:
        raise ValueError("there is no secret in it")
    return text
