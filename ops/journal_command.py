"""The `journal` command: what a journal holds, and what of it can't be read."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from messages.codec import from_msgpack, to_json
from messages.errors import CodecError, ConfigError
from messages.exit_codes import EXIT_FAILED, EXIT_OK
from messages.outside import Origin
from ops.health_text import moment, one_line
from ops.run_files import JOURNAL
from persistence.frames import LOST, Frame, Lost, lost_of
from persistence.journal import Found, read_journal, segments, torn_tails

_GAPS_SHOWN = 10
_KEPT_WHEN = 'one is kept of a live market, or of any with journal.when = "always"'


def journal(run_dir: Path, *, as_json: bool) -> int:
    """Print it; give 1 when something but a torn tail can't be read.

    Raises:
        ConfigError: this run has no journal.
    """
    folder = journal_of(run_dir)
    return _lines(folder) if as_json else _summary(folder)


def journal_of(run_dir: Path) -> Path:
    """Give where the journal of a run lies.

    Raises:
        ConfigError: it has none.
    """
    folder = run_dir / JOURNAL
    if not segments(folder):
        raise ConfigError([f"{run_dir} has no journal: {_KEPT_WHEN}"])
    return folder


def _lines(folder: Path) -> int:
    code = EXIT_OK
    for item in read_journal(folder):
        if isinstance(item, Found):
            code = max(code, _code(item))
            _print(json.dumps({"damage": _row(item)}, sort_keys=True))
        else:
            row = _message(item)
            code = max(code, EXIT_FAILED if "problem" in row else EXIT_OK)
            _print(_json(row))
    for tail in torn_tails(folder):
        _print(json.dumps({"torn": {"file": tail.name, "bytes": _size(tail)}}))
    return code


def _summary(folder: Path) -> int:
    code, counts, types = EXIT_OK, Counter[str](), Counter[str]()
    first = last = None
    problems: list[str] = []
    gaps: list[dict[str, Any]] = []
    for item in read_journal(folder):
        if isinstance(item, Found):
            code = max(code, _code(item))
            name, damage = item.segment.name, item.damage
            _print(f"damage  {name} at byte {damage.offset}: {damage.reason}")
            continue
        first, last = first or item.at_ns, item.at_ns
        message = _message(item)
        if "problem" in message:
            problems.append(message["problem"])
        if "lost" in message:
            gaps.append(message)
        counts[message["origin"]] += message.get("lost", 1)
        types[type(message["message"]).__name__ if "message" in message else "?"] += 1
    if problems:
        code = EXIT_FAILED
        _print(f"damage  {len(problems)} message(s) cannot be read: {one_line(problems[0])}")
    for tail in torn_tails(folder):
        _print(f"torn    {tail.name}: {_size(tail)} bytes, cut off at a start")
    there = segments(folder)
    size = sum(map(_size, there))
    _print(f"{len(there)} segment(s), {size} bytes, {sum(counts.values())} messages")
    if first is not None and last is not None:
        _print(f"from {moment(first)} to {moment(last)}")
    for gap in gaps[:_GAPS_SHOWN]:
        since = f"from {moment(gap['from_ns'])} " if "from_ns" in gap else ""
        _print(f"missing {gap['lost']} messages {since}to {moment(gap['at_ns'])}")
    if len(gaps) > _GAPS_SHOWN:
        _print(f"missing in {len(gaps) - _GAPS_SHOWN} more places")
    for title, found in (("origin", counts), ("type", types)):
        pairs = ", ".join(f"{one_line(name)} {count}" for name, count in found.most_common())
        _print(f"{title:<8}{pairs}")
    return code


def _message(frame: Frame) -> dict[str, Any]:
    row: dict[str, Any] = {"at_ns": frame.at_ns, "actor": frame.path}
    row["origin"] = "lost" if frame.origin == LOST else _origin(frame.origin)
    try:
        if frame.origin == LOST:
            return {**row, **_lost(lost_of(frame))}
        return {**row, "message": from_msgpack(frame.payload)}
    except (CodecError, msgspec.MsgspecError) as error:
        return {**row, "problem": str(error)}


def _json(row: dict[str, Any]) -> str:
    if "message" in row:
        row = {**row, "message": msgspec.Raw(to_json(row["message"]))}
    text = msgspec.json.encode(row, order="sorted").decode()
    # A stranger's text may hold what a terminal acts on (C1); one of few letters lacks others.
    return text if text.isascii() else json.dumps(json.loads(text), separators=(",", ":"))


def _size(path: Path) -> int:
    """Give the bytes of a file; a living run may let go of it at any moment."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _lost(lost: Lost) -> dict[str, int]:
    since = {} if lost.since_ns is None else {"from_ns": lost.since_ns}
    return {"lost": lost.messages, **since}


def _origin(number: int) -> str:
    try:
        return Origin(number).name.lower()
    except ValueError:
        return f"unknown ({number})"


def _row(found: Found) -> dict[str, Any]:
    return {"segment": found.segment.name, **found.damage._asdict()}


def _code(found: Found) -> int:
    return EXIT_OK if found.damage.is_torn else EXIT_FAILED


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
