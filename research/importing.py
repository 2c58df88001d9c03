"""`data import`: candles of other tools' files into the store, exactly, and twice is once."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import msgspec

from exchanges.csv_rows import DAMAGE, blocks_of
from exchanges.raw_rows import Complaints
from exchanges.recordings import Recording
from exchanges.replay import WANTED_COLUMNS
from exchanges.times import time_ns
from messages.errors import ConfigError, DataError
from messages.exit_codes import EXIT_FAILED, EXIT_OK
from messages.ids import NS_PER_MS
from research.candle_row import StoredRow, row_of
from research.merging import Conflict, Merged
from research.month_file import import_parquet
from research.printing import Progress, say, write_line, write_table
from research.series import DEFAULT_DIR, Series, checked_series, moment_text
from research.store import SeriesWriter

AT_ONCE = 20_000
"""So many rows are held; a file may be of any length, and in any order."""
NO_FILE = "is no file, and is read more than once: write what comes from it to one"
"""Of a pipe: there is nothing in it any more when it is read again, or nobody at its other end."""
_LOOKED_AT, _ENOUGH = 100, 10
_KEPT_PROBLEMS = 20
_NAMES = ("open", "high", "low", "close", "volume")


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    paths: tuple[Path, ...]
    symbol: str
    timeframe: str
    exchange: str = "imported"
    root: Path = DEFAULT_DIR
    replace: bool = False
    as_json: bool = False


class FileReport(msgspec.Struct):
    """What became of one file; it is also whom the reader of the file complains to."""

    path: Path
    rows: int = 0
    malformed_rows: int = 0
    problems: list[str] = []
    merged: Merged = msgspec.field(default_factory=Merged)

    def malformed(self, row: int, why: str) -> None:
        """Count a row that makes no sense."""
        self.malformed_rows += 1
        if len(self.problems) < _KEPT_PROBLEMS:
            self.problems.append(f"{self.path}:{row}: {why}")

    def cut_off(self, row: int, why: str) -> None:
        """Count the rest of a file that cannot be read as one row."""
        self.malformed(row, why)

    @property
    def is_clean(self) -> bool:
        """Whether every row is in the store now, as the file has it."""
        return not (self.malformed_rows or self.merged.kept)


def import_files(options: ImportOptions) -> int:
    """Import the files and tell what became of them; 0 when every row is in, else 1.

    Raises:
        ConfigError: a name or a file cannot be used; nothing was written.
        DataError: the store cannot be written.
    """
    series = checked_series(options.exchange, options.symbol, options.timeframe)
    import_parquet()
    _check_all(options.paths, series)
    progress, reports = Progress("import"), []
    with SeriesWriter(options.root, series) as writer:
        for number, path in enumerate(options.paths):
            progress.show(number / len(options.paths), path.name)
            reports.append(_import_one(writer, path, series, replace=options.replace))
    progress.end()
    _tell(reports, series, as_json=options.as_json)
    return EXIT_OK if all(report.is_clean for report in reports) else EXIT_FAILED


def _import_one(writer: SeriesWriter, path: Path, series: Series, *, replace: bool) -> FileReport:
    report, held, length_ms = FileReport(path), list[StoredRow](), series.timeframe_ms
    for number, fields in Recording(path).candle_rows(report):
        report.rows += 1
        try:
            held.append(row_of(fields, length_ms))
        except ValueError as error:
            report.malformed(number, str(error))
        if len(held) >= AT_ONCE:
            report.merged.take(writer.add(held, replace=replace))
            held.clear()
    report.merged.take(writer.add(held, replace=replace))
    return report


# ---------------------------------------------------------------- before anything is written


def _check_all(paths: Sequence[Path], series: Series) -> None:
    """Look at the beginning of every file.

    Raises:
        ConfigError: files cannot be used; a sentence for each.
    """
    problems = []
    for path in paths:
        try:
            _check(path, series)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(problems)


def _check(path: Path, series: Series) -> None:
    if path.is_dir():
        raise DataError(f"{path}: is a folder: name the files in it")
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: {NO_FILE}")
    _check_packing(path)
    recording = Recording(path)
    if recording.has_trades:
        raise DataError(f"{path}: holds trades: name files of candles")
    times = first_times_ms(recording, FileReport(path))
    if not times:
        raise DataError(
            f"{path}: there is no row with a time in its beginning: a candle has {WANTED_COLUMNS}"
        )
    step_ms = usual_step_ms(times)
    if len(times) > _ENOUGH and step_ms not in (0, series.timeframe_ms):
        found = f"{step_ms / 1000:g} s apart"
        asked = f"not {series.timeframe}: say with --timeframe how long they are"
        raise DataError(f"{path}: its candles are {found}, {asked}")


def _check_packing(path: Path) -> None:
    """Hold a packed file to its checksum, which stands at its end: after rows that may be false."""
    if path.suffix not in (".gz", ".zip"):
        return
    try:
        for _ in blocks_of(path):
            pass
    except EOFError:
        return  # it is cut: what comes before that is right
    except DAMAGE as error:
        raise DataError(f"{path}: is damaged ({error}): get it anew") from error


def usual_step_ms(times: Sequence[int]) -> int:
    """Give the commonest step between rows, either way; 0 when there is none."""
    steps = Counter(abs(after - before) for before, after in pairwise(times) if after != before)
    return steps.most_common(1)[0][0] if steps else 0


def first_times_ms(
    recording: Recording, complaints: Complaints, count: int = _LOOKED_AT
) -> list[int]:
    """Give the open times that can be read among the first rows."""
    times = []
    for _, fields in islice(recording.candle_rows(complaints), count):
        try:
            times.append(time_ns(fields[0]) // NS_PER_MS)
        except (ValueError, IndexError):
            continue
    return times


# ---------------------------------------------------------------- what is told


def _tell(reports: Sequence[FileReport], series: Series, *, as_json: bool) -> None:
    rows = [_row(report) for report in reports]
    if as_json:
        for report, row in zip(reports, rows, strict=True):
            write_line({"event": "file", **row, "problems": report.problems})
            for one in report.merged.conflicts:
                write_line({**conflict_event(one), "path": str(report.path)})
        return
    write_table(["path", "rows", "added", "same", "replaced", "kept", "malformed"], rows)
    for report in reports:
        lines = [*report.problems, *map(conflict_text, report.merged.conflicts)]
        for line in lines[:_KEPT_PROBLEMS]:
            say(line)
        if len(lines) > _KEPT_PROBLEMS:
            say(f"... and more of {report.path}: see --json")
    if any(report.merged.kept for report in reports):
        say(f"Stored candles of {series.symbol} were kept; --replace takes the offered ones.")


def _row(report: FileReport) -> dict[str, Any]:
    merged = report.merged
    return {
        "path": str(report.path),
        "rows": report.rows,
        "added": merged.added,
        "same": merged.same,
        "replaced": merged.replaced,
        "kept": merged.kept,
        "malformed": report.malformed_rows,
    }


def conflict_event(one: Conflict) -> dict[str, Any]:
    """Tell of two candles of one time for machines."""
    return {
        "event": "conflict",
        "ts": moment_text(one.stored[0]),
        "stored": dict(zip(_NAMES, one.stored[1:], strict=True)),
        "offered": dict(zip(_NAMES, one.offered[1:], strict=True)),
    }


def conflict_text(one: Conflict) -> str:
    """Say in a line where two candles of one time differ."""
    stored, offered = one.stored[1:], one.offered[1:]
    parts = [
        f"{name} {old} stored, {new} offered"
        for name, old, new in zip(_NAMES, stored, offered, strict=True)
        if old != new
    ]
    return f"{moment_text(one.stored[0])}: {'; '.join(parts)}"
