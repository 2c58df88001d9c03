"""Latency, throughput, mailboxes, restarts and alerts over time, ready to be drawn."""

from bisect import bisect_right
from collections.abc import Mapping
from math import isfinite
from typing import Any

from decisions.chart_numbers import drawn, seconds
from messages.ids import NS_PER_S
from ops.dashboard.column import Column
from ops.dashboard.fold import RunFold

STAGES = ("feed", "strategy", "risk", "claim", "send", "ack", "fill")
_RATES = ("events", "messages", "claimed", "filled", "rejected", "refused", "unknown")
_MOST_ACTORS = 24
_MOST_STAGES = 12
_MOST_GAPS = 60
_PERCENTS = (50.0, 95.0, 99.0)
_WORDS = (
    "path", "state", "epoch", "restarts", "mailbox", "capacity", "high_water", "processed",
    "p50_us", "p99_us", "dead_letters", "last_error", "problem",
)  # fmt: skip


def internals(fold: RunFold, status: Mapping[str, Any]) -> dict[str, Any]:
    """Give all of it on one axis of time, of which `step` is the width of a column in seconds."""
    columns = list(fold.columns)
    # A column is drawn only where something was counted; a rate is over its whole width.
    width_s = fold.columns.width_ns / NS_PER_S
    return {
        "t": [seconds(start_ns) for start_ns, _ in columns],
        "step": width_s,
        "gaps": _gaps(fold, [start_ns for start_ns, _ in columns]),
        "stages": _stages([column for _, column in columns]),
        "rates": _rates([column for _, column in columns], width_s),
        "mailboxes": _mailboxes([column for _, column in columns]),
        "happenings": [
            [seconds(one.at_ns), one.kind, one.who, one.text] for one in fold.happenings
        ],
        "happened": {
            key.partition(":")[2]: count
            for key, count in sorted(fold.totals.items())
            if key.startswith("happened:")
        },
        "firing": _firing(fold),
        "rejects": dict(fold.rejects.most_common(40)),
        "errors": dict(fold.errors.most_common(40)),
        "restarts": dict(fold.restarts.most_common(40)),
        "duplicates": fold.totals["duplicates"],
        "starts": fold.totals["starts"],
        "events": fold.totals["events"],
        "messages": fold.totals["messages"],
        "actors": _actors(status),
    }


def _gaps(fold: RunFold, starts_ns: list[int]) -> list[list[float]]:
    """Give the longest times without a line, from one column to another."""
    gaps: dict[int, int] = {}
    silences = [(a, b) for a, b in fold.silences if b - a > fold.silent_ns]
    for from_ns, until_ns in sorted(silences, key=lambda s: s[0] - s[1])[:_MOST_GAPS]:
        first, last = (max(bisect_right(starts_ns, at) - 1, 0) for at in (from_ns, until_ns))
        if first < last:
            gaps[starts_ns[first]] = starts_ns[last]
    return [[seconds(from_ns), seconds(gaps[from_ns])] for from_ns in sorted(gaps)]


def _stages(columns: list[Column]) -> dict[str, Any]:
    names = {name for column in columns for name in (*column.spreads, *column.given)}
    known = [stage for stage in STAGES if stage in names]
    ordered = [*known, *sorted(names - set(STAGES))][:_MOST_STAGES]
    return {stage: _stage(stage, columns) for stage in ordered}


def _stage(stage: str, columns: list[Column]) -> dict[str, Any]:
    series: dict[str, list[float | None]] = {"p50": [], "p95": [], "p99": [], "max": []}
    is_counted = any(stage in column.spreads for column in columns)
    total = 0
    whole: Any = None
    for column in columns:
        spread = column.spreads.get(stage)
        values: tuple[int, ...] | None = None
        if is_counted and spread is not None:
            values = (*spread.percentiles(_PERCENTS), spread.greatest)
            total += spread.count
            whole = _joined(whole, spread)
        elif not is_counted:
            values = column.given.get(stage)
        for name, value in zip(series, values or (None,) * 4, strict=True):
            series[name].append(None if value is None else drawn(value / 1_000_000))
    return {**series, "count": total, "all": _overall(whole), "is_counted": is_counted}


def _joined(whole: Any, spread: Any) -> Any:
    if whole is None:
        whole = type(spread)()
    whole.merge(spread)
    return whole


def _overall(whole: Any) -> list[float] | None:
    if whole is None:
        return None
    return [drawn(ns / 1_000_000) for ns in (*whole.percentiles(_PERCENTS), whole.greatest)]


def _rates(columns: list[Column], width_s: float) -> dict[str, list[float]]:
    rates = {name: [drawn(c.counts[name] / width_s) for c in columns] for name in _RATES}
    return {name: values for name, values in rates.items() if any(values)}


def _mailboxes(columns: list[Column]) -> dict[str, list[int | None]]:
    fullest: dict[str, int] = {}
    for column in columns:
        for path, depth in column.depths.items():
            fullest[path] = max(fullest.get(path, 0), depth)
    paths = sorted(fullest, key=lambda path: (-fullest[path], path))[:_MOST_ACTORS]
    return {path: [column.depths.get(path) for column in columns] for path in paths}


def _firing(fold: RunFold) -> list[str]:
    firing: dict[str, str] = {}
    for one in fold.happenings:
        if one.kind == "alert":
            firing[one.who] = one.text
        elif one.kind == "recovered":
            firing.pop(one.who, None)
        elif one.kind == "start":
            firing.clear()
    return list(firing.values())


def _actors(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = status.get("actors")
    actors = listed[:400] if isinstance(listed, list) else []
    return [
        {word: _plain(actor.get(word)) for word in _WORDS}
        for actor in actors
        if isinstance(actor, Mapping)
    ]


def _plain(value: object) -> object:
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, bool | int | float) or value is None:
        return value
    return str(value)[:500]
