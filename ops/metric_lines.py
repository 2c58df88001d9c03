"""Looks through `metrics.ndjson` and what was rotated away from it, oldest first."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ops.run_files import METRICS


def metric_files(run_dir: Path) -> list[Path]:
    """Give the files that are there: numbered ones, one whose rotation is under way, the newest.

    Number 0 is a whole copy of what is set aside, which then goes.
    """
    numbered = []
    for path in run_dir.glob(f"{METRICS}.*.gz"):
        number = path.name[len(METRICS) + 1 : -len(".gz")]
        if number.isascii() and number.isdigit() and path.is_file():
            numbered.append((-int(number), path))
    aside = run_dir / f"{METRICS}.rotating"
    is_copied = any(number == 0 for number, _ in numbered)
    plain = [*([] if is_copied else [aside]), run_dir / METRICS]
    return [path for _, path in sorted(numbered)] + [path for path in plain if path.is_file()]


def all_lines(run_dir: Path) -> Iterator[bytes]:
    """Walk all lines that are kept, oldest first; see `lines_about` for what is passed over."""
    for path in metric_files(run_dir):
        yield from _lines(path)


def lines_about(run_dir: Path, word: str) -> list[dict[str, Any]]:
    """Give the lines in which a word stands, each once.

    A line that does not parse and a file that breaks off or goes away are passed over: these
    files are for people, the ledger is the truth. A rotation that was interrupted leaves the
    same lines in two files.
    """
    wanted, seen = word.encode(), dict[bytes, dict[str, Any]]()
    for path in metric_files(run_dir):
        for line in _lines(path):
            if wanted in line and line not in seen:
                found = _object(line)
                if found is not None:
                    seen[line] = found
    return list(seen.values())


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from file
    except (OSError, EOFError, zlib.error):
        return


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
