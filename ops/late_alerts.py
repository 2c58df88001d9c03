"""Alerts that are told when Metrics is over, `gone` above all: lines of its file all the same."""

import threading
from collections.abc import Callable
from typing import Any

from actors.dead_letters import DeadLetters
from actors.metrics import LineWriter, alert_line, summary_text
from decisions.metrics import MetricsFold
from messages.alerts import AlertTold
from ops.wiring import System

STOPPED = "stopped"
WRITE_S = 5.0


class LateAlerts:
    """`tell` on any thread; the rest on the main one, after the root has ended.

    `begin` comes first. `open_lines` and `write_summary` are those of Metrics; None where no
    metrics are kept.
    """

    def __init__(
        self,
        system: System,
        open_lines: Callable[[], LineWriter] | None,
        write_summary: Callable[[bytes], None] | None,
    ) -> None:
        self._system, self._open_lines, self._write_summary = system, open_lines, write_summary
        self._unread: list[AlertTold] = []
        self._told: list[AlertTold] = []
        self._is_ours = False
        self.tell: Callable[[AlertTold], object] = self._told.append

    def begin(self) -> bool:
        """Refuse more mail to Metrics, and take over what it was told and did not read.

        False when it is not over, as in a start that was given up: it goes on by itself. False too
        where it was given up: it waits for its disk, perhaps for ever, and so would we.
        """
        cell = self._system.metrics.cell
        life = cell.life
        if life is not None and (not life.gone.is_set() or life.fenced or cell.zombies):
            return False
        cell.mailbox.close(STOPPED)
        self._is_ours = True
        self._collect()
        return True

    def write(self) -> None:
        """Append a line for each; a disk that refuses is the problem of the metrics.

        So is one that takes nothing for a few seconds: the run ends without these lines.
        """
        if self._open_lines is None or not self._is_ours:
            return
        self._collect()  # and what was told between `begin` and the first that `tell` was given
        if not (self._unread or self._told):
            return
        writer = threading.Thread(
            target=self._write, args=(self._open_lines,), name="late alerts", daemon=True
        )
        writer.start()
        writer.join(WRITE_S)
        if writer.is_alive():
            problem = f"metrics.ndjson took nothing within {WRITE_S:.0f} s of the end"
            self._system.fold.keeping.problem = problem

    def _write(self, open_lines: Callable[[], LineWriter]) -> None:
        fold: MetricsFold = self._system.fold
        lines, utc_ns = open_lines(), self._system.runtime.clock.utc_ns
        for one in [*self._unread, *self._told]:
            lines.write(alert_line(one, utc_ns()))
        lines.close()
        fold.keeping.lines += lines.written
        fold.keeping.dropped_lines += lines.dropped
        fold.keeping.problem = lines.problem or fold.keeping.problem
        if self._write_summary is not None:
            try:
                self._write_summary(summary_text(fold, self._system.describe()))
            except OSError as error:
                fold.keeping.problem = f"metrics_summary.json: {error.strerror or error}"

    def _collect(self) -> None:
        """Take over, each once, what Metrics was told and did not read: letters may be let go."""
        known = {id(one) for one in self._unread}
        letters = _letters(self._system.runtime.dead_letters, self._system.metrics.cell.path)
        self._unread += [one for one in letters if id(one) not in known]


def _letters(letters: DeadLetters, path: Any) -> list[AlertTold]:
    return [
        letter.message
        for letter in list(letters.ring)
        if letter.path == path and isinstance(letter.message, AlertTold)
    ]
