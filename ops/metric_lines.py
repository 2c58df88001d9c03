"""Looks through `metrics.ndjson` and what was rotated away from it, oldest first."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from messages.catalogue import AnyMessage
from messages.codec import from_json
from messages.errors import CodecError
from ops.run_files import METRICS


class Told(msgspec.Struct, frozen=True):
    """A line that bears a message: when it was written, and the message as it stands there."""

    at_ns: int
    message: msgspec.Raw


_TOLD = msgspec.json.Decoder(Told)


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
    found = map(_object, _naming(run_dir, word))
    return [line for line in found if line is not None]


def messages_about(run_dir: Path, word: str) -> Iterator[tuple[int, AnyMessage]]:
    """Give each message in which a word stands, and when it was written; see `lines_about`.

    What is no message of the catalogue is passed over too.
    """
    for line in _naming(run_dir, word):
        try:
            told = _TOLD.decode(line)
            yield told.at_ns, from_json(bytes(told.message))
        except (CodecError, msgspec.MsgspecError, UnicodeDecodeError):
            continue


def _naming(run_dir: Path, word: str) -> list[bytes]:
    wanted, seen = word.encode(), dict[bytes, None]()
    for path in metric_files(run_dir):
        for line in _lines(path):
            if wanted in line:
                seen[line] = None
    return list(seen)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from file
    except (OSError, EOFError, zlib.error):
        return


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
