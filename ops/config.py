"""The configuration of a run: read from a file, or the demo's, all mistakes at once."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from messages.errors import ConfigError
from ops.config_parse import parse
from ops.config_schema import (
    Config,
    FeedConfig,
    FeedType,
    IdempotencyBackend,
    IdempotencyConfig,
    MetricsConfig,
    Mode,
    OnDifference,
    RiskConfig,
    StrategyConfig,
    SupervisionConfig,
    VenueConfig,
    VenueType,
)
from ops.config_strategies import CheckParams
from ops.config_write import effective_toml
from ops.run_files import EFFECTIVE_CONFIG
from ops.run_state import read_regular

__all__ = [
    "CheckParams",
    "Config",
    "FeedConfig",
    "FeedType",
    "IdempotencyBackend",
    "IdempotencyConfig",
    "MetricsConfig",
    "Mode",
    "OnDifference",
    "RiskConfig",
    "StrategyConfig",
    "SupervisionConfig",
    "VenueConfig",
    "VenueType",
    "demo_config",
    "document_of",
    "effective_toml",
    "live_config",
    "load",
    "parse",
]

_LONGEST_BYTES = 1_000_000
"""Of a config; a recording or a device that is named in its place need not be read to its end."""

_DEMO = """
name = "demo"

[feed]
type = "demo"
symbols = ["BTC/USDT"]

[[strategy]]
id = "sma-1"
uses = "sma_cross"
[strategy.params]
fast = 5
slow = 15
"""

_LIVE = """
name = "live"

[feed]
type = "ccxt"

[[strategy]]
id = "sma-1"
uses = "sma_cross"
[strategy.params]
fast = 10
slow = 30
"""


def load(
    path: Path,
    overrides: Mapping[str, object] | None = None,
    check_params: CheckParams | None = None,
) -> Config:
    """Read a file. An override goes by its key, ``feed.speed``, and counts as if it stood there.

    Raises:
        ConfigError: with one sentence per mistake.
    """
    document = _with_overrides(document_of(path), overrides or {})
    try:
        return parse(document, path.parent, check_params)
    except RecursionError as error:
        raise ConfigError([f"{path}: has tables within tables that are too deep"]) from error


def demo_config(
    overrides: Mapping[str, object] | None = None, check_params: CheckParams | None = None
) -> Config:
    """Give what `start` runs without a file: a made-up market that needs no network.

    Raises:
        ConfigError: an override is wrong.
    """
    return parse(_with_overrides(tomllib.loads(_DEMO), overrides or {}), Path(), check_params)


def live_config(overrides: Mapping[str, object], check_params: CheckParams | None = None) -> Config:
    """Give what `start --exchange` runs without a file: a live market on the paper venue.

    Raises:
        ConfigError: an override is wrong, or none names the exchange.
    """
    return parse(_with_overrides(tomllib.loads(_LIVE), overrides), Path(), check_params)


def document_of(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: one sentence about why it cannot be read.
    """
    try:
        written = _bytes_of(path)
        if len(written) > _LONGEST_BYTES:
            raise ConfigError([f"{path}: is longer than {_LONGEST_BYTES} bytes: no config is"])
        return tomllib.loads(written.decode("utf-8-sig"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError([f"{path}: cannot be read: {reason}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text (byte {error.start})"]) from error
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise ConfigError([f"{path}: is not TOML: {error}"]) from error


def _bytes_of(path: Path) -> bytes:
    """Read what there is; a pipe is waited for, but not where a run keeps a file of its own."""
    if path.name == EFFECTIVE_CONFIG:
        return read_regular(path, _LONGEST_BYTES)
    with path.open("rb") as file:
        return file.read(_LONGEST_BYTES + 1)


def _with_overrides(document: dict[str, Any], overrides: Mapping[str, object]) -> dict[str, Any]:
    changed = dict(document)
    for path, value in overrides.items():
        *tables, key = path.split(".")
        table: Any = changed
        for name in tables:
            table[name] = dict(table[name]) if isinstance(table.get(name), dict) else {}
            table = table[name]
        table[key] = str(value) if isinstance(value, Path) else value
    return changed
