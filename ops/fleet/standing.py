"""How a fleet stands: one object of plain values, for the page, for `/metrics` and for machines.

All of it is read from outside: what the orchestrator remembers of its bots, and what each says of
itself in its small files. A file that makes no sense says nothing; it never keeps the rest away.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec
import psutil

from decisions.fleet_bot import BotMemory, Phase
from messages.exact import is_sane_signed
from messages.ids import NS_PER_S
from ops.fleet.facts import is_of_process, is_word_of
from ops.run_files import METRICS_SUMMARY, STATUS
from ops.run_state import read_object

SCHEMA = 1
_MOST = 2**63
"""What no count and no moment of ours reaches."""
_MOST_DIGITS = 100
"""Behind the point: as many as sums of ours may have."""
_COUNTS = ("processed", "allowed", "rejected", "filled", "errors", "dupes_filtered")
Row = dict[str, Any]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One bot as its orchestrator knows it at one moment; nothing of it changes any more."""

    bot: str
    run_dir: str
    phase: str
    why: str
    since_ns: int
    restarts: int
    warnings: tuple[str, ...]
    pid: int | None
    exit: str | None = None
    begun_after: str = ""
    """The last word of the process before; see `ops.fleet.facts.word_of`."""


def seen_of(bot: str, run_dir: str, memory: BotMemory, pid: int | None, exit_: str | None) -> Seen:
    """Take down what an orchestrator knows of one bot."""
    return Seen(
        bot=bot,
        run_dir=run_dir,
        phase=str(memory.phase),
        why=memory.why,
        since_ns=memory.since_ns,
        restarts=memory.restarts,
        warnings=tuple(memory.warnings),
        pid=pid,
        exit=exit_,
        begun_after=memory.begun_after,
    )


def standing(
    fleet: str, orchestrator: int | None, bots: Iterable[Seen], now_ns: int | None = None
) -> dict[str, Any]:
    """Give the whole fleet; bots in its order."""
    at_ns = time.time_ns() if now_ns is None else now_ns
    rows = [bot_row(one, at_ns) for one in bots]
    return {
        "schema": SCHEMA,
        "fleet": fleet,
        "orchestrator": orchestrator,
        "at_ns": at_ns,
        "phases": {str(phase): 0 for phase in Phase} | Counter(row["phase"] for row in rows),
        "totals": _totals(rows),
        "bots": rows,
    }


def bot_row(seen: Seen, at_ns: int) -> Row:
    """Give one bot. What its process has not said itself is None or empty."""
    status = of_process(seen)
    summary = read_object(Path(seen.run_dir) / METRICS_SUMMARY) if status else {}
    if not is_of_process(summary, status):
        summary = {}  # of the process before: a counter would start where that one ended
    return {
        "bot": seen.bot,
        "phase": seen.phase,
        "why": seen.why,
        "warnings": list(seen.warnings),
        "pid": seen.pid,
        "exit": seen.exit,
        "since_s": max(at_ns - seen.since_ns, 0) / NS_PER_S if seen.since_ns else None,
        "restarts": seen.restarts,
        "run_dir": seen.run_dir,
        **_usage(seen.pid),
        "verdict": _text(status.get("verdict")),
        "verdict_why": _text(status.get("why")),
        "mode": _text(status.get("mode")),
        "ready": status.get("ready") is True,
        "halt": _text(_table(status.get("halt")).get("reason")),
        "said_s": _age_s(status, at_ns),
        "open_orders": _count(status.get("open_orders")),
        "unknown_orders": _count(_table(status.get("unknown")).get("count")),
        "pnl": _pnl(status.get("pnl")),
        "market_age_s": _oldest(status.get("market_age_s")),
        "alerts": _alerts(status.get("alerts")),
        "counts": {name: _count(summary.get(name)) or 0 for name in _COUNTS} if summary else {},
    }


def of_process(seen: Seen) -> dict[str, Any]:
    """Give the last word of the very process that runs; nothing of one before it."""
    status = read_object(Path(seen.run_dir) / STATUS)
    is_its = seen.pid is not None and is_word_of(status, seen.pid, seen.begun_after)
    return status if is_its else {}


def _totals(rows: Sequence[Row]) -> dict[str, Any]:
    equity: dict[str, Decimal] = {}
    for row in rows:
        for quote, one in row["pnl"].items():
            equity[quote] = equity.get(quote, Decimal(0)) + Decimal(one["equity"])
    return {
        "equity": {quote: f"{amount:f}" for quote, amount in sorted(equity.items())},
        "open_orders": sum(row["open_orders"] or 0 for row in rows),
        "unknown_orders": sum(row["unknown_orders"] or 0 for row in rows),
        "restarts": sum(row["restarts"] for row in rows),
        "rss_mb": round(sum(row["rss_mb"] or 0 for row in rows), 1),
        "halted": sum(bool(row["halt"]) for row in rows),
        "ready": sum(row["ready"] for row in rows),
        **{name: sum(row["counts"].get(name, 0) for row in rows) for name in _COUNTS},
    }


def _usage(pid: int | None) -> dict[str, float | None]:
    try:
        if pid is not None:
            process = psutil.Process(pid)
            times, memory = process.cpu_times(), process.memory_info()
            cpu_s = round(times.user + times.system, 2)
            return {"cpu_s": cpu_s, "rss_mb": round(memory.rss / 1e6, 1)}
    except psutil.Error:
        pass
    return {"cpu_s": None, "rss_mb": None}


def _age_s(status: Mapping[str, Any], at_ns: int) -> float | None:
    at = _count(status.get("captured_at_ns"))
    return None if at is None else max(at_ns - at, 0) / NS_PER_S


def _pnl(value: object) -> dict[str, dict[str, str]]:
    found = {}
    for quote, one in _table(value).items():
        equity, drawdown = (_money(_table(one).get(key)) for key in ("equity", "drawdown"))
        if equity is not None:
            found[quote] = {"equity": equity, "drawdown": drawdown or "0"}
    return found


def _money(value: object) -> str | None:
    try:
        amount = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None
    if amount is None or not is_sane_signed(amount):
        return None
    exponent = amount.as_tuple().exponent
    is_short = isinstance(exponent, int) and exponent > -_MOST_DIGITS
    return f"{amount:f}" if is_short else None  # else a text of as many digits as it says


def _oldest(value: object) -> float | None:
    ages = (one for one in _table(value).values() if isinstance(one, int | float))
    return max((float(age) for age in ages if 0 <= age < _MOST), default=None)


def _alerts(value: object) -> list[str]:
    firing = _table(value).get("firing")
    found = firing if isinstance(firing, list) else []
    return [_text(_table(one).get("sentence")) for one in found if _table(one).get("sentence")]


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < _MOST else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
