"""What a bot is made of besides its place in the fleet file: its config, its strategies' files."""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from messages.errors import ConfigError
from ops.config import document_of, load
from strategies.siblings import code_files


def fingerprint(config: str) -> str:
    """Give a name to the contents of a bot's files: other bytes give another one.

    What a strategy's file imports is not looked at, but for what lies beside it; what cannot be
    read counts as empty.
    """
    hashed = blake2b(digest_size=16, person=b"bot files")
    own = [one for file in _strategy_files(Path(config)) for one in code_files(file)]
    for path in (Path(config), *own):
        content = _content(path)
        hashed.update(len(content).to_bytes(8, "big") + content)
    return hashed.hexdigest()


def problems_of(config: str) -> str:
    """Say what `start` would refuse in a config, its strategies' parameters aside."""
    try:
        load(Path(config))
    except ConfigError as error:
        return "; ".join(
            f"{config}: {problem.removeprefix(f'{config}: ')}" for problem in error.problems
        )
    return ""


def _strategy_files(config: Path) -> Iterator[Path]:
    """Name the files of its own strategies; a config with mistakes may have any shape."""
    try:
        strategies: Any = document_of(config).get("strategy")
    except ConfigError:
        return
    for one in strategies if isinstance(strategies, list) else ():
        uses = one.get("uses") if isinstance(one, dict) else None
        file, colon, _ = uses.rpartition(":") if isinstance(uses, str) else ("", "", "")
        if colon:
            beside = config.parent / file
            yield beside if beside.is_file() else Path(file)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() else b""  # a pipe would be waited for
    except (OSError, ValueError):
        return b""
