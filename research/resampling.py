"""`data resample`: longer candles out of shorter ones, exactly, and none that is not whole."""

from collections.abc import Iterable, Iterator
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact
from pathlib import Path

import msgspec

from exchanges.replay import ReplaySource
from messages.errors import ConfigError, DataError
from messages.exit_codes import EXIT_FAILED, EXIT_OK
from messages.ids import NS_PER_MS, Symbol
from messages.market import Candle, MarketEvent
from research.candle_row import StoredRow, exact_text
from research.importing import AT_ONCE, conflict_event, conflict_text
from research.merging import Merged
from research.month_file import import_parquet
from research.printing import say, write_line
from research.series import DEFAULT_DIR, Series, checked_series, grid_shift_ms, moment_text
from research.store import SeriesWriter, footers

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])
"""For sums alone: they take as many digits as the volumes have."""
_KEPT_PARTIAL, _SHOWN = 1_000, 20


class ResampleOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    exchange: str
    symbol: str
    timeframe: str
    """What there is."""
    to: str
    """What is wanted."""
    root: Path = DEFAULT_DIR
    partial: bool = False
    replace: bool = False
    as_json: bool = False


class LongBar(msgspec.Struct):
    """A longer candle in the making, of `count` of its parts so far."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    count: int = 1

    def absorb(self, candle: Candle) -> None:
        """Take the next part in."""
        self.high, self.low = max(self.high, candle.high), min(self.low, candle.low)
        self.close = candle.close
        self.volume = _EXACT.add(self.volume, candle.volume)
        self.count += 1

    def row(self) -> StoredRow:
        """Give it as it is stored."""
        prices = map(exact_text, (self.open, self.high, self.low, self.close))
        o, h, lo, c = prices
        return self.open_ms, o, h, lo, c, exact_text(self.volume)


def longer(events: Iterable[MarketEvent], length_ms: int) -> Iterator[LongBar]:
    """Give longer candles of what there is; `count` says how many parts each has."""
    bar: LongBar | None = None
    shift = grid_shift_ms(length_ms)
    for candle in events:
        if not isinstance(candle, Candle):
            raise DataError("trades cannot be resampled")
        open_ms = candle.ts_open_ns // NS_PER_MS
        open_ms -= (open_ms - shift) % length_ms
        if bar is not None and bar.open_ms == open_ms:
            bar.absorb(candle)
            continue
        if bar is not None:
            yield bar
        bar = LongBar(open_ms, candle.open, candle.high, candle.low, candle.close, candle.volume)
    if bar is not None:
        yield bar


class Outcome(msgspec.Struct):
    """What became of the longer candles."""

    merged: Merged = msgspec.field(default_factory=Merged)
    incomplete: int = 0
    partial: list[tuple[int, int]] = []
    """When those opened of which parts are missing, and how many there are; the first thousand."""

    problems: list[str] = []
    """The first rows of the shorter candles that could not be used."""

    @property
    def is_whole(self) -> bool:
        """Whether every candle could be made, and is stored as it was made."""
        return not (self.incomplete or self.merged.kept or self.problems)

    def note_partial(self, bar: LongBar) -> None:
        """Count a candle that is not whole."""
        self.incomplete += 1
        if len(self.partial) < _KEPT_PARTIAL:
            self.partial.append((bar.open_ms, bar.count))


def resample(options: ResampleOptions) -> int:
    """Make a series of longer candles; 0 when every candle was whole and is stored, else 1.

    Raises:
        ConfigError: a name cannot be used, or the lengths do not fit.
        DataError: there is no such series, or it cannot be read.
    """
    source = checked_series(options.exchange, options.symbol, options.timeframe)
    target = checked_series(options.exchange, options.symbol, options.to, option="--to")
    parts, rest = divmod(target.timeframe_ms, source.timeframe_ms)
    if rest or parts < 2:
        text = f"--to: {options.to} is not a multiple of {options.timeframe}"
        raise ConfigError([f"{text}: name a length of two or more of them"])
    import_parquet()
    folder = source.folder(options.root)
    months = [path for path, _ in footers(folder)]
    if not months:
        raise DataError(f"{folder}: there is no such series; watchkeeper data list shows what is")
    replay = ReplaySource(months, Symbol(source.symbol), source.timeframe)
    with SeriesWriter(options.root, target) as writer:
        outcome = _write(writer, longer(replay.events(), target.timeframe_ms), parts, options)
    outcome.problems = list(replay.stats.problems)
    _tell(target, outcome, parts, options)
    return EXIT_OK if outcome.is_whole else EXIT_FAILED


def _write(
    writer: SeriesWriter, bars: Iterator[LongBar], parts: int, options: ResampleOptions
) -> Outcome:
    outcome, held = Outcome(), list[StoredRow]()
    for bar in bars:
        if bar.count < parts:
            outcome.note_partial(bar)
        if bar.count == parts or options.partial:
            held.append(bar.row())
        if len(held) >= AT_ONCE:
            outcome.merged.take(writer.add(held, replace=options.replace))
            held.clear()
    outcome.merged.take(writer.add(held, replace=options.replace))
    return outcome


def _tell(target: Series, outcome: Outcome, parts: int, options: ResampleOptions) -> None:
    merged, fate = outcome.merged, "made of what there is" if options.partial else "left out"
    if options.as_json:
        for open_ms, count in outcome.partial:
            line = {"event": "partial", "ts": moment_text(open_ms), "candles": count, "of": parts}
            write_line({**line, "kept": options.partial})
        for one in merged.conflicts:
            write_line(conflict_event(one))
        counts = {"added": merged.added, "same": merged.same}
        counts |= {"replaced": merged.replaced, "kept": merged.kept}
        told = {"partial": outcome.incomplete, "problems": outcome.problems}
        write_line({"event": "end", **counts, **told})
        return
    say(f"{target.symbol} {target.timeframe}: {merged.added} added, {merged.same} the same")
    for open_ms, count in outcome.partial[:_SHOWN]:
        say(f"{moment_text(open_ms)}: {count} of {parts} candles are there: {fate}")
    if outcome.incomplete > _SHOWN:
        say(f"... {outcome.incomplete} in all were {fate}")
    for problem in outcome.problems:
        say(f"{problem}: left out")
    for one in merged.conflicts[:_SHOWN]:
        say(conflict_text(one))
    if merged.kept:
        say(f"{merged.kept} stored candles were kept; --replace takes the new ones.")
