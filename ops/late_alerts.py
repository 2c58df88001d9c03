"""Alerts that are told when Metrics is over, `gone` above all: lines of its file all the same."""

from collections.abc import Callable
from typing import Any

from actors.dead_letters import DeadLetters
from actors.metrics import LineWriter, alert_line, summary_text
from decisions.metrics import MetricsFold
from messages.alerts import AlertTold
from ops.wiring import System

STOPPED = "stopped"


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
        self.tell: Callable[[AlertTold], object] = self._told.append

    def begin(self) -> bool:
        """Refuse more mail to Metrics, and take over what it was told and did not read.

        False when it is not over, as in a start that was given up: it goes on by itself.
        """
        cell = self._system.metrics.cell
        if cell.life is not None and not cell.life.gone.is_set():
            return False
        cell.mailbox.close(STOPPED)
        self._collect()
        return True

    def write(self) -> None:
        """Append a line for each; a disk that refuses is the problem of the metrics."""
        self._collect()  # and what was told between `begin` and the first that `tell` was given
        if self._open_lines is None or not (self._unread or self._told):
            return
        fold: MetricsFold = self._system.fold
        lines, utc_ns = self._open_lines(), self._system.runtime.clock.utc_ns
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
