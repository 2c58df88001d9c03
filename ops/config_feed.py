"""The `[feed]` of a configuration: which symbols, and which file each one is in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exchanges.feed_settings import Channel
from messages.ids import Symbol
from ops.bounds import FASTEST, SLOWEST
from ops.config_bus import read_nats
from ops.config_reader import TableReader, is_folder, is_there, printable
from ops.config_schema import FeedConfig, FeedType, NatsConfig

DEFAULT_SYMBOL = Symbol("BTC/USDT")

_SYMBOL = r"[A-Za-z0-9.\-]{1,30}/[A-Za-z0-9.\-]{1,30}(:[A-Za-z0-9.\-]{1,30})?"
_TIMEFRAME = r"[1-9][0-9]{0,3}[smhdw]"
_PATH_RULE = "a path, a list of paths or a table of symbol = path or paths"
_DEFAULT_SPEED = {FeedType.DEMO: 600.0, FeedType.CCXT: 1.0, FeedType.NATS: 1.0}


def read_feed(reader: TableReader, base: Path) -> FeedConfig:
    """Give the feed; its problems are noted with the reader."""
    kind = reader.choice("type", FeedType, FeedType.DEMO)
    symbols = _symbols(reader, kind)
    feed = FeedConfig(
        type=kind,
        symbols=symbols,
        paths=_paths(reader, kind, symbols, base),
        speed=_speed(reader, kind),
        timeframe=reader.matching("timeframe", "1m", _TIMEFRAME, 'a length such as "1m" or "4h"'),
        seed=reader.integer("seed", 7, least=0),
        limit=reader.optional_integer("limit", least=1),
        window=reader.integer("window", 1_024, least=1),
        batch=reader.integer("batch", 256, least=1),
        channels=_channels(reader),
        quiet_ms=reader.integer("quiet_ms", 20_000, least=100),
        poll_ms=reader.integer("poll_ms", 5_000, least=100),
        ccxt=reader.table("ccxt").items(),
        nats=_nats(reader, kind, base),
    )
    if feed.batch > feed.window:
        reader.expected("batch", f"at most the window ({feed.window})")
    _check_kind(reader, feed)
    reader.finish()
    return feed


def _speed(reader: TableReader, kind: FeedType) -> float:
    """A market that is slower than `SLOWEST` would show its second event to nobody alive."""
    speed = reader.number("speed", _DEFAULT_SPEED.get(kind, 0.0))
    if speed and not SLOWEST <= speed <= FASTEST:
        reader.expected("speed", f"0, which is as fast as possible, or {SLOWEST} to {FASTEST}")
    return speed


def check_exchange(root: TableReader, feed: FeedConfig, exchange: str) -> None:
    """Note with the reader when a live feed does not say which exchange it follows."""
    if feed.type is FeedType.CCXT and exchange == "paper":
        expected = 'expected an exchange of ccxt, such as "binance"'
        root.problems.append(f"venue.exchange: got none, {expected}")


def _check_kind(reader: TableReader, feed: FeedConfig) -> None:
    """Note what a live market can't do."""
    if feed.is_connected and feed.speed != 1:
        reader.problem("speed", "a live market has its own; leave it out")
    if feed.is_connected and feed.limit is not None:
        reader.problem("limit", "a live market has no end; use start --max-events")


def _nats(reader: TableReader, kind: FeedType, base: Path) -> NatsConfig | None:
    """Read where the bus is; another feed has none."""
    if kind is FeedType.NATS:
        return read_nats(reader.table("nats"), base)
    if reader.has("nats"):
        _of_another_type(reader, "nats", FeedType.NATS, kind)
    reader.raw("nats")
    return None


def _of_another_type(reader: TableReader, key: str, wanted: FeedType, kind: FeedType) -> None:
    """Note what another type has; nobody named this one where theirs could not be read."""
    if not reader.is_refused("type"):
        reader.problem(key, f'is for type "{wanted}", and the type is "{kind}"')


def _channels(reader: TableReader) -> tuple[str, ...]:
    channels = reader.raw("channels", [Channel.CANDLES.value])
    known = [channel.value for channel in Channel]
    if not isinstance(channels, list) or not channels or not set(map(str, channels)) <= set(known):
        reader.expected("channels", f"a list of some of {', '.join(known)}")
        return (Channel.CANDLES.value,)
    return tuple(dict.fromkeys(str(channel) for channel in channels))


def _symbols(reader: TableReader, kind: FeedType) -> tuple[Symbol, ...]:
    paths = reader.raw("path")
    default = list(paths) if isinstance(paths, Mapping) else [DEFAULT_SYMBOL]
    if kind is FeedType.REPLAY and not reader.has("symbols") and not isinstance(paths, Mapping):
        reader.expected("symbols", f'a list such as ["{DEFAULT_SYMBOL}"]')
    symbols = reader.raw("symbols", default)
    if not isinstance(symbols, list) or not symbols:
        reader.expected("symbols", f'a list such as ["{DEFAULT_SYMBOL}"]')
        return ()
    return _checked_symbols(reader, symbols)


def _checked_symbols(reader: TableReader, symbols: list[Any]) -> tuple[Symbol, ...]:
    table = {f"symbols[{i}]": symbol for i, symbol in enumerate(symbols)}
    items = reader.beside(table)
    found: list[Symbol] = []
    for key in table:
        before = len(items.problems)
        symbol = Symbol(items.matching(key, None, _SYMBOL, 'base/quote, such as "BTC/USDT"'))
        if symbol in found:
            items.problem(key, f'"{symbol}" is there twice')
        elif len(items.problems) == before:
            found.append(symbol)
    return tuple(found)


def _paths(
    reader: TableReader, kind: FeedType, symbols: tuple[Symbol, ...], base: Path
) -> dict[Symbol, Path | list[Path]]:
    value = reader.raw("path")
    if kind is not FeedType.REPLAY:
        if value is not None:
            _of_another_type(reader, "path", FeedType.REPLAY, kind)
        return {}
    paired = _paired(reader, value, symbols)
    return {symbol: _all_located(reader, paths, base) for symbol, paths in paired.items()}


def _paired(
    reader: TableReader, value: Any, symbols: tuple[Symbol, ...]
) -> dict[Symbol, str | list[str]]:
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list) and len(symbols) == 1 and len(value) > 1:
        value = [value]
    if isinstance(value, list) and len(value) == len(symbols):
        value = dict(zip(symbols, value, strict=True))
    if isinstance(value, list):
        reader.problem("path", f"got {len(value)} for {len(symbols)} symbols, expected one each")
        return {}
    if not isinstance(value, Mapping) or not all(_is_paths(p) for p in value.values()):
        reader.expected("path", _PATH_RULE)
        return {}
    if symbols and set(value) != set(symbols):
        reader.expected("path", f"a path for each of {', '.join(symbols)} and no other")
    return dict(value)


def _is_paths(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, str) for one in value)
    return isinstance(value, str)


def _all_located(reader: TableReader, paths: str | list[str], base: Path) -> Path | list[Path]:
    if isinstance(paths, str):
        return _located(reader, paths, base)
    return [_located(reader, path, base) for path in paths]


def _located(reader: TableReader, path: str, base: Path) -> Path:
    for place in (base / path, Path(path)):
        if is_there(place) or is_folder(place):
            return place.absolute()
    where = " or ".join(dict.fromkeys((str(base.absolute()), str(Path.cwd()))))
    reader.problem("path", f'there is no file "{printable(path)}" in {where}')
    return Path(path)
