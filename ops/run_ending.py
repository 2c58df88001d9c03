"""How one run ends: with which exit code, and why."""

import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING

from actors.cell import Cell
from decisions.supervisor import is_failure
from messages.exit_codes import EXIT_EXHAUSTED, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from messages.ids import ActorPath
from messages.lifecycle import ActorState, Exit
from ops.stop_signals import StopSignals

if TYPE_CHECKING:
    from ops.wiring import System

_NEEDED = (ActorPath("root"), ActorPath("feeds"))


class RunEnding:
    """What has ended the run, as it becomes known; `reason` may be asked at any time."""

    def __init__(self, system: "System", signals: StopSignals) -> None:
        self._system, self._signals = system, signals
        self.code = EXIT_EXHAUSTED
        """Until another is known."""
        self.halted = ""
        """Why trading was halted as the end came."""
        self.mistake = ""
        """Of our own: what was raised that nobody expected."""
        self.unstarted = ""
        """What did not start."""
        self.was_asked = False
        """Whether somebody said `stop`."""
        self.root_exit: Exit | None = None
        """How the root supervisor ended; None while it lives, and where it was given up."""
        self.by_itself = False
        """Whether the root was over before anybody stopped it."""
        self.root_hung = False
        """Whether the root had to be given up, with all below it."""

    def look(self) -> None:
        """See who is halted; once before all are stopped, for a halted executor is stopped too."""
        self.halted = self.halted or self._halted()

    def stopped(self) -> int:
        """Give the exit code, now that all have stopped."""
        self.look()
        if self._signals.number == signal.SIGINT:
            return EXIT_INTERRUPTED
        if self._root_failed or gave_up(self._system.runtime.cells):
            return EXIT_EXHAUSTED
        return EXIT_FAILED if self.halted else EXIT_OK

    def reason(self) -> str:
        """Say why it ends."""
        if self.mistake:
            return f"a mistake of watchkeeper's own: {self.mistake}"
        if told := self._signals.told:
            halted = f"halted: {self.halted}" if self.halted else ""
            return "; ".join(one for one in (told, self._root_failed, halted) if one)
        if self.code == EXIT_EXHAUSTED:
            why = gave_up(self._system.runtime.cells) or "see health"
            return self.unstarted or self._root_failed or f"supervision exhausted: {why}"
        if self.code == EXIT_FAILED:
            return f"halted: {self.halted}"
        if self.by_itself:
            return "the market ended"
        return "stop was asked for" if self.was_asked else "the time was over"

    @property
    def _root_failed(self) -> str:
        if self.root_hung:
            return "the root supervisor hung, and was given up with all below it"
        return how_root_failed(self.root_exit)

    def _halted(self) -> str:
        cells = self._system.runtime.cells.values()
        told = (cell.problem for cell in cells if cell.state is ActorState.HALTED)
        return next(told, self._system.board.halt.text or self._system.board.unfinished)


def how_root_failed(root_exit: Exit | None) -> str:
    """Say that the root supervisor crashed, and why; empty where it did not."""
    if root_exit is None or not is_failure(root_exit.reason):
        return ""
    return f"the root supervisor crashed: {root_exit.error or root_exit.reason}"


def gave_up(cells: Mapping[ActorPath, Cell]) -> str:
    """Say who gave up, and why; empty when neither did that no run goes on without."""
    needed = (cells[path] for path in _NEEDED if path in cells)
    told = (cell for cell in needed if cell.problem and cell.state is not ActorState.HALTED)
    return next((f"{cell.path} {cell.problem}" for cell in told), "")
