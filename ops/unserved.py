"""Whether a recording shows what a strategy decides on: trades alone make no candle."""

from collections.abc import Callable, Sequence
from pathlib import Path

import strategies
from exchanges.recordings import Recording, files_of
from messages.errors import ConfigError, DataError
from ops.config import Config, FeedType, StrategyConfig
from strategies.handlers import decides_on

Make = Callable[[StrategyConfig], strategies.Strategy]

_SERVES = {
    False: frozenset({"on_candle", "on_bar", "on_timer"}),
    True: frozenset({"on_trade", "on_timer"}),
}
"""What is called of a strategy that is shown trades, or else candles."""
_BOOK = frozenset({"on_book", "on_tick"})


def refuse_unserved(config: Config, make: Make) -> None:
    """Look at what the recordings of each strategy hold; one that is not there is passed over.

    Raises:
        ConfigError: with a sentence for each strategy that would never decide.
    """
    if config.feed.type is not FeedType.REPLAY:
        return
    if problems := [text for one in config.strategies for text in _unserved(config, one, make)]:
        raise ConfigError(problems)


def _unserved(config: Config, settings: StrategyConfig, make: Make) -> list[str]:
    paths = [config.feed.paths[symbol] for symbol in settings.symbols]
    held = {_has_trades(path, config.feed.timeframe) for path in paths}
    if len(held) > 1 or None in held:
        return []  # some of each; or who opens it says what is wrong with it
    (has_trades,) = held
    serves = _SERVES[bool(has_trades)]
    if decides_on(strategies.strategy_class(settings.uses)) & serves:
        return []
    wanted = decides_on(make(settings))  # which may have been given a handler as it was made
    if wanted & serves:
        return []
    who, by = f"strategy {settings.id} decides on", ", ".join(sorted(wanted))
    if wanted <= _BOOK:
        text = f"{who} the book alone ({by}), which no recording has"
        return [f"{text}: run it on a live market with the paper venue"]
    if has_trades:
        text = f"{who} candles ({by}), and {_first(paths)} holds trades alone, so it would never"
        return [f"{text} trade: give it candles (watchkeeper data download), or write on_trade"]
    text = f"{who} trades ({by}), and {_first(paths)} holds candles alone, so it would never"
    return [f"{text} trade: give it a Parquet file of trades, or write on_candle"]


def _has_trades(path: Path | Sequence[Path], timeframe: str) -> bool | None:
    """Tell by the columns of the first file; None where it cannot be read, here and now."""
    try:
        return Recording(files_of(_first([path]), timeframe)[0]).has_trades
    except DataError:
        return None


def _first(paths: Sequence[Path | Sequence[Path]]) -> Path:
    first = paths[0]
    return first if isinstance(first, Path) else first[0]
