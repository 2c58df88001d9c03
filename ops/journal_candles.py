"""The candles that a journal holds of a symbol, as a file that `backtest` and others read."""

import sys
from collections.abc import Iterator
from pathlib import Path

from messages.codec import from_msgpack
from messages.errors import CodecError, ConfigError
from messages.exit_codes import EXIT_FAILED, EXIT_OK
from messages.ids import NS_PER_MS
from messages.market import Candle, FeedHistory, FeedNews, MarketBatch
from messages.outside import Origin
from messages.recorded import RunBegun
from ops.journal_command import journal_of
from ops.moments import utc
from persistence.journal import Found, read_journal


class CandleReader:
    """Gives each candle once, the oldest first; what comes later and is older is passed over.

    Those that strategies were shown: at its end a feed may know one that nobody decided on. In a
    journal of before these were kept, those that a live feed was told.
    """

    def __init__(self, folder: Path, symbol: str) -> None:
        self._folder, self._symbol = folder, symbol
        self.code = EXIT_OK
        self.count = self.history = 0
        """How many there are, and how many of them are of before the first process."""
        self._has_batches = False
        self.history_ns = 0
        """When the last one of these closed."""

    def __iter__(self) -> Iterator[Candle]:
        """Read it."""
        last_ns, is_live = -1, False
        for candle, is_history in self._all():
            is_live = is_live or not is_history
            if candle.ts_open_ns <= last_ns:
                continue
            last_ns = candle.ts_open_ns
            self.count += 1
            if not is_live:
                self.history, self.history_ns = self.count, candle.ts_event_ns
            yield candle

    def _all(self) -> Iterator[tuple[Candle, bool]]:
        for item in read_journal(self._folder):
            if isinstance(item, Found):
                self.code = self.code if item.damage.is_torn else EXIT_FAILED
            elif item.origin in (Origin.MARKET, Origin.INSIDE):
                try:
                    yield from self._of(from_msgpack(item.payload))
                except CodecError:
                    self.code = EXIT_FAILED

    def _of(self, message: object) -> Iterator[tuple[Candle, bool]]:
        told: tuple[object, ...] = ()
        is_history = False
        match message:
            case RunBegun():
                self._has_batches = True
            case FeedNews() if self._has_batches:
                pass
            case FeedNews(what=FeedHistory() as past):
                told, is_history = past.candles, True
            case FeedNews():
                told = (message.what,)
            case MarketBatch():
                told, is_history = message.events, message.is_history
        for event in told:
            if isinstance(event, Candle) and event.symbol == self._symbol:
                yield event, is_history


def candles(run_dir: Path, symbol: str) -> int:
    """Print them; give 1 when something of the journal can't be read.

    Raises:
        ConfigError: this run has no journal, or it holds no candle of this symbol.
    """
    reader = CandleReader(journal_of(run_dir), symbol)
    for candle in reader:
        if reader.count == 1:
            sys.stdout.write("ts,open,high,low,close,volume\n")
        numbers = candle.open, candle.high, candle.low, candle.close, candle.volume
        row = ",".join(format(number, "f") for number in numbers)
        sys.stdout.write(f"{candle.ts_open_ns // NS_PER_MS},{row}\n")
    if not reader.count:
        raise ConfigError([f"the journal of {run_dir} holds no candle of {symbol}"])
    text = f"{reader.count} candles"
    if reader.history:
        moment = utc(reader.history_ns).replace(" ", "T")
        text += f", {reader.history} of them of before the run: backtest --warm-until {moment}"
    sys.stderr.write(text + "\n")
    return reader.code
