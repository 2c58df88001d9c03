"""One symbol's candles in a data directory: what they are, and where they lie.

``DIR/<exchange>/<BASE-QUOTE>/<timeframe>/<YYYY-MM>.parquet``
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import msgspec

from exchanges.times import parse_timeframe
from messages.errors import ConfigError, DataError
from messages.ids import NS_PER_MS, Symbol
from messages.timeframes import grid_shift_ns

DEFAULT_DIR = Path("data")
MONTH_NAME = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_EXCHANGE = re.compile(r"[a-z0-9_]{1,40}")
_SYMBOL = re.compile(r"[A-Za-z0-9.\-]{1,30}/[A-Za-z0-9.\-]{1,30}(:[A-Za-z0-9.\-]{1,30})?")


class Series(msgspec.Struct, frozen=True, order=True):
    """Which candles. `symbol` is ccxt's, such as ``BTC/USDT``; `timeframe` such as ``1m``."""

    exchange: str
    symbol: str
    timeframe: str

    @property
    def timeframe_ms(self) -> int:
        """The length of a candle."""
        return parse_timeframe(self.timeframe) // NS_PER_MS

    def folder(self, root: Path) -> Path:
        """Give where its months lie. No two series share one."""
        base, _, rest = self.symbol.partition("/")
        coin, _, settled = rest.partition(":")
        name = "-".join(quote(part, safe="").replace("-", "%2D") for part in (base, coin))
        return root / self.exchange / (f"{name}_{settled}" if settled else name) / self.timeframe

    def first_on_grid_ms(self, ts_ms: int) -> int:
        """Give the first moment, from this one on, at which a candle may open."""
        length, shift = self.timeframe_ms, grid_shift_ms(self.timeframe_ms)
        return -((shift - ts_ms) // length) * length + shift


def grid_shift_ms(length_ms: int) -> int:
    """Give how long after the beginning of 1970 a candle of this length opened."""
    return grid_shift_ns(length_ms * NS_PER_MS) // NS_PER_MS


def nothing_in(root: Path) -> str:
    """Say that a data directory is empty or not there, and what to do."""
    return f"There is no data in {root}: watchkeeper data import or data download brings some"


def checked_series(
    exchange: str, symbol: str, timeframe: str, *, option: str = "--timeframe"
) -> Series:
    """Give the series that a command line names, the length of its candles by `option`.

    Raises:
        ConfigError: a name cannot be used; every mistake is in it.
    """
    wrong = []
    if not _EXCHANGE.fullmatch(exchange):
        wrong.append(f"--exchange: {exchange!r} is not a name such as binance")
    if not _SYMBOL.fullmatch(symbol):
        wrong.append(f"--symbol: {symbol!r} is not base/quote, such as BTC/USDT")
    try:
        parse_timeframe(timeframe)
    except DataError as error:
        wrong.append(f"{option}: {error}")
    if wrong:
        raise ConfigError(wrong)
    return Series(exchange, Symbol(symbol), timeframe)


def month_of(ts_ms: int) -> str:
    """Give the UTC month of a moment as its file is called: ``2024-01``."""
    return f"{datetime.fromtimestamp(ts_ms / 1000, UTC):%Y-%m}"


def month_end_ms(ts_ms: int) -> int:
    """Give the beginning of the month after that of a moment."""
    day = datetime.fromtimestamp(ts_ms / 1000, UTC)
    year, month = divmod(day.year * 12 + day.month, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) * 1000


def moment_text(ts_ms: int) -> str:
    """Write a moment for people and machines: ``2024-01-31T12:00:00Z``."""
    moment = datetime.fromtimestamp(ts_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"
