"""The configuration as it takes effect: with the defaults of each strategy's own parameters."""

import msgspec

import strategies
from ops.config import Config, StrategyConfig, effective_toml


def effective_text(config: Config) -> str:
    """Give it as TOML that means the same, secrets masked.

    Raises:
        ConfigError: there is no such strategy, or its file cannot be used.
    """
    spelled_out = tuple(map(_spelled_out, config.strategies))
    return effective_toml(msgspec.structs.replace(config, strategies=spelled_out))


def _spelled_out(one: StrategyConfig) -> StrategyConfig:
    params = strategies.all_params(one.uses, one.params)
    return msgspec.structs.replace(one, params=params)
