"""A data directory: its series, and the one writer that a series may have at a time."""

import fcntl
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from messages.errors import DataError
from research.candle_row import StoredRow
from research.merging import Merged, in_order
from research.month_file import (
    TEMPORARY,
    Footer,
    flush,
    import_parquet,
    merge_into,
    read_footer,
    read_times,
)
from research.series import MONTH_NAME, Series, month_end_ms, month_of

_LOCK = ".lock"


class SeriesWriter:
    """Adds candles to one series; use it as a context. What is added is on disk when it returns.

    Raises:
        DataError: another process writes this series, it cannot be written, or pyarrow is missing.
    """

    def __init__(self, root: Path, series: Series) -> None:
        import_parquet()
        self._series = series
        self.folder = series.folder(root)
        try:
            _make(self.folder)
            self._lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise DataError(f"{self.folder}: cannot be written ({why}): name a --dir") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise DataError(
                f"{self.folder}: another process writes it: wait for its end"
            ) from error
        except OSError as error:
            os.close(self._lock)
            raise DataError(
                f"{self.folder}: cannot be locked ({error}): use a local disk"
            ) from error
        for left in self.folder.glob(f".*{TEMPORARY}"):
            left.unlink()

    def __enter__(self) -> "SeriesWriter":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def add(self, rows: Iterable[StoredRow], *, replace: bool = False) -> Merged:
        """Merge rows, in any order, into their months.

        Raises:
            DataError: a month is damaged; months before it are complete, it is as it was.
        """
        whole = Merged()
        ordered = in_order(rows, whole, replace=replace)
        for month, part in _by_month(ordered):
            path = self.folder / f"{month}.parquet"
            whole.take(merge_into(path, self._series, part, replace=replace))
        return whole

    def times(self) -> Iterator[int]:
        """Give all open times in ms, in order."""
        return times_of(self.folder)


def _make(folder: Path) -> None:
    """Make a folder and those above it; a loss of power does not take their names away again."""
    above = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in above:
        flush(made.parent)


def _by_month(rows: Sequence[StoredRow]) -> Iterator[tuple[str, Sequence[StoredRow]]]:
    start = 0
    while start < len(rows):
        first_ms = rows[start][0]
        end = bisect_left(rows, month_end_ms(first_ms), start, key=lambda row: row[0])
        yield month_of(first_ms), rows[start:end]
        start = end


def months_of(folder: Path) -> list[Path]:
    """Give the files of a series in order of time."""
    found = (one for one in folder.glob("*.parquet") if MONTH_NAME.fullmatch(one.stem))
    return sorted(found)


def times_of(folder: Path) -> Iterator[int]:
    """Give all open times of a series in ms, in order."""
    for path in months_of(folder):
        for run in read_times(path):
            yield from run


def footers(folder: Path) -> list[tuple[Path, Footer]]:
    """Give what the months of a folder say of themselves, without what is not of the store.

    Raises:
        DataError: a file is not readable.
    """
    read = ((path, read_footer(path)) for path in months_of(folder))
    return [(path, footer) for path, footer in read if footer is not None]


def series_in(root: Path) -> list[tuple[Series, Path]]:
    """Give every series of a data directory, in order, with its folder.

    Raises:
        DataError: a file is not readable.
    """
    found: list[tuple[Series, Path]] = []
    for folder in sorted({path.parent for path in root.glob("*/*/*/*.parquet")}):
        footer = next(filter(None, map(read_footer, months_of(folder))), None)
        if footer is not None:
            found.append((footer.series, folder))
    return sorted(found)
