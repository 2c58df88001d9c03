"""`data list`: what a data directory holds, from the footers of its files alone."""

from pathlib import Path
from typing import Any

from messages.exit_codes import EXIT_OK
from research.month_file import import_parquet
from research.printing import say, write_line, write_table
from research.series import Series, moment_text, nothing_in
from research.store import footers, series_in

_COLUMNS = (
    "exchange",
    "symbol",
    "timeframe",
    "since",
    "until",
    "candles",
    "missing",
    "files",
    "bytes",
)


def list_data(root: Path, *, as_json: bool) -> int:
    """Print a line for each series.

    Raises:
        DataError: a file cannot be read, or pyarrow is missing.
    """
    import_parquet()
    rows = [_row(series, folder) for series, folder in series_in(root)]
    if as_json:
        for row in rows:
            write_line(row)
    elif rows:
        write_table(_COLUMNS, rows)
    else:
        say(f"{nothing_in(root)}.")
    return EXIT_OK


def _row(series: Series, folder: Path) -> dict[str, Any]:
    months = footers(folder)
    first_ms = min(footer.first_ms for _, footer in months)
    last_ms = max(footer.last_ms for _, footer in months)
    candles = sum(footer.rows for _, footer in months)
    return {
        "exchange": series.exchange,
        "symbol": series.symbol,
        "timeframe": series.timeframe,
        "since": moment_text(first_ms),
        "until": moment_text(last_ms + series.timeframe_ms),
        "candles": candles,
        "missing": (last_ms - first_ms) // series.timeframe_ms + 1 - candles,
        "files": len(months),
        "bytes": sum(path.stat().st_size for path, _ in months),
        "path": str(folder),
    }
