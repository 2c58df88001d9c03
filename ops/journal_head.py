"""What a process says of itself at the head of each segment of its journal."""

import os
import sys
from hashlib import blake2b
from pathlib import Path

import strategies
from messages.errors import ConfigError
from messages.recorded import RunBegun, StrategySettings
from ops.config import Config, StrategyConfig, VenueType
from ops.config_write import to_toml
from ops.software import installed
from ops.wiring_execution import account_of
from strategies.siblings import code_of


def run_begun(config: Config, started_ns: int) -> RunBegun:
    """Say with which settings, and which code, strategies begin."""
    return RunBegun(
        process=f"{os.getpid()}-{started_ns}",
        version=installed() or "",
        account=account_of(config, is_live=config.venue.type is VenueType.CCXT),
        is_replayed=not config.feed.is_live,
        timeframe_ns=config.feed.timeframe_ns,
        strategies=tuple(map(_settings, config.strategies)),
    )


def _settings(one: StrategyConfig) -> StrategySettings:
    return StrategySettings(
        id=one.id,
        uses=one.uses,
        params=to_toml(one.params),
        symbols=one.symbols,
        order_notional=one.order_notional,
        code=code_hash(one.uses),
    )


def code_hash(uses: str) -> str:
    """Hash the file that a strategy's class stands in, and what it imports from beside it.

    Empty where it stands in none.
    """
    try:
        module = strategies.strategy_class(uses).__module__
        file = getattr(sys.modules.get(module), "__file__", None)
        return blake2b(code_of(Path(file)), digest_size=8).hexdigest() if file else ""
    except (ConfigError, OSError):
        return ""
