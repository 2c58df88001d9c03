"""The demo kills its own executor once, on purpose, and shows what that did to the orders."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from actors.address import Address
from messages.lifecycle import InjectCrash
from ops.final_word import against_venue, proof_of

AFTER_S = 15.0
REASON = "the demo kills its own executor"
_REST = 10
"""So many times as long as a count took, it is not counted again: the panel is no burden."""


class _Told(Protocol):
    def killed(self, actor: str, reason: str) -> None:
        """See `ops.narrator.Narrator`."""


class DemoKill:
    """Kills the executor `AFTER_S` after this was made, and never again."""

    def __init__(self, executor: Address[Any], narrator: _Told) -> None:
        self._executor, self._narrator = executor, narrator
        self._due: float | None = time.monotonic() + AFTER_S

    def look(self, now: float) -> None:
        """Do it if it is due; `now` is monotonic seconds."""
        if self._due is None or now < self._due:
            return
        self._due = None
        self._narrator.killed(self._executor.path, REASON)
        self._executor.tell(InjectCrash(reason=REASON))


class KillShown:
    """One sentence for a person: how long ago that was, and that no order is doubled or lost.

    The files are read for each that is asked for, twice a second, and more seldom where there is
    much in them.
    """

    def __init__(self, run_dir: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._run_dir, self._clock = run_dir, clock
        self._at = self._next_count = clock()
        self._counted: dict[str, int] | None = None

    @property
    def is_well(self) -> bool | None:
        """Whether the last count found every order once, with its decision; None: not counted."""
        found = self._counted
        return None if found is None else not (found["doubled"] or found["unexplained"])

    def sentence(self) -> str:
        """Count, if it is time to, and say it."""
        now = self._clock()
        if now >= self._next_count:
            self._counted = against_venue(self._run_dir)
            took = self._clock() - now
            self._next_count = now + took * (1 + _REST)
        ago = f"{now - self._at:.0f} s ago"
        return f"The demo killed its own executor {ago}, on purpose: {proof_of(self._counted)}."
