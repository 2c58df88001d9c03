"""The `[[strategy]]` tables of a configuration: what they trade, and whether they could."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from messages.errors import ConfigError
from messages.ids import StrategyId, Symbol
from ops.config_reader import TableReader, is_there
from ops.config_schema import FeedConfig, StrategyConfig
from ops.own_code import DidNotEnd, in_time

CheckParams = Callable[[str, Mapping[str, Any], str], Sequence[str]]
"""Takes a strategy's `uses` and `params` and the feed's timeframe; gives a sentence per mistake.

It raises `ConfigError` where nothing can be found under `uses`.
"""
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
NAME_RULE = "letters, digits, '.', '_' or '-', at most 64, beginning with a letter or digit"


class Checks:
    """Looks at each strategy as it would be used; without a `check_params` at none.

    After a file that did not come back it looks at no other: the next may be the same one.
    """

    def __init__(self, check_params: CheckParams | None, hang_after_s: int) -> None:
        self._check_params = check_params
        self._hang_after_s = hang_after_s

    def note(self, reader: TableReader, strategy: StrategyConfig, timeframe: str) -> None:
        """Note with the reader of a strategy what is wrong with its `uses` and `params`."""
        if self._check_params is None or not strategy.uses:
            return
        look = partial(self._check_params, strategy.uses, strategy.params, timeframe)
        try:
            wrong = in_time(look, strategy.uses, "loaded", self._hang_after_s)
        except ConfigError as error:
            for sentence in error.problems:
                reader.problem("uses", sentence)
            if isinstance(error, DidNotEnd):
                self._check_params = None
            return
        for sentence in wrong if isinstance(reader.raw("params", {}), Mapping) else ():
            reader.problem("params", sentence)


def read_strategies(
    root: TableReader, feed: FeedConfig, base: Path, checks: Checks
) -> tuple[StrategyConfig, ...]:
    """Give the strategies; what is wrong with them is noted with the reader."""
    readers = root.tables("strategy")
    if not readers and not root.has("strategy"):
        root.problem("strategy", "got none, expected at least one [[strategy]]")
    first_place: dict[str, int] = {}
    strategies = []
    for place, reader in enumerate(readers):
        strategy = _strategy(reader, feed, base)
        checks.note(reader, strategy, _timeframe(root, feed))
        strategies.append(strategy)
        if first_place.setdefault(strategy.id, place) != place:
            taken = f"strategy[{first_place[strategy.id]}]"
            reader.problem("id", f'"{strategy.id}" is already the id of {taken}')
    return tuple(strategies)


def _strategy(reader: TableReader, feed: FeedConfig, base: Path) -> StrategyConfig:
    symbols = _traded_symbols(reader, feed)
    strategy = StrategyConfig(
        id=StrategyId(reader.matching("id", None, NAME, NAME_RULE)),
        uses=_near(reader.text("uses", None, 'a strategy, such as "sma_cross"'), base),
        symbol=symbols[0],
        symbols=symbols,
        order_notional=reader.money("order_notional", "100"),
        params=reader.table("params").items(),
    )
    reader.finish()
    return strategy


def _timeframe(root: TableReader, feed: FeedConfig) -> str:
    """Give the feed's, or nothing where it is a mistake itself."""
    return "" if any(one.startswith("feed.timeframe:") for one in root.problems) else feed.timeframe


def _near(uses: str, base: Path) -> str:
    """A strategy's file stands beside the config's, like its market data."""
    file, colon, name = uses.rpartition(":")
    beside = base / file
    return f"{beside.absolute()}{colon}{name}" if colon and is_there(beside) else uses


def _traded_symbols(reader: TableReader, feed: FeedConfig) -> tuple[Symbol, ...]:
    """Give all symbols of a strategy; `symbol`, where it stands too, is the first of `symbols`."""
    default = feed.symbols[0] if feed.symbols else Symbol("BTC/USDT")
    several = reader.raw("symbols")
    if several is None:
        return (_traded(reader, feed, "symbol", default),)
    if not (isinstance(several, list) and several):
        reader.expected("symbols", 'a list such as ["BTC/USDT", "ETH/USDT"]')
        return (default,)
    keyed = {f"symbols[{place}]": value for place, value in enumerate(several)}
    items = reader.beside(keyed)
    symbols = tuple(_traded(items, feed, key, default) for key in keyed)
    if len(set(symbols)) < len(symbols):
        reader.expected("symbols", "each symbol once")
    if reader.has("symbol") and reader.raw("symbol") != symbols[0]:
        reader.expected("symbol", f"the first of its symbols, {symbols[0]}, or nothing")
    reader.raw("symbol")
    return symbols


def _traded(reader: TableReader, feed: FeedConfig, key: str, default: Symbol) -> Symbol:
    symbol = Symbol(reader.text(key, default))
    if feed.symbols and symbol not in feed.symbols:
        reader.expected(key, f"one of the feed's: {', '.join(feed.symbols)}")
    return symbol
