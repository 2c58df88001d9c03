"""`data download`: what the store lacks of an exchange's candles, page by page, until it is there.

The store is the only memory: what to ask for is what it lacks, so a run that was killed goes on
where it was, and holes inside are asked for too. Each page is on disk before the next is asked for.
"""

import asyncio
import os
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from exchanges.candle_builder import Bar
from exchanges.ccxt_history import CcxtHistory, Patience
from exchanges.ccxt_settings import CcxtSettings
from exchanges.times import time_ns
from messages.errors import ConfigError, OutcomeUnknown, VenueRefused
from messages.exit_codes import EXIT_FAILED, EXIT_NOTHING_THERE, EXIT_OK
from messages.ids import NS_PER_MS, NS_PER_S, Symbol
from research.candle_row import StoredRow, row_of
from research.holes import Hole, holes
from research.importing import conflict_event, conflict_text
from research.merging import Merged
from research.month_file import import_parquet
from research.printing import Progress, say, write_line
from research.series import DEFAULT_DIR, Series, checked_series, moment_text
from research.store import SeriesWriter

_GATE_S = 60.0
_EARLIEST_NS = 1_000_000_000 * NS_PER_S
"""Before 2001 there are no candles; a bare year would be read as seconds since 1970."""
_SHOWN = 20


class DownloadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    exchange: str
    symbol: str
    since: str
    until: str | None = None
    """None: as far as candles are over."""
    timeframe: str = "1m"
    root: Path = DEFAULT_DIR
    page: int | None = None
    """Candles for each question; None: as many as the exchange gives at once."""
    replace: bool = False
    as_json: bool = False
    ccxt: dict[str, Any] = {}
    """For ccxt's constructor."""
    patience: Patience = Patience()


class Downloaded(msgspec.Struct):
    """What came of it."""

    merged: Merged = msgspec.field(default_factory=Merged)
    wanted: int = 0
    """How many candles were missing."""
    pages: int = 0
    malformed: int = 0
    stopped: str = ""
    """Why it ended before its end."""


def download(options: DownloadOptions) -> int:
    """Ask for what is missing: 0 all was asked for, 1 a stored candle differs, 3 no more answers.

    Whatever came is kept, and the next run goes on there.

    Raises:
        ConfigError: a name or a time cannot be used.
        VenueRefused: the exchange, the symbol or the timeframe is not there.
        DataError: the store cannot be written.
    """
    series = checked_series(options.exchange, options.symbol, options.timeframe)
    since_ms, until_ms = _times(options)
    import_parquet()
    return asyncio.run(_download(options, series, since_ms, until_ms))


async def _download(
    options: DownloadOptions, series: Series, since_ms: int, until_ms: int | None
) -> int:
    settings = CcxtSettings(exchange=series.exchange, config=dict(options.ccxt))
    rng = Random(os.urandom(8))  # noqa: S311 - it spreads what is asked again
    history = CcxtHistory(
        settings, Symbol(series.symbol), series.timeframe, rng=rng, patience=options.patience
    )
    try:
        await _open(history, series.exchange)
        step_ms = series.timeframe_ms
        over_ms = series.first_on_grid_ms(history.over_ms + 1 - step_ms)
        wished_ms = series.first_on_grid_ms(over_ms if until_ms is None else until_ms)
        with SeriesWriter(options.root, series) as writer:
            filler = Filler(options, series, history, writer)
            span = series.first_on_grid_ms(since_ms), min(over_ms, wished_ms)
            result = await filler.fill(span)
    finally:
        await history.close()
    result.malformed += history.stats.malformed
    _tell(result, series, history, options)
    if result.stopped:
        return EXIT_NOTHING_THERE
    return EXIT_FAILED if result.merged.kept or result.malformed else EXIT_OK


async def _open(history: CcxtHistory, exchange: str) -> None:
    try:
        async with asyncio.timeout(_GATE_S):
            await history.open()
    except TimeoutError:
        raise VenueRefused(
            f"{exchange} did not answer within {_GATE_S:.0f} s: check the network"
        ) from None


