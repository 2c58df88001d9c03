"""What `backtest` reads of a configuration; research runs it, and knows no configuration."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import strategies
from messages.errors import ConfigError
from messages.ids import StrategyId, Symbol, currencies_of
from messages.values import plain_instrument
from ops.config import (
    Config,
    FeedType,
    StrategyConfig,
    document_of,
    effective_toml,
    load,
)
from ops.config_feed import DEFAULT_SYMBOL
from ops.config_risk import risk_limits
from ops.doubts import tell_doubts
from ops.own_code import in_time
from ops.sources import paper_settings
from ops.unserved import refuse_unserved
from strategies import Strategy

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
    if feed.is_connected:
        raise ConfigError([f"{path} follows a live market: say with --data which files to use"])
    if feed.type is FeedType.DEMO and feed.limit is None:
        text = f"{path} has a generated market without an end: set feed.limit, or give --data FILE"
        raise ConfigError([text])
    if problems := [text for one in config.strategies for text in _without_a_market(one)]:
        raise ConfigError(problems)
    check_served(config)
    tell_doubts(config)
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


def make_each(config: Config) -> None:
    """Make each strategy once: its constructor may say what no look at its parameters tells.

    Raises:
        ConfigError: with what they all say.
    """
    problems = []
    for settings in config.strategies:
        try:
            _made(config, settings)
        except ConfigError as error:
            problems += [f"strategy {settings.id}: {text}" for text in error.problems]
    if problems:
        raise ConfigError(problems)


def check_served(config: Config) -> None:
    """Hold what each strategy decides on against what the recordings show.

    Raises:
        ConfigError: with a sentence for each that would never trade.
    """
    refuse_unserved(config, partial(_made, config))


def _made(config: Config, settings: StrategyConfig) -> Strategy:
    hang_after_s = config.supervision.hang_after_s
    return in_time(_strategy(settings)[2], settings.uses, "made", hang_after_s)


def _without_a_market(settings: StrategyConfig) -> list[str]:
    """An object is asked, not its class: what it wants may depend on its params."""
    made: Any = _strategy(settings)[2]()
    if made.overrides.isdisjoint(("on_book", "on_tick")) or _looks_elsewhere(made):
        return []
    text = f"strategy {settings.id} decides on the book alone (on_book), which no recording has"
    return [f"{text}: run it on a live market with the paper venue"]


def _looks_elsewhere(made: Any) -> bool:
    own = [name for name in ("on_candle", "on_bar", "on_timer") if _has_own(made, name)]
    return bool(own) or "on_trade" in made.overrides


def _has_own(made: Any, handler: str) -> bool:
    return getattr(type(made), handler) is not getattr(strategies.Strategy, handler)


def _with_data(path: Path, data: Sequence[str]) -> Config:
    """Read the configuration with these files in place of its market: of its symbols, no others."""
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
        symbols = _named_symbols(path, named)
        overrides |= {"feed.symbols": symbols, **_balances_of(document_of(path), symbols)}
    return load(path, overrides, strategies.check_params)


def _named_symbols(path: Path, named: Mapping[str, str]) -> list[str]:
    """Give the symbols of the feed that have a file, in the feed's order.

    Raises:
        ConfigError: one is not the feed's, or one that is traded has no file.
    """
    document = document_of(path)
    symbols = _feed_symbols(document)
    problems = [
        f"--data {name}=...: {path} does not follow {name}; its feed.symbols are"
        f" {', '.join(symbols)}"
        for name in named
        if name not in symbols
    ]
    if not problems and symbols[0] not in named:
        problems = [
            f"--data gives no file for {symbols[0]}, which strategy {one.get('id')} trades"
            for one in _strategy_tables(document)
            if not {"symbol", "symbols"} & set(one)
        ]
    if problems:
        raise ConfigError(problems)
    return [symbol for symbol in symbols if symbol in named]


def _balances_of(document: Mapping[str, Any], symbols: Sequence[str]) -> dict[str, object]:
    """Leave out what the account has of the feed's other symbols: here it would be a mistake."""
    venue = document.get("venue")
    balances = venue.get("balances") if isinstance(venue, Mapping) else None
    if not isinstance(balances, Mapping):
        return {}
    others = currencies_of(_feed_symbols(document)).keys() - currencies_of(symbols)
    return {"venue.balances": {one: balances[one] for one in balances if one not in others}}


def _feed_symbols(document: Mapping[str, Any]) -> list[str]:
    """As the feed's own reader does, which says what is wrong with them if anything is."""
    feed = document.get("feed")
    table: Mapping[str, Any] = feed if isinstance(feed, Mapping) else {}
    path = table.get("path")
    symbols = table.get("symbols", list(path) if isinstance(path, Mapping) else None)
    found = [str(one) for one in symbols] if isinstance(symbols, list) else []
    return found or [str(DEFAULT_SYMBOL)]


def _strategy_tables(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    tables = document.get("strategy")
    listed = tables if isinstance(tables, list) else []
    return [one for one in listed if isinstance(one, Mapping)]


def _strategy(
    settings: StrategyConfig,
) -> tuple[StrategyId, tuple[Symbol, ...], Callable[[], Strategy]]:
    first, *others = settings.symbols
    build = partial(
        strategies.build,
        settings.uses,
        settings.params,
        first,
        settings.order_notional,
        plain_instrument(first),
        {symbol: plain_instrument(symbol) for symbol in others},
    )
    return settings.id, settings.symbols, build
