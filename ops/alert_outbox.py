"""A thread for each address: letters in order, again and again until one is taken.

Nobody waits for it but an end in order, and that not for long.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from messages.alerts import AlertTold
from ops.alert_sender import Letter, Sender

MOST_WAITING = 100
GIVE_UP_S = 3_600.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
SLOW_S = 60.0
"""An attempt that takes longer is a problem: what takes letters answers within seconds."""

Told = Callable[["Post", str], object]
"""Called on the outbox's thread after the first attempt at a letter, and when it got through.

At the end on the thread that closes, with `ENDED_FIRST`, for each letter that still waits.
"""
ENDED_FIRST = "the process ended first"


class Post(NamedTuple):
    """A letter on its way."""

    letter: Letter
    fact: AlertTold
    """What it tells, for whoever counts."""
    since: float


class Outbox:
    """What waits for one address. `put` returns at once on any thread; `name` may be shown."""

    def __init__(
        self,
        name: str,
        make_sender: Callable[[], Sender],
        told: Told,
        *,
        first_pause_s: float = FIRST_PAUSE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.lost = 0
        """Letters given up: too old, or too many before them."""
        self._problem = ""
        self._asked_at: float | None = None
        """Since when an attempt is under way."""
        self._make_sender, self._told = make_sender, told
        self._first_pause_s, self._monotonic = first_pause_s, monotonic
        self._waiting: deque[Post] = deque()
        self._news = threading.Condition()
        self._is_closing = self._is_over = False
        self._thread = threading.Thread(target=self._run, name=f"alerts {name}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def put(self, post: Post) -> None:
        """Leave a letter; the oldest is given up when there are too many."""
        with self._news:
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft()
                self.lost += 1
            self._waiting.append(post)
            self._news.notify()

    @property
    def problem(self) -> str:
        """Why the last attempt failed, or that the present one does not end; else empty."""
        slow_s = self._slow_s()
        return f"it has not answered for {slow_s:.0f} s" if slow_s > SLOW_S else self._problem

    @property
    def hangs(self) -> bool:
        """Whether the present attempt does not end."""
        return self._slow_s() > SLOW_S

    def _slow_s(self) -> float:
        asked_at = self._asked_at
        return 0.0 if asked_at is None else self._monotonic() - asked_at

    @property
    def waiting(self) -> int:
        """How many letters were not taken yet."""
        return len(self._waiting)

    @property
    def undelivered(self) -> int:
        """How many letters an attempt failed with, or were given up."""
        return self.lost + (self.waiting if self.problem or self._is_over else 0)

    def hurry(self) -> None:
        """Send what waits, each once, from now on: the end has come."""
        with self._news:
            self._is_closing = True
            self._news.notify()

    def close(self, patience_s: float) -> None:
        """Send what waits, each once, for so long at most; tell of what was not taken by then."""
        self.hurry()
        if self._thread.is_alive():
            self._thread.join(patience_s)
        with self._news:
            left, self._is_over = list(self._waiting), True
        if left:
            self._asked_at, self._problem = None, ENDED_FIRST
        for post in left:
            self._told(post, ENDED_FIRST)

    def _run(self) -> None:
        send: Sender | None = None
        pause_s = self._first_pause_s
        told: Post | None = None
        while (post := self._next()) is not None:
            self._asked_at, is_last = self._monotonic(), self._is_closing
            try:
                send = send or self._make_sender()
                problem = send(post.letter)
            except Exception as error:  # noqa: BLE001 - a letter must not end what sends letters
                problem = f"it cannot be sent: {type(error).__name__}"
            self._asked_at, self._problem = None, problem
            if not problem or post is not told:
                self._told(post, problem)
            told = post
            if not problem:
                self._done(post)
                pause_s = self._first_pause_s
            elif is_last or self._monotonic() - post.since > GIVE_UP_S:
                self._done(post)
                self.lost += 1
            else:
                self._rest(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _next(self) -> Post | None:
        with self._news:
            while not self._waiting and not self._is_closing:
                self._news.wait()
            return self._waiting[0] if self._waiting else None

    def _done(self, post: Post) -> None:
        with self._news:
            if self._waiting and self._waiting[0] is post:
                self._waiting.popleft()

    def _rest(self, pause_s: float) -> None:
        with self._news:
            self._news.wait_for(lambda: self._is_closing, pause_s)


def close_all(outboxes: Iterable[Outbox], patience_s: float) -> None:
    """Close them, for so long at most in all: one that hangs takes no time from the others."""
    deadline = time.monotonic() + patience_s
    all_of_them = list(outboxes)
    for outbox in all_of_them:
        outbox.hurry()
    for outbox in all_of_them:
        outbox.close(max(deadline - time.monotonic(), 0.0))
