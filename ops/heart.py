"""Tells systemd that the run is ready and alive, as the supervisor judges, and feels the pulse.

A loop that merely turns proves nothing: the watchdog is fed only while the root supervisor
runs and does its rounds. A venue that is away and a halt feed it too: a restart mends neither.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Self

from actors.cell import Cell
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState
from ops.notify import STATUS_LIMIT, notify, notify_address

BEAT_S = 0.5
ROUND_LIMIT_S = 10.0
"""How long the root supervisor may not have done its round."""
_BEATS_KEPT = 20
_STOOD_STILL_S = 2.0

Snapshot = Mapping[str, Any]


class Heart:
    """A thread that beats twice a second. `take` gives a snapshot; it is asked once a second.

    Without ``NOTIFY_SOCKET`` in the environment nobody is told, and the pulse is felt alone.
    """

    def __init__(
        self,
        root: Cell,
        take: Callable[[], Snapshot],
        environment: Mapping[str, str] = os.environ,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root, self._take, self._monotonic = root, take, monotonic
        self._address = notify_address(environment)
        self._feeds = _feeds_watchdog(environment)
        self._is_ready = self._is_stopping = False
        self._late_s: deque[float] = deque([0.0], maxlen=_BEATS_KEPT)
        self._woke_s: float | None = None
        """When it was last late by seconds."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> Self:
        """Begin to beat."""
        self._thread.start()
        return self

    def stopping(self) -> None:
        """Say that the process stops. What drains is alive: how long it may is systemd's to say."""
        self._is_stopping = True
        self._notify("STOPPING=1")

    def close(self, reason: str) -> None:
        """Say how it ended, and beat no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(2 * BEAT_S)
        self._notify("STOPPING=1", f"STATUS={reason}")

    def pulse(self) -> dict[str, Any]:
        """Say by how much the last beats came late: how long threads wait for the interpreter."""
        return {"late_ms": max(self._late_s) * 1_000}

    @property
    def is_alive(self) -> bool:
        """Whether the root supervisor runs and does its rounds, or is being stopped."""
        return self._is_stopping or (self._root.state is ActorState.RUNNING and self.does_rounds())

    def does_rounds(self) -> bool:
        """Whether the root supervisor has done its round in time. Any thread.

        Where this thread was late by seconds, nobody had a turn, as in a process that was stopped:
        then it has that time once more.
        """
        woke_s = self._woke_s
        if woke_s is not None and self._monotonic() - woke_s < ROUND_LIMIT_S:
            return True
        return does_rounds(self._root)

    def beat(self) -> None:
        """Tell once; called on the thread of this."""
        if not self._address:
            return
        if self._root.ends_for_good and not self._is_stopping:
            self.stopping()  # nobody asked for it: the market has ended, or the root gives up
        if self._feeds and self.is_alive:
            self._notify("WATCHDOG=1")
        snapshot = self._take()
        if snapshot.get("ready") and not self._is_ready:
            self._is_ready = self._notify("READY=1")
        why = str(snapshot.get("why") or "")
        self._notify(f"STATUS={snapshot.get('verdict')} {why}"[:STATUS_LIMIT])

    def _run(self) -> None:
        due = self._monotonic() + BEAT_S
        while not self._over.wait(max(due - self._monotonic(), 0)):
            now = self._monotonic()
            self._felt(now - due)
            due = now + BEAT_S
            try:
                self.beat()
            except Exception:  # noqa: BLE001, S112 - a snapshot may fail: the next beat tells
                continue

    def _felt(self, late_s: float) -> None:
        self._late_s.append(late_s)
        if late_s > _STOOD_STILL_S:
            self._woke_s = self._monotonic()

    def _notify(self, *words: str) -> bool:
        return notify(self._address, *words)


def does_rounds(root: Cell) -> bool:
    """Whether a root supervisor has done its round in time, or waits for a child that has its own.

    It has none above it that would find it hung.
    """
    wait_ns = 0 if root.life is None else root.life.may_wait_ns  # first: it ends with a round
    if wait_ns is None:
        return True
    return root.monotonic_ns() - root.progress_ns < ROUND_LIMIT_S * NS_PER_S + wait_ns


def _feeds_watchdog(environment: Mapping[str, str]) -> bool:
    """Whether systemd waits for this process to say that it lives."""
    pid = environment.get("WATCHDOG_PID", "")
    is_ours = not pid or pid == str(os.getpid())
    return (
        is_ours
        and environment.get("WATCHDOG_USEC", "0").isdigit()
        and bool(int(environment.get("WATCHDOG_USEC", "0")))
    )
