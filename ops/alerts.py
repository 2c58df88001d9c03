"""Alerts of a run: looks at it once a second, and tells people what is wrong and what is over.

A thread of its own judges; a thread for each address sends. Nothing here is waited for, and
nothing here stops trading.
"""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import msgspec

from actors.log import logger
from decisions.alert_rules import AlertRules
from decisions.alerting import AlertFold, Condition, Fault, Notice, Severity, Stage
from messages.alerts import AlertTold
from messages.ids import TimestampNs
from messages.lifecycle import Supervision
from ops.alert_addresses import shown
from ops.alert_outbox import Outbox, Post, close_all
from ops.alert_sender import Letter, Sender, apprise_sender
from ops.config import Config
from ops.run_files import typed
from ops.secret_values import cleaner

LOOK_EVERY_S = 1.0
CLOSE_S = 5.0
NO_ADDRESS = "no address is configured"

Snapshot = Mapping[str, Any]


class Alerts:
    """`urls` may be empty: faults are judged, shown and counted all the same.

    `tell` takes what was told, for the metrics; `secrets` are in nothing that is told. Any
    thread may call `observe` and `summary`.
    """

    def __init__(
        self,
        config: Config,
        urls: list[str],
        *,
        tell: Callable[[AlertTold], object] = lambda _: None,
        secrets: Collection[str] = (),
        sender: Callable[[str], Sender] = apprise_sender,
        utc_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._config, self.tell, self._clean = config, tell, cleaner(secrets)
        self._utc_ns, self._monotonic_ns = utc_ns, monotonic_ns
        self._rules = AlertRules(config.alerts.limits)
        self._fold = AlertFold(config.alerts.notice_limits)
        self._events: deque[Supervision] = deque(maxlen=1_000)
        self._happened: deque[Condition] = deque(maxlen=100)
        self._outboxes = [
            Outbox(
                f"{shown(url)} ({place})",
                partial(sender, url),
                partial(self._told, f"{place}: {shown(url)}"),
            )
            for place, url in enumerate(urls, 1)
        ]
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._firing: list[dict[str, Any]] = []
        self._problem = ""

    # ------------------------------------------------------------ from outside

    def start(self, take: Callable[[], Snapshot]) -> None:
        """Begin to look; `take` gives a snapshot on the thread of this."""
        for outbox in self._outboxes:
            outbox.start()
        self._thread = threading.Thread(target=self._run, args=(take,), name="alerts", daemon=True)
        self._thread.start()

    def observe(self, message: Any) -> None:
        """Take one of the messages that Metrics sees; returns at once."""
        if isinstance(message, Supervision):
            self._events.append(message)

    def happened(self, rule: str, sentence: str) -> None:
        """Take something critical that no snapshot shows; told at the next look."""
        self._happened.append(Condition(rule, rule, Severity.CRITICAL, sentence))

    def summary(self) -> dict[str, Any]:
        """Say what fires, what could not be told, and why nothing is judged if nothing is."""
        failing = [f"{one.name}: {one.problem}" for one in self._outboxes if one.problem]
        return {
            "firing": self._firing,
            "addresses": len(self._outboxes),
            "undelivered": max((one.undelivered for one in self._outboxes), default=0),
            "held_back": self._fold.waiting,
            "problem": "; ".join(failing),
            "rules_problem": self._problem,
        }

    def close(self, take: Callable[[], Snapshot] | None = None) -> None:
        """Look a last time, and send what waits, for a few seconds at most."""
        self._over.set()
        if self._thread is None:
            return
        self._thread.join(CLOSE_S)
        last = list(self._happened)
        if take is not None and not self._thread.is_alive():
            self._look_safely(take)
        self._happened.clear()
        try:
            self._tell_last(last)
        except Exception as error:  # noqa: BLE001 - an end goes on, whatever cannot be told
            self._note_failure(error)
        close_all(self._outboxes, CLOSE_S)

    def _tell_last(self, conditions: list[Condition]) -> None:
        """Tell what has happened at the end, also if the last look failed or hangs."""
        if self._thread is not None and self._thread.is_alive():  # which has the fold in hand
            notices = [
                Notice(c.rule, c.key, Stage.FIRING, c.severity, c.sentence) for c in conditions
            ]
        else:
            now_ns, utc_ns = self._monotonic_ns(), TimestampNs(self._utc_ns())
            notices = self._fold.take_last(conditions, now_ns, utc_ns)
            self._firing = [_row(fault, self._clean) for fault in self._fold.firing]
        for notice in notices:
            self._post(self._cleaned(notice), {"pid": os.getpid()})

    # ------------------------------------------------------------ on its own thread

    def _run(self, take: Callable[[], Snapshot]) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self._look_safely(take)

    def _look_safely(self, take: Callable[[], Snapshot]) -> None:
        try:
            self.look(take())
            self._problem = ""
        except Exception as error:  # noqa: BLE001 - it reads the state of whatever is failing
            self._note_failure(error)

    def _note_failure(self, error: Exception) -> None:
        said = self._clean(f"{type(error).__name__}: {error}")
        self._problem = f"the rules failed: {said}"
        logger.bind(actor="alerts").error(self._problem)

    def look(self, snapshot: Snapshot) -> list[Notice]:
        """Judge a snapshot, and what has happened since the last; tell what is due."""
        now_ns = self._monotonic_ns()
        while self._events:
            self._rules.supervision(self._events.popleft(), now_ns)
        while self._happened:
            self._rules.happened(self._happened.popleft(), now_ns)
        held = {fault.condition.key for fault in self._fold.firing}
        conditions = self._rules.look(snapshot, now_ns, held)
        notices = self._fold.take(conditions, now_ns, TimestampNs(self._utc_ns()))
        for notice in notices:
            self._post(self._cleaned(notice), snapshot)
        self._firing = [_row(fault, self._clean) for fault in self._fold.firing]
        return notices

    def _cleaned(self, notice: Notice) -> Notice:
        """An error's text goes to others' machines: no secret goes with it."""
        said = self._clean(notice.sentence)
        return msgspec.structs.replace(notice, sentence=said)

    def _post(self, notice: Notice, snapshot: Snapshot) -> None:
        log = logger.bind(actor="alerts", rule=notice.rule)
        log.info("alert {}: {}", notice.state, notice.sentence)
        fact = fact_of(notice, self._utc_ns())
        if not self._outboxes:
            self.tell(fact)
            return
        letter = letter_of(notice, self._config, snapshot)
        for outbox in self._outboxes:
            outbox.put(Post(letter, fact, time.monotonic()))

    # ------------------------------------------------------------ on an outbox's thread

    def _told(self, address: str, post: Post, problem: str) -> None:
        said = f"{address}: {problem}" if problem else ""
        if problem:
            logger.bind(actor="alerts").warning("not delivered to {}", said)
        replace = msgspec.structs.replace
        self.tell(replace(post.fact, delivered=not problem, problem=said))


def letter_of(notice: Notice, config: Config, snapshot: Snapshot) -> Letter:
    """Give a notice as a person reads it, on a telephone, at night."""
    is_over = notice.state is Stage.RECOVERED
    word = "over" if is_over else str(notice.severity).upper()
    said = f"Calm again: {notice.sentence}" if is_over else notice.sentence
    lines = [said, f"{config.mode}, pid {snapshot.get('pid', '?')} on {socket.gethostname()}"]
    if notice.held_back:
        lines.append(f"{notice.held_back} more came and went untold: too many in an hour")
    lines.append(f"watchkeeper health --run-dir {typed(config.run_dir)}")
    is_critical = notice.severity is Severity.CRITICAL
    return Letter(f"{config.name}: {word} {notice.rule}", "\n".join(lines), is_critical, is_over)


def _row(fault: Fault, clean: Callable[[str], str]) -> dict[str, Any]:
    condition = fault.condition
    return {
        "rule": condition.rule,
        "key": condition.key,
        "severity": str(condition.severity),
        "since_ns": fault.since_ns,
        "sentence": clean(condition.sentence),
    }


def fact_of(notice: Notice, at_ns: int) -> AlertTold:
    """Give a notice as a fact; nobody has taken it yet."""
    return AlertTold(
        rule=notice.rule,
        key=notice.key,
        state=str(notice.state),
        severity=str(notice.severity),
        sentence=notice.sentence,
        delivered=False,
        problem=NO_ADDRESS,
        ts_ns=TimestampNs(at_ns),
    )
