"""A start that waits for what is only away: it is tried again as a whole, each try like any other.

So a try that failed leaves what any refused start leaves: the lease given back, the run directory
let go of. Nothing is held while it waits, and another process may have the account meanwhile.
"""

import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from random import Random, SystemRandom
from typing import TypeVar

from exchanges.backoff import backoff_ms
from messages.errors import Away, VenueError
from ops.notify import STATUS_LIMIT, notify, notify_address
from ops.secret_values import cleaner
from ops.signals import Signals, ended_by_signals

T = TypeVar("T")

_LEAST_MS, _MOST_MS = 1_000, 30_000


def say(text: str) -> None:
    """Tell a person on the terminal, or the journal of systemd."""
    sys.stderr.write(f"watchkeeper: {text}\n")
    sys.stderr.flush()


class Waiting:
    """One start's patience: `limit_s` from the first time that something was away; 0 is none."""

    def __init__(
        self,
        limit_s: float,
        secrets: Collection[str],
        *,
        rng: Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
        tell: Callable[[str], object] = say,
    ) -> None:
        self._limit_s, self._clean = limit_s, cleaner(secrets)
        self._rng = rng or SystemRandom()
        self._monotonic, self._pause, self._tell = monotonic, pause, tell
        self._address = notify_address()
        self._said: set[str] = set()
        self._since: float | None = None
        self._until = 0.0
        self.waited = ""
        """What was waited for, in a sentence; empty where nothing was."""

    def until_there(self, attempt: Callable[[], T]) -> T:
        """Give what an attempt gives, as soon as all is there that it needs.

        A signal ends the waiting, and an attempt, at once and in order.

        Raises:
            Away: the time is over; it is what the last attempt was refused with.
        """
        if not self._limit_s:
            return attempt()
        with ended_by_signals() as signals:
            return self._tried(attempt, signals)

    def say_once(self, text: str) -> None:
        """Tell a person, once however many attempts say it."""
        if text not in self._said:
            self._said.add(text)
            self._tell(text)

    @contextmanager
    def not_counting(self) -> Iterator[None]:
        """Leave out the time that passes within: standing by is no waiting of this kind."""
        began = self._monotonic()
        try:
            yield
        finally:
            self._until += self._monotonic() - began

    def _tried(self, attempt: Callable[[], T], signals: Signals) -> T:
        tries = 0
        while True:
            try:
                got = attempt()
            except Away as error:
                tries += 1
                pause_s = self._pause_s(error, tries)
                if pause_s <= 0:
                    raise
                self._say(error)
            else:
                self._end()
                return got
            signals.check()
            self._pause(pause_s)

    def _pause_s(self, error: Away, tries: int) -> float:
        now = self._monotonic()
        if self._since is None:
            self._since, self._until = now, now + self._limit_s
        asked_ms = error.retry_after_ms if isinstance(error, VenueError) else None
        wanted_ms = max(backoff_ms(tries, _LEAST_MS, _MOST_MS, self._rng), asked_ms or 0)
        return min(wanted_ms / 1_000, self._until - now)

    def _say(self, error: Away) -> None:
        text = self._clean(f"waiting for {error.what}: {error}")
        notify(self._address, f"STATUS={text}"[:STATUS_LIMIT])
        if error.what not in self._said:
            self._said.add(error.what)
            self._tell(f"{text}; for up to {self._limit_s:g} s")
        self.waited = text

    def _end(self) -> None:
        if self._since is not None:
            self.waited = (
                f"{self.waited}; it is there after {self._monotonic() - self._since:.0f} s"
            )
