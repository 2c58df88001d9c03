"""A configuration with the values that a search has found: as it was, but for these."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import strategies
from messages.errors import ConfigError
from ops.config import document_of, load
from ops.config_write import to_toml

Params = Mapping[str, Mapping[str, Any]]


class ParamsWriter:
    """Writes it at the end; whether it can is found out now, before hours have passed.

    Raises:
        ConfigError: the file is there already, or cannot be made there.
    """

    def __init__(self, config: Path, target: Path) -> None:
        self._config, self._target = config, target
        if target.exists():
            raise ConfigError([f"--write {target}: there is such a file already: name another one"])
        if not target.parent.is_dir():
            raise ConfigError([f"--write {target}: there is no such folder as {target.parent}"])

    def __call__(self, params: Params) -> None:
        """Write it.

        Raises:
            ConfigError: it could not be read again as what it was meant to be.
        """
        document = copy.deepcopy(document_of(self._config))
        for strategy in document["strategy"]:
            if strategy["id"] in params:
                strategy["params"] = {**strategy.get("params", {}), **params[strategy["id"]]}
        if self._target.parent.resolve() != self._config.parent.resolve():
            _made_absolute(document, self._config)
        with self._target.open("x", encoding="utf-8") as file:
            file.write(to_toml(document))
        load(self._target, {}, strategies.check_params)


def _made_absolute(document: dict[str, Any], config: Path) -> None:
    """Keep what the file names where it is, when the new file lies elsewhere."""
    read = load(config, {}, strategies.check_params)
    for strategy, settings in zip(document["strategy"], read.strategies, strict=True):
        strategy["uses"] = settings.uses
    if read.feed.paths:
        document["feed"]["path"] = {
            symbol: [str(path) for path in paths] if isinstance(paths, list) else str(paths)
            for symbol, paths in read.feed.paths.items()
        }
