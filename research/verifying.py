"""`data verify`: every fault of recorded candles, with its file and row."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from exchanges.recordings import Recording
from exchanges.row_filter import sound_candles
from exchanges.row_times import wild_first_row
from exchanges.times import parse_timeframe
from messages.errors import ConfigError, DataError
from messages.exit_codes import EXIT_OK
from messages.ids import NS_PER_MS
from research.checking import SPIKE, Checker, Finding, Kind
from research.importing import NO_FILE, FileReport, first_times_ms, usual_step_ms
from research.month_file import read_footer
from research.printing import Progress, counted, say, write_line
from research.series import DEFAULT_DIR, moment_text, nothing_in

EXIT_WARNED, EXIT_BROKEN = 1, 2
_SHOWN = 20
"""Of one kind in one file, for people; --json has all of them."""
_SUFFIXES = (".parquet", ".pq", ".feather", ".json", ".json.gz", ".csv", ".csv.gz", ".zip")
_LOOKED_AT = 1_000
_MINUTE_MS = 60_000


class VerifyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    paths: tuple[Path, ...] = ()
    """Files and folders; none is the data directory."""
    root: Path = DEFAULT_DIR
    timeframe: str | None = None
    """Of files that do not say; None: the commonest step between their rows."""
    spike: float = SPIKE
    as_json: bool = False


def verify(options: VerifyOptions) -> int:
    """Print every finding; 0 for none, 1 for warnings only, 2 for what makes a row unusable.

    Raises:
        ConfigError: a path is not there, or a name cannot be used.
    """
    groups = _groups(options)
    counts: Counter[tuple[str, Kind]] = Counter()
    rows, files, progress = 0, 0, Progress("verify")
    total = sum(map(len, groups))
    for group in groups:
        timeframe_ms, wild_first = _timeframe_ms(group[0], options), _wild_first(group[0])
        checker = Checker(timeframe_ms, spike=options.spike, wild_first=wild_first)
        for path in group:
            progress.show(files / total, str(path))
            files += 1
            for finding in _checked(path, checker):
                counts[finding.file, finding.kind] += 1
                progress.end()
                _tell(finding, counts[finding.file, finding.kind], as_json=options.as_json)
        rows += checker.rows
    progress.end()
    return _end(counts, files, rows, as_json=options.as_json)


def _checked(path: Path, checker: Checker) -> Iterator[Finding]:
    """Give what is found in a file that follows those before it."""
    checker.begin(str(path), path.stem)
    rows_before = checker.rows
    try:
        recording = Recording(path)
        if recording.has_trades:
            checker.note(None, Kind.WRONG_COLUMNS, "it holds trades, and candles are verified")
            yield from checker.taken()
            return
        if recording.table is not None and recording.table.zone == "":
            checker.note(None, Kind.TIME_ZONE, "times name no zone: they are taken for UTC")
        for number, fields in recording.candle_rows(checker):
            checker.feed(number, fields)
            yield from checker.taken()
        if checker.rows == rows_before:
            checker.broken(Kind.UNREADABLE, "there is no candle in it")
    except DataError as error:
        text = str(error).removeprefix(f"{path}: ")
        checker.broken(Kind.WRONG_COLUMNS if " column " in text else Kind.UNREADABLE, text)
    yield from checker.taken()


def _timeframe_ms(path: Path, options: VerifyOptions) -> int:
    """Give the length of a file's candles: as asked, as it says itself, or as its rows look."""
    if options.timeframe is not None:
        return parse_timeframe(options.timeframe) // NS_PER_MS
    try:
        footer = read_footer(path) if path.suffix == ".parquet" else None
        if footer is not None:
            return footer.series.timeframe_ms
        recording = Recording(path)
        times = first_times_ms(recording, FileReport(path), _LOOKED_AT)
    except DataError:
        return _MINUTE_MS  # whoever reads it next says why it cannot be read
    return usual_step_ms(times) or _MINUTE_MS


def _wild_first(path: Path) -> int:
    try:
        rows = Recording(path).candle_rows(FileReport(path))
        return wild_first_row(sound_candles(rows))
    except DataError:
        return 0  # whoever reads it next says why it cannot be read


def _groups(options: VerifyOptions) -> list[list[Path]]:
    """Give the files, those that follow each other in one list: the months of a series."""
    if options.timeframe is not None:
        parse_timeframe(options.timeframe)
    named = options.paths or (options.root,)
    missing = [f"{path}: there is no such file or folder" for path in named if not path.exists()]
    if missing and not options.paths:
        missing = [nothing_in(options.root)]
    missing += [
        f"{path}: {NO_FILE}"
        for path in named
        if path.exists() and not (path.is_file() or path.is_dir())
    ]
    if missing:
        raise ConfigError(missing)
    groups: list[list[Path]] = []
    for path in named:
        groups += _in_folder(path) if path.is_dir() else [[path]]
    if not groups:
        raise ConfigError([f"{named[0]}: there is no file of candles in it"])
    return groups


def _in_folder(folder: Path) -> list[list[Path]]:
    series: dict[Path, list[Path]] = {}
    others: list[list[Path]] = []
    for path in sorted(folder.rglob("[!.]*")):
        if not path.is_file() or not path.name.lower().endswith(_SUFFIXES):
            continue
        if _is_of_a_series(path):
            series.setdefault(path.parent, []).append(path)
        else:
            others.append([path])
    return [*series.values(), *others]


def _is_of_a_series(path: Path) -> bool:
    try:
        return path.suffix == ".parquet" and read_footer(path) is not None
    except DataError:
        return False


def _tell(finding: Finding, number: int, *, as_json: bool) -> None:
    if as_json:
        write_line(finding.event())
    elif number <= _SHOWN:
        place = finding.file if finding.row is None else f"{finding.file}:{finding.row}"
        when = "" if finding.ts_ms is None else f" {moment_text(finding.ts_ms)}"
        say(f"{place}:{when} {finding.kind}: {finding.text}")


def _end(counts: "Counter[tuple[str, Kind]]", files: int, rows: int, *, as_json: bool) -> int:
    kinds: Counter[Kind] = Counter()
    for (_, kind), count in counts.items():
        kinds[kind] += count
    errors = sum(count for kind, count in kinds.items() if not kind.is_warning)
    warnings = sum(kinds.values()) - errors
    if as_json:
        told = {kind.value: count for kind, count in sorted(kinds.items())}
        end = {"files": files, "rows": rows, "errors": errors, "warnings": warnings}
        write_line({"event": "end", **end, "kinds": told})
    else:
        for (file, kind), count in counts.items():
            if count > _SHOWN:
                say(f"{file}: {kind}: {count - _SHOWN} more")
        sums = counted(errors, "error"), counted(warnings, "warning")
        say(f"{counted(files, 'file')}, {counted(rows, 'row')}: {', '.join(sums)}")
    return EXIT_BROKEN if errors else EXIT_WARNED if warnings else EXIT_OK
