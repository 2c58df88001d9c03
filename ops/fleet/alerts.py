"""Tells the addresses of alerts what is wrong with a fleet's bots: once, and once when it is over.

The same fold and the same outboxes as a bot's own alerts; a bot that is parked tells nobody.
"""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from decisions.alerting import AlertFold, Condition, Notice, NoticeLimits, Severity, Stage
from decisions.fleet_bot import BotMemory, Phase
from decisions.fleet_warnings import HALTED, kind_of
from messages.ids import TimestampNs
from ops.alert_addresses import shown
from ops.alert_outbox import Outbox, Post, close_all
from ops.alert_sender import Letter, apprise_sender
from ops.alerts import fact_of
from ops.run_files import typed

CLOSE_S = 5.0
_RULE = "fleet"
_ON_THE_WAY = (Phase.WAITING, Phase.DRAINING)


class FleetAlerts:
    """`path` is the fleet's file, `urls` are apprise's.

    `look` and `close` belong to one thread; others send.
    """

    def __init__(self, fleet: str, path: Path, urls: Iterable[str], calm_s: float = 30.0) -> None:
        self._fleet = fleet
        self._ps = f"watchkeeper orchestrate ps {typed(path)}"
        self._fold = AlertFold(NoticeLimits(calm_s=calm_s))
        self._problems: dict[str, str] = {}
        self._said = ""
        self._outboxes = [self._outbox(url, place) for place, url in enumerate(urls, 1)]
        for outbox in self._outboxes:
            outbox.start()

    @property
    def problem(self) -> str:
        """What could not be delivered, and where; empty when all was."""
        now = self._problems.copy()  # which those who send change
        now |= {one.name: "it does not answer" for one in self._outboxes if one.hangs}
        return "; ".join(f"{name}: {why}" for name, why in now.items())

    def new_problem(self) -> str:
        """Give what could not be delivered, once; it turns out on other threads, at any time."""
        before, self._said = self._said, self.problem
        return self._said if self._said != before else ""

    def look(self, bots: Mapping[str, BotMemory]) -> list[Notice]:
        """Tell what is new in how the bots stand; give what was told."""
        wrong = [one for name, memory in bots.items() for one in conditions(name, memory)]
        now_ns = TimestampNs(time.time_ns())
        notices = self._fold.take(wrong, time.monotonic_ns(), now_ns)
        for left, notice in zip(range(len(notices) - 1, -1, -1), notices, strict=True):
            waiting = 0 if left else self._fold.waiting
            letter = self._letter(notice, waiting)
            post = Post(letter, fact_of(notice, now_ns), time.monotonic())
            for outbox in self._outboxes:
                outbox.put(post)
        return notices

    def close(self) -> None:
        """Send what waits, for a while."""
        close_all(self._outboxes, CLOSE_S)

    def _letter(self, notice: Notice, waiting: int) -> Letter:
        """Write a notice; the last before the limits of an hour says how many they hold back."""
        is_over = notice.state is Stage.RECOVERED
        word = "over" if is_over else notice.severity.upper()
        lines = [f"It is over: {notice.sentence}" if is_over else notice.sentence]
        if notice.held_back:
            lines.append(f"{notice.held_back} more came and went untold: too many in an hour")
        if waiting:
            now = f"{self._ps} shows them now"
            lines.append(f"{waiting} more wait to be told, too many in an hour: {now}")
        title = f"{self._fleet}: {word} {notice.key}"
        is_critical = notice.severity is Severity.CRITICAL
        return Letter(title, "\n".join(lines), is_critical, is_over)

    def _outbox(self, url: str, place: int) -> Outbox:
        name = f"{shown(url)} ({place})"

        def told(_: Post, problem: str) -> None:
            if problem:
                self._problems[name] = problem
            else:
                self._problems.pop(name, None)

        return Outbox(name, lambda: apprise_sender(url), told)


def conditions(bot: str, memory: BotMemory) -> list[Condition]:
    """Give what is wrong with one bot and it does not tell by itself; pure.

    One that a person has ended, or has started anew, is as it should be, and of its halt a bot
    tells.
    """
    found = []
    if memory.phase is Phase.PARKED:
        said = f"{bot} is parked: {memory.why}"
        found.append(Condition(_RULE, f"{bot} parked", Severity.CRITICAL, said))
    elif memory.phase in _ON_THE_WAY and memory.has_failed:
        said = f"{bot} is being restarted: {memory.why}"
        found.append(Condition(_RULE, f"{bot} restarted", Severity.WARNING, said))
    found += [
        Condition(_RULE, f"{bot} {kind_of(said)}", Severity.WARNING, f"{bot}: {said}")
        for said in memory.warnings
        if kind_of(said) != HALTED
    ]
    return found
