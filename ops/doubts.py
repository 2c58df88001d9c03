"""What a configuration says that is allowed and is hardly meant: told, and not refused."""

import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from decisions.risk_limits import limit_of
from messages.ids import quote_of
from ops.config import Config, StrategyConfig
from ops.config_reader import exact

_SIZE = "order_notional"
"""What strategies call the size of an order, in quote currency."""


def tell_doubts(config: Config) -> None:
    """Write them to stderr."""
    for sentence in doubts_of(config):
        sys.stderr.write(f"watchkeeper: {sentence}\n")


def doubts_of(config: Config) -> list[str]:
    """Give a sentence for each strategy's order size that risk would refuse every time."""
    return [
        text
        for one in config.strategies
        for key, size in _sizes(one.order_notional, one.params)
        for text in _too_large(config, one, key, size)
    ]


def _sizes(told: Decimal, params: Mapping[str, Any]) -> Iterator[tuple[str, Decimal]]:
    yield _SIZE, told
    size = exact(params.get(_SIZE))
    if size is not None:
        yield f"params.{_SIZE}", size


def _too_large(config: Config, strategy: StrategyConfig, key: str, size: Decimal) -> list[str]:
    risk, found = config.risk, dict[str, str]()
    for symbol in strategy.symbols:
        for name in ("max_order_notional", "max_position_notional"):
            limit = limit_of(getattr(risk, name), symbol)
            if limit is not None and size > limit:
                found.setdefault(
                    name,
                    f"strategy {strategy.id}: {key} = {size} is more than risk.{name} = {limit}"
                    f" {quote_of(symbol)}: an entry of that size will be refused",
                )
    return list(found.values())
