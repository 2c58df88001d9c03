"""What can be seen of one bot from outside: its small files, and nothing that it must answer."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from decisions.fleet_bot import BotFacts, Measure
from messages.ids import NS_PER_MS, NS_PER_S
from ops.run_files import METRICS_SUMMARY, STATUS
from ops.run_state import read_object

_ROOM = 1_048_576
"""A disk with fewer bytes left than this is full: a bot's own files no longer fit."""

_LONGEST = 200
"""Characters of a bot's own words: they are written down at each look, and told."""


class BotEyes:
    """Looks at one run directory, again and again: some measures are of what changed between.

    How old a last word is goes by our own monotonic clock, from the moment when it was first
    seen: a wall clock that jumps makes no bot look dead, or alive.
    """

    def __init__(
        self,
        run_dir: Path,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        room: Callable[[Path], int | None] | None = None,
    ) -> None:
        self._run_dir, self._monotonic_ns = run_dir, monotonic_ns
        self._room = room or room_of
        self.before = ""
        """The last word of the process before: a pid can come again."""
        self._word = ""
        self._word_at_ns = monotonic_ns()
        self._counted: tuple[int, int] | None = (0, 0)
        """Of the last summary, handled and failed; None: of one that began before we looked."""
        self._error_rate = 0.0
        self._begun_ns = monotonic_ns()
        self._full_at_ns = 0
        """When the disk was last seen full: silence counts from then on, once there is room."""

    def begin(self, *, is_new: bool) -> None:
        """Its process is about to be started, or has just been found.

        For one that was found the word `before` it stays the one that was known.
        """
        if is_new:
            self.before = word_of(read_object(self._run_dir / STATUS))
        self._word, self._error_rate = "", 0.0
        self._counted = (0, 0) if is_new else None
        self._begun_ns = self._monotonic_ns()

    def away(self, ns: int) -> None:
        """Nobody has looked for so long, and perhaps nobody ran: that is no silence of the bot."""
        self._word_at_ns += ns
        self._begun_ns += ns
        self._full_at_ns += ns

    def look(self, *, pid: int | None, exit_code: int | None) -> BotFacts:
        """Look at what its process `pid` says; None: there is no process any more."""
        now_ns = self._monotonic_ns()
        room = self._room(self._run_dir)
        if is_full := room is not None and room < _ROOM:
            self._full_at_ns = now_ns
        if pid is None:
            return BotFacts(is_running=False, exit_code=exit_code, is_disk_full=is_full)
        status = self._status(pid)
        could_ns = 0 if is_full else self._full_at_ns
        up_s = (now_ns - max(self._begun_ns, could_ns)) / NS_PER_S
        if not status:
            return BotFacts(is_running=True, up_s=up_s, is_disk_full=is_full)
        word = word_of(status)
        if word != self._word:
            self._word, self._word_at_ns = word, now_ns
        return BotFacts(
            is_running=True,
            said_s=(now_ns - max(self._word_at_ns, could_ns)) / NS_PER_S,
            up_s=up_s,
            halt=_words(_table(status.get("halt")).get("reason", "")),
            is_disk_full=is_full,
            measures=self._measures(status, read_object(self._run_dir / METRICS_SUMMARY)),
        )

    def is_ready(self, pid: int | None) -> bool:
        """Whether its process trades, or could."""
        return pid is not None and self._status(pid).get("ready") is True

    def _status(self, pid: int) -> dict[str, Any]:
        """Give what this very process says; nothing when that is of the process before."""
        status = read_object(self._run_dir / STATUS)
        return status if is_word_of(status, pid, self.before) else {}

    def _measures(
        self, status: Mapping[str, Any], summary: Mapping[str, Any]
    ) -> dict[Measure, float]:
        unknown = _table(status.get("unknown"))
        claim = _table(_table(summary.get("latency_ns")).get("decision_to_claim"))
        found = {
            Measure.DRAWDOWN: _largest(
                _table(of_quote).get("drawdown") for of_quote in _table(status.get("pnl")).values()
            ),
            Measure.MARKET_AGE_S: _largest(_table(status.get("market_age_s")).values()),
            Measure.UNKNOWN_ORDERS: _number(unknown.get("count")),
            Measure.UNKNOWN_S: _number(unknown.get("oldest_s")),
        }
        if is_of_process(summary, status):
            p99 = _number(claim.get("p99"))
            found[Measure.CLAIM_P99_MS] = None if p99 is None else p99 / NS_PER_MS
            found[Measure.ERROR_RATE] = self._rate(summary)
        return {measure: value for measure, value in found.items() if value is not None}

    def _rate(self, summary: Mapping[str, Any]) -> float | None:
        handled = _number(summary.get("processed"))
        errors = _number(summary.get("errors"))
        if handled is None or errors is None:
            return None
        now, before = (int(handled), int(errors)), self._counted
        if before is None:
            self._counted = now
            return None
        if now[0] < before[0] or now[1] < before[1]:
            before = (0, 0)
        if now != self._counted:
            more, failed = now[0] - before[0], now[1] - before[1]
            self._counted, self._error_rate = now, failed / max(more, failed, 1)
        return self._error_rate


def room_of(run_dir: Path) -> int | None:
    """Give the bytes that fit there, also where it is yet to be made; None: it cannot be told.

    None fit where there may be no more files: each of a bot's is written as a new one.
    """
    try:
        disk = os.statvfs(next(one for one in (run_dir, *run_dir.parents) if one.exists()))
    except (OSError, StopIteration):
        return None
    if disk.f_files and not disk.f_favail:
        return 0
    return disk.f_bavail * disk.f_frsize if disk.f_blocks else None


def is_of_process(summary: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """The summary of the process before stands there until this one writes its own."""
    begun, started = summary.get("started_at_ns"), status.get("started_at_ns")
    if not (isinstance(begun, int) and isinstance(started, int)):
        return False
    return abs(begun - started) < NS_PER_S


def word_of(status: Mapping[str, Any]) -> str:
    """Name what a process says at one moment; empty where nothing is said."""
    moments = (status.get("captured_at_ns"), status.get("started_at_ns"))
    plain = (one if isinstance(one, int | float | str) else None for one in moments)
    return " ".join(map(ascii, plain))[:_LONGEST] if status else ""


def is_word_of(status: Mapping[str, Any], pid: int, before: str) -> bool:
    """Whether process `pid` says this, and not one `before` it that had the same number."""
    return status.get("pid") == pid and word_of(status) != before


def _words(value: object) -> str:
    """Give a bot's own words as text that can be written down: half a character cannot."""
    return str(value)[:_LONGEST].encode(errors="replace").decode()


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    """Give what a JSON number or a money text is worth; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None


def _largest(values: Any) -> float | None:
    return max((one for one in map(_number, values) if one is not None), default=None)
