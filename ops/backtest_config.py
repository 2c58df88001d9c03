"""What `backtest` reads of a configuration; research runs it, and knows no configuration."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import strategies
from decisions.strategy import StrategyLike
from messages.errors import ConfigError
from messages.ids import StrategyId, Symbol
from messages.values import Instrument
from ops.config import Config, FeedType, StrategyConfig, effective_toml, load
from ops.config_risk import risk_limits
from ops.sources import paper_settings

Options = TypeVar("Options")


def read_backtest(path: Path, data: Sequence[str], options: Callable[..., Options]) -> Options:
    """Read a configuration, and the files that stand for its market; give its `options`.

    `data` holds a file for each symbol of the feed in turn, or ``SYMBOL=FILE``. The venue is
    always the paper one.

    Raises:
        ConfigError: with one sentence per mistake.
    """
    config = load(path, {}, strategies.check_params) if not data else _with_data(path, data)
    feed = config.feed
    if feed.type is FeedType.CCXT:
        raise ConfigError([f"{path} follows a live market: say with --data which files to use"])
    if feed.type is FeedType.DEMO and feed.limit is None:
        text = f"{path} has a generated market without an end: set feed.limit, or give --data FILE"
        raise ConfigError([text])
    if problems := [text for one in config.strategies for text in _not_yet(one)]:
        raise ConfigError(problems)
    return options(
        name=config.name,
        config_text=effective_toml(config),
        symbols=feed.symbols,
        paths=feed.paths,
        timeframe=feed.timeframe,
        seed=feed.seed,
        limit=feed.limit,
        strategies=tuple(_strategy(one) for one in config.strategies),
        venue=paper_settings(config),
        limits=risk_limits(config.risk, replayed=True),
    )


def _not_yet(settings: StrategyConfig) -> list[str]:
    """Say what of a strategy the plain loop does not drive: better none than another result.

    An object is asked, not its class: what it wants may depend on its params.
    """
    if len(settings.symbols) > 1:
        return [_use_start(settings, "several symbols")]
    made: Any = _strategy(settings)[2]()
    problems = []
    if made.timeframes:
        problems.append(_use_start(settings, "bars of other lengths (timeframes)"))
    if made.timer_s:
        problems.append(_use_start(settings, "a timer (timer_s)"))
    if not made.overrides.isdisjoint(("on_book", "on_tick")):
        text = f"strategy {settings.id} decides on the book (on_book), which no recording has"
        problems.append(f"{text}: run it on a live market with the paper venue")
    return problems


def _use_start(settings: StrategyConfig, what: str) -> str:
    return (
        f"strategy {settings.id} uses {what}, which backtest does not do yet: replay it with"
        " watchkeeper start and feed.speed = 0"
    )


def _with_data(path: Path, data: Sequence[str]) -> Config:
    named = dict(one.split("=", 1) for one in data if "=" in one)
    if named and len(named) != len(data):
        raise ConfigError(["--data: either each is FILE, or each is SYMBOL=FILE and named once"])
    files = {name: str(Path(file).absolute()) for name, file in named.items()}
    overrides: dict[str, object] = {
        "mode": "paper",
        "venue.type": "paper",
        "feed.type": "replay",
        "feed.speed": 0.0,
        "feed.path": files or [str(Path(file).absolute()) for file in data],
    }
    if named:
        overrides["feed.symbols"] = list(named)
    return load(path, overrides, strategies.check_params)


def _strategy(
    settings: StrategyConfig,
) -> tuple[StrategyId, Symbol, Callable[[], StrategyLike]]:
    symbol = settings.symbol
    build = partial(
        strategies.build,
        settings.uses,
        settings.params,
        symbol,
        settings.order_notional,
        Instrument(symbol=symbol),
    )
    return settings.id, symbol, build
