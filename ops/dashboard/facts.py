"""What a person wants to know of a run beside its figures: config, versions of files, times."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from decisions.chart_numbers import seconds
from ops.config_write import to_toml
from ops.health_text import one_line
from ops.run_files import (
    EFFECTIVE_CONFIG,
    JOURNAL,
    LEDGER,
    LOG,
    METRICS,
    METRICS_SUMMARY,
    PAPER_BOOK,
    STATUS,
)
from ops.secret_names import masked
from persistence.journal import segments

_LARGEST = 1 << 20
_FILES = (LEDGER, PAPER_BOOK, METRICS, METRICS_SUMMARY, STATUS, LOG)


def config_of(run_dir: Path) -> tuple[dict[str, Any], str]:
    """Give the effective config, secrets masked once more, and why there is none."""
    path = run_dir / EFFECTIVE_CONFIG
    try:
        if not path.is_file():
            return {}, f"{path.name} is missing"
        with path.open("rb") as file:
            text = file.read(_LARGEST).decode()
        if not text.strip():
            return {}, f"{path.name} is empty"
        shown = masked(tomllib.loads(text))
        if _has_overlong(shown):
            return {}, f"{path.name} holds an integer beyond 64 bits, which TOML does not have"
    except OSError as error:
        return {}, f"{path.name} cannot be read: {(error.strerror or str(error)).lower()}"
    except (ValueError, RecursionError):
        return {}, f"{path.name} is not TOML"
    return (shown, "") if isinstance(shown, dict) else ({}, f"{path.name} is not a table")


def _has_overlong(value: object) -> bool:
    """Whether an integer is in it that no float holds or, written in hex, no text may show."""
    if isinstance(value, Mapping):
        return any(map(_has_overlong, value.values()))
    if isinstance(value, list):
        return any(map(_has_overlong, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def toml_text(config: Mapping[str, Any]) -> str:
    """Give the config as a person reads it; empty when it cannot be written."""
    try:
        return to_toml(config) if config else ""
    except (ValueError, TypeError, RecursionError):
        return ""


def facts(run_dir: Path, config: Mapping[str, Any], status: Mapping[str, Any]) -> list[list[Any]]:
    """Give pairs of a label and a text; a moment is a number of seconds."""
    feed, venue = _table(config, "feed"), _table(config, "venue")
    rows: list[list[Any]] = [
        ["Run directory", str(run_dir)],
        ["Mode", _text(config.get("mode") or status.get("mode"))],
        ["Market", _market(feed, venue)],
        ["Venue", _venue(venue)],
        *[["Strategy", text] for text in _strategies(config)],
        ["Seed", _text(feed.get("seed")) if feed.get("type") == "demo" else ""],
        ["Versions", _versions(_table(status, "software"))],
        ["Host", _host(_table(status, "software"))],
        ["Process", _text(status.get("pid"))],
        ["Began", _moment(status.get("started_at_ns"))],
        ["Last sign of life", _moment(status.get("captured_at_ns"))],
        ["Exit code", _ended(_table(status, "ended"))],
        ["Files", _files(run_dir)],
    ]
    return [row for row in rows if row[1] not in ("", None)]


def _market(feed: Mapping[str, Any], venue: Mapping[str, Any]) -> str:
    symbols = feed.get("symbols")
    names = ", ".join(map(_text, symbols)) if isinstance(symbols, list) else ""
    where = venue.get("exchange") if feed.get("type") == "ccxt" else ""
    parts = [_text(feed.get("type")), _text(where), names, _text(feed.get("timeframe"))]
    return ", ".join(part for part in [*parts, _pace(feed.get("speed"))] if part)


def _pace(speed: object) -> str:
    if not isinstance(speed, int | float) or speed == 1:
        return ""
    try:
        return "as fast as possible" if not speed else f"{speed:g} times real time"
    except OverflowError:  # TOML has integers of any length, a float ends at 309 digits
        return ""


def _venue(venue: Mapping[str, Any]) -> str:
    if venue.get("type") == "ccxt":
        return f"{_text(venue.get('exchange'))} through ccxt"
    if venue.get("type") != "paper":
        return _text(venue.get("type"))
    fee, slippage = _text(venue.get("taker_fee_bps")), _text(venue.get("slippage_bps"))
    return f"paper, taker fee {fee} bps, slippage {slippage} bps"


def _strategies(config: Mapping[str, Any]) -> list[str]:
    listed = config.get("strategy")
    found = []
    for one in listed[:40] if isinstance(listed, list) else []:
        if isinstance(one, Mapping):
            given = one.get("params")
            params = given if isinstance(given, Mapping) else {}
            values = ", ".join(f"{key} {value}" for key, value in params.items())
            words = [_text(one.get(key)) for key in ("id", "uses", "symbol")]
            text = f"{words[0]}: {words[1]} on {words[2] or 'every symbol'}"
            found.append(f"{text} ({values})" if values else text)
    return found


def _versions(software: Mapping[str, Any]) -> str:
    names = {"watchkeeper": "Watchkeeper", "python": "Python", "sqlite": "SQLite", "ccxt": "ccxt"}
    return ", ".join(
        f"{name} {_text(software[key])}" for key, name in names.items() if software.get(key)
    )


def _host(software: Mapping[str, Any]) -> str:
    number = software.get("processors")
    parts = [_text(software.get("host")), _text(software.get("system"))]
    parts.append(f"{number} processors" if isinstance(number, int) else "")
    return ", ".join(part for part in parts if part)


def _ended(ended: Mapping[str, Any]) -> str:
    code, reason = _text(ended.get("exit_code")), one_line(_text(ended.get("reason")))
    return f"{code}: {reason}" if code and reason else code


def _files(run_dir: Path) -> str:
    parts = []
    for name in _FILES:
        try:
            size = os.stat(run_dir / name).st_size  # noqa: PTH116 - follows no glob
        except OSError:
            continue
        parts.append(f"{name} {_bytes(size)}")
    return ", ".join([*parts, *_journal(run_dir)])


def _journal(run_dir: Path) -> list[str]:
    try:
        sizes = [path.stat().st_size for path in segments(run_dir / JOURNAL)]
    except (OSError, ValueError):
        return []
    many = "segment" if len(sizes) == 1 else "segments"
    return [f"{JOURNAL} {_bytes(sum(sizes))} in {len(sizes)} {many}"] if sizes else []


def _bytes(size: int) -> str:
    for unit, one in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if size >= one:
            return f"{size / one:.3g} {unit}"
    return f"{size} bytes"


def _table(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    return value if isinstance(value, Mapping) else {}


def _moment(ts_ns: object) -> float | None:
    return seconds(ts_ns) if isinstance(ts_ns, int) and 0 < ts_ns < 8 * 10**18 else None


def _text(value: object) -> str:
    return "" if value is None else str(value)[:300]