class Filler:
    """Fills the holes of one series."""

    def __init__(
        self, options: DownloadOptions, series: Series, history: CcxtHistory, writer: SeriesWriter
    ) -> None:
        self._options, self._series = options, series
        self._history, self._writer = history, writer
        self._step_ms = series.timeframe_ms
        self._page = min(options.page or history.page_size, history.page_size)
        self._result = Downloaded()
        self._progress = Progress(f"{series.symbol} {series.timeframe}")
        self._passed = 0
        """Candles that were missing up to the end of the present hole."""

    async def fill(self, span: Hole) -> Downloaded:
        """Ask for every hole between two moments once, oldest first."""
        found = list(holes(self._writer.times(), *span, self._step_ms))
        self._result.wanted = sum(end - start for start, end in found) // self._step_ms
        asked_ms = span[0]
        try:
            for start_ms, end_ms in found:
                self._passed += (end_ms - start_ms) // self._step_ms
                asked_ms = await self._fill_one(max(start_ms, asked_ms), end_ms, span[1])
        except OutcomeUnknown as error:
            self._result.stopped = str(error).removeprefix("no_answer: ")
        self._progress.end()
        return self._result

    async def _fill_one(self, at_ms: int, end_ms: int, until_ms: int) -> int:
        """Ask from one moment to another; give up to where an answer is known, maybe beyond.

        A page may hold less than was asked for. Without a candle in it, there is none within a
        page's length; with a later one than asked for, there is none before that one.
        """
        while at_ms < end_ms:
            self._show(at_ms, end_ms)
            bars = await self._history.page(at_ms, self._page)
            self._result.pages += 1
            self._keep(bars, at_ms, until_ms)
            last_ms = bars[-1].open_ns // NS_PER_MS if bars else at_ms
            reach = self._step_ms if bars else self._page * self._step_ms
            at_ms = self._series.first_on_grid_ms(last_ms + reach)
        return at_ms

    def _keep(self, bars: list[Bar], asked_ms: int, until_ms: int) -> None:
        """Put what is over into the store, durably."""
        rows: list[StoredRow] = []
        for bar in bars:
            if bar.open_ns // NS_PER_MS >= until_ms:
                break
            fields = (bar.open_ns, bar.open, bar.high, bar.low, bar.close, bar.volume)
            try:
                rows.append(row_of([str(field) for field in fields], self._step_ms))
            except ValueError:
                self._result.malformed += 1
        merged = self._writer.add(rows, replace=self._options.replace)
        self._result.merged.take(merged)
        if self._options.as_json:
            page = {"since": moment_text(asked_ms), "candles": len(rows), "added": merged.added}
            write_line({"event": "page", **page})

    def _show(self, at_ms: int, end_ms: int) -> None:
        """Tell how much of what was missing has been asked for, this hole up to here."""
        asked = self._passed - (end_ms - at_ms) // self._step_ms
        self._progress.show(asked / max(1, self._result.wanted), moment_text(at_ms))


def _times(options: DownloadOptions) -> tuple[int, int | None]:
    wrong, found = [], list[int]()
    for name, text in (("--since", options.since), ("--until", options.until)):
        moment_ns = _moment_ns(text) if text is not None else _EARLIEST_NS
        if moment_ns < _EARLIEST_NS:
            wrong.append(f"{name}: {text!r} is not a time such as 2024-01-31 or 2024-01-31T12:00")
        found.append(moment_ns // NS_PER_MS)
    if wrong:
        raise ConfigError(wrong)
    since_ms, until_ms = found
    if options.until is None:
        return since_ms, None
    if until_ms <= since_ms:
        raise ConfigError([f"--until: {options.until} is not after {options.since}"])
    return since_ms, until_ms


def _moment_ns(text: str) -> int:
    try:
        return time_ns(text)
    except ValueError:
        return 0


def _tell(
    result: Downloaded, series: Series, history: CcxtHistory, options: DownloadOptions
) -> None:
    merged, missing = result.merged, max(0, result.wanted - result.merged.added)
    counts = {"wanted": result.wanted, "added": merged.added, "missing": missing}
    counts |= {"kept": merged.kept, "replaced": merged.replaced, "malformed": result.malformed}
    counts |= {"pages": result.pages, "retries": history.retries}
    if options.as_json:
        for one in merged.conflicts:
            write_line(conflict_event(one))
        write_line({"event": "end", **counts, "stopped": result.stopped or None})
        return
    what = f"{series.symbol} {series.timeframe}"
    if result.wanted:
        say(f"{what}: {merged.added} of {result.wanted} candles added")
    elif not result.stopped:
        say(f"{what}: all of it is there already")
    for one in merged.conflicts[:_SHOWN]:
        say(conflict_text(one))
    if merged.kept:
        say(f"{merged.kept} stored candles were kept; --replace takes the exchange's.")
    if result.malformed:
        say(f"{result.malformed} rows of the exchange were no candles.")
    if result.stopped:
        say(f"{result.stopped}. What came is kept: the same command goes on there.")
    elif missing:
        say(f"{missing} candles the exchange did not give.")
