"""`alert watch`: tells when a run's process is gone without a goodbye, or says nothing any more.

A process of its own, for the dead tell nobody. It asks over the control socket and reads
`status.json`, and needs nothing of the run to be well. The run's own faults are the run's to tell.
"""

import contextlib
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from decisions.alerting import AlertFold, Condition, Notice, NoticeLimits, Severity, Stage
from messages.errors import ConfigError
from messages.exit_codes import EXIT_FAILED, EXIT_OK
from messages.ids import NS_PER_S, TimestampNs
from ops.alert_addresses import addresses, shown
from ops.alert_outbox import Outbox, Post, close_all
from ops.alert_sender import Letter, apprise_sender
from ops.alerts import CLOSE_S, fact_of
from ops.config_alerts import URLS_ENV
from ops.health import HealthOptions, look
from ops.health_text import duration
from ops.left_behind import ended_in_order
from ops.run_files import typed
from ops.run_state import last_config

_TICK_S = 0.1
_RULE = "gone"


class WatchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of `alert watch`."""

    run_dir: Path
    interval_s: float = 2.0
    stale_after_s: float = 15.0
    once: bool = False
    timeout_s: float = 2.0


def alert_watch(options: WatchOptions) -> int:
    """Watch until a signal comes; with `once`, look once and give 1 when something is wrong.

    Nothing to look at is wrong then too: a mistyped name must not be well for ever.

    Raises:
        ConfigError: nobody could be told.
    """
    variable = _variable(options.run_dir)
    urls = addresses(variable)
    if not urls:
        raise ConfigError([f"alerts: the environment variable {variable} is not set: export it"])
    signals = _Signals()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signals.note)
    watch = Watch(options, urls)
    watch.look()
    while not options.once and signals.none_within(options.interval_s):
        watch.look()
    watch.close()
    is_bad = watch.wrong or watch.unseen or watch.undelivered
    return EXIT_FAILED if options.once and is_bad else EXIT_OK


class _Signals:
    """Whether one came. A flag: to set an Event could wait for the very thread it interrupts."""

    def __init__(self) -> None:
        self._came = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """Called by Python on the main thread, in the middle of anything."""
        del number, frame
        self._came = True

    def none_within(self, seconds: float) -> bool:
        """Wait so long, or until a signal has come; say whether none has."""
        deadline = time.monotonic() + seconds
        while not self._came and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _TICK_S))
        return not self._came


class Watch:
    """Looks at one run; `wrong` and `unseen` say what the last look found."""

    def __init__(self, options: WatchOptions, urls: list[str]) -> None:
        self.wrong: list[Condition] = []
        self.unseen = ""
        """Why there was nothing to look at; empty when there was."""
        self._was_seen = False
        self._options = options
        self._fold = AlertFold(NoticeLimits(calm_s=0))
        self._outboxes = [_outbox(url, place) for place, url in enumerate(urls, 1)]
        for outbox in self._outboxes:
            outbox.start()

    def look(self) -> list[Notice]:
        """Look once, and tell what is new."""
        options = self._options
        seen = look(HealthOptions(run_dir=options.run_dir, timeout_s=options.timeout_s))
        self._note_unseen(seen)
        self.wrong = conditions(seen, time.time_ns(), options.stale_after_s)
        notices = self._fold.take(self.wrong, time.monotonic_ns(), TimestampNs(time.time_ns()))
        for notice in notices:
            letter = _letter(notice, seen, options.run_dir)
            _say(f"{notice.state}: {_said(notice, seen)}")
            for outbox in self._outboxes:
                outbox.put(Post(letter, fact_of(notice, time.time_ns()), time.monotonic()))
        return notices

    def _note_unseen(self, seen: Mapping[str, Any]) -> None:
        before, self.unseen = self.unseen, "" if "actors" in seen else str(seen.get("why"))
        if self.unseen and self.unseen != before:
            _say(f"nothing is seen {'any more' if self._was_seen else 'yet'}: {self.unseen}")
        self._was_seen = self._was_seen or not self.unseen

    @property
    def undelivered(self) -> int:
        """How many letters were not taken by some address."""
        return sum(outbox.undelivered for outbox in self._outboxes)

    def close(self) -> None:
        """Send what waits."""
        close_all(self._outboxes, CLOSE_S)


def conditions(seen: Mapping[str, Any], now_ns: int, stale_after_s: float) -> list[Condition]:
    """Judge what `health` shows of a run; pure.

    Nothing is wrong with a run that ended in order, or that never was.
    """
    captured = seen.get("captured_at_ns")
    age_s = (now_ns - captured) / NS_PER_S if isinstance(captured, int) else 0.0
    is_late = age_s > stale_after_s
    if seen.get("verdict") != "UNKNOWN":
        return [_wrong(f"what it says is {duration(age_s)} old")] if is_late else []
    why = str(seen.get("why"))
    if "actors" not in seen:
        return []
    if not seen.get("gone"):
        return [_wrong(f"the process does not answer: {why}")] if is_late else []
    return [] if ended_in_order(seen) else [_wrong(why)]


def recovered(seen: Mapping[str, Any]) -> str:
    """Say why nothing is wrong any more: that is not always that the run is well; pure."""
    if seen.get("verdict") != "UNKNOWN":
        return "It answers again."
    why = seen.get("why")
    if "actors" not in seen:
        return f"It can't be looked at any more: {why}"
    if seen.get("gone") and ended_in_order(seen):
        return f"It has ended in order: {why}"
    return f"Its status.json is written again; it does not answer yet: {why}"


def _wrong(why: str) -> Condition:
    """Silent and gone are one fault: a process that is stopped and then killed never came back."""
    return Condition(_RULE, _RULE, Severity.CRITICAL, why)


def _letter(notice: Notice, seen: Mapping[str, Any], run_dir: Path) -> Letter:
    is_over = notice.state is Stage.RECOVERED
    name = seen.get("name") or run_dir.name
    lines = [_said(notice, seen), f"watchkeeper health --run-dir {typed(run_dir)}"]
    title = f"{name}: {'over' if is_over else 'CRITICAL'} {notice.rule}"
    return Letter(title, "\n".join(lines), is_critical=True, is_over=is_over)


def _said(notice: Notice, seen: Mapping[str, Any]) -> str:
    return recovered(seen) if notice.state is Stage.RECOVERED else notice.sentence


def _outbox(url: str, place: int) -> Outbox:
    def told(_: Post, problem: str) -> None:
        if problem:
            _say(f"not delivered to {place}: {shown(url)}: {problem}")

    return Outbox(f"{shown(url)} ({place})", lambda: apprise_sender(url), told)


def _variable(run_dir: Path) -> str:
    """Give the name that the run's own configuration gives it."""
    alerts = last_config(run_dir).get("alerts")
    found = alerts.get("urls_env") if isinstance(alerts, dict) else None
    return found if isinstance(found, str) and found else URLS_ENV


def _say(text: str) -> None:
    # Whoever read it may be gone, and nobody may ever have: the watch goes on.
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"watchkeeper: {text}\n")
            sys.stderr.flush()
