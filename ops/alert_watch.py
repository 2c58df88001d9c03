"""`alert watch`: tells when a run's process is gone without a goodbye, or says nothing any more.

A process of its own, for the dead tell nobody. It asks over the control socket and reads
`status.json`, and needs nothing of the run to be well. The run's own faults are the run's to tell.
"""

import signal
import sys
import threading
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from decisions.alerting import AlertFold, Condition, Notice, NoticeLimits, Severity, Stage
from messages.errors import ConfigError
from messages.ids import NS_PER_S, TimestampNs
from ops.alert_addresses import addresses, shown
from ops.alert_outbox import Outbox, Post
from ops.alert_sender import Letter, apprise_sender
from ops.alerts import CLOSE_S, fact_of
from ops.config_alerts import URLS_ENV
from ops.health import HealthOptions, look
from ops.health_text import duration
from ops.run_files import EFFECTIVE_CONFIG

EXIT_OK, EXIT_PROBLEM = 0, 1


class WatchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of `alert watch`."""

    run_dir: Path
    interval_s: float = 2.0
    stale_after_s: float = 15.0
    once: bool = False
    timeout_s: float = 2.0


def alert_watch(options: WatchOptions) -> int:
    """Watch until a signal comes; with `once`, look once and give 1 when something is wrong.

    Raises:
        ConfigError: nobody could be told.
    """
    variable = _variable(options.run_dir)
    urls = addresses(variable)
    if not urls:
        raise ConfigError([f"alerts: the environment variable {variable} is not set: export it"])
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: over.set())
    watch = Watch(options, urls)
    watch.look()
    while not options.once and not over.wait(options.interval_s):
        watch.look()
    watch.close()
    return EXIT_PROBLEM if options.once and (watch.wrong or watch.undelivered) else EXIT_OK


class Watch:
    """Looks at one run; `wrong` says what the last look found."""

    def __init__(self, options: WatchOptions, urls: list[str]) -> None:
        self.wrong: list[Condition] = []
        self._options = options
        self._fold = AlertFold(NoticeLimits(calm_s=0))
        self._outboxes = [_outbox(url, place) for place, url in enumerate(urls, 1)]
        for outbox in self._outboxes:
            outbox.start()

    def look(self) -> list[Notice]:
        """Look once, and tell what is new."""
        options = self._options
        seen = look(HealthOptions(run_dir=options.run_dir, timeout_s=options.timeout_s))
        self.wrong = conditions(seen, time.time_ns(), options.stale_after_s)
        notices = self._fold.take(self.wrong, time.monotonic_ns(), TimestampNs(time.time_ns()))
        for notice in notices:
            letter = _letter(notice, seen, options.run_dir)
            _say(f"{notice.state}: {notice.sentence}")
            for outbox in self._outboxes:
                outbox.put(Post(letter, fact_of(notice, time.time_ns()), time.monotonic()))
        return notices

    @property
    def undelivered(self) -> int:
        """How many letters were not taken by some address."""
        return sum(outbox.undelivered for outbox in self._outboxes)

    def close(self) -> None:
        """Send what waits."""
        for outbox in self._outboxes:
            outbox.close(CLOSE_S)


def conditions(seen: Mapping[str, Any], now_ns: int, stale_after_s: float) -> list[Condition]:
    """Judge what `health` shows of a run; pure.

    Nothing is wrong with a run that ended in order, or that never was.
    """
    captured = seen.get("captured_at_ns")
    age_s = (now_ns - captured) / NS_PER_S if isinstance(captured, int) else 0.0
    is_late = age_s > stale_after_s
    if seen.get("verdict") != "UNKNOWN":
        return [_silent(f"what it says is {duration(age_s)} old")] if is_late else []
    ended, why = seen.get("ended"), str(seen.get("why"))
    if "actors" not in seen:
        return []
    if not seen.get("gone"):
        return [_silent(f"the process does not answer: {why}")] if is_late else []
    if isinstance(ended, Mapping) and ended.get("exit_code") in (0, 130):
        return []
    return [Condition("gone", "gone", Severity.CRITICAL, why)]


def _silent(why: str) -> Condition:
    return Condition("gone", "silent", Severity.CRITICAL, why)


def _letter(notice: Notice, seen: Mapping[str, Any], run_dir: Path) -> Letter:
    is_over = notice.state is Stage.RECOVERED
    name = seen.get("name") or run_dir.name
    said = "It answers again." if is_over else notice.sentence
    lines = [said, f"watchkeeper health --run-dir {run_dir}"]
    title = f"{name}: {'over' if is_over else 'CRITICAL'} {notice.rule}"
    return Letter(title, "\n".join(lines), is_critical=True, is_over=is_over)


def _outbox(url: str, place: int) -> Outbox:
    def told(_: Post, problem: str) -> None:
        if problem:
            _say(f"not delivered to {place}: {shown(url)}: {problem}")

    return Outbox(f"{shown(url)} ({place})", lambda: apprise_sender(url), told)


def _variable(run_dir: Path) -> str:
    """Give the name that the run's own configuration gives it."""
    try:
        document = tomllib.loads((run_dir / EFFECTIVE_CONFIG).read_text())
    except (OSError, ValueError):
        return URLS_ENV
    alerts = document.get("alerts")
    found = alerts.get("urls_env") if isinstance(alerts, dict) else None
    return found if isinstance(found, str) and found else URLS_ENV


def _say(text: str) -> None:
    sys.stderr.write(f"watchkeeper: {text}\n")
    sys.stderr.flush()
