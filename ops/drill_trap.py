"""The trap of the crash rehearsal: it springs once; it kills, crashes, hangs or freezes."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from actors.address import Address
from actors.cell import Cell
from actors.runtime import Runtime
from decisions.drill import LEDGER_BLOWS, Blow, Point
from decisions.drill_cancel import CancelPoint
from decisions.drill_exit import ExitPoint
from decisions.drill_stop import StopPoint
from messages.ids import EXECUTOR, ClientOrderId, OrderKey
from messages.lifecycle import ActorState, InjectCrash, InjectHang

METRICS = "metrics"
HELD_S = 20.0
"""How long a struck thread waits for its executor's successor at most."""
ZOMBIE_S = 0.3
"""How much later an executor that was replaced wakes up, and goes on where it hung."""
LINGER_S = 0.25
"""How long a process lives on that is about to be killed before a commit: what was let go too
early leaves it meanwhile."""
_BEFORE: tuple[StrEnum, ...] = (
    *(Point.BEFORE_CLAIM, Point.BEFORE_OUTCOME, Point.BEFORE_SETTLED, Point.BEFORE_RESEND),
    *(CancelPoint.BEFORE_HALT_KEPT, CancelPoint.BEFORE_UNWANTED, CancelPoint.BEFORE_END),
    CancelPoint.BEFORE_HALT_DROPPED,
    *(StopPoint.BEFORE_DECLARED, StopPoint.BEFORE_ARMED, StopPoint.BEFORE_ACTED),
    *(StopPoint.BEFORE_RETRIED, StopPoint.BEFORE_ENDED),
    *(ExitPoint.BEFORE_NOTED, ExitPoint.BEFORE_FILLED),
)
_HANGS = (Blow.EXECUTOR_HANG, Blow.STRATEGY_HANG, Blow.FEED_HANG, Blow.METRICS_HANG)
FROZEN_S = 6.0
"""How long a process stands still: longer than a request is good for, and than one of its own
waits to be sent."""


class Struck(Exception):
    """The crash of an actor, on its own thread, in the middle of what it does."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The decision under rehearsal."""

    order_key: OrderKey
    client_order_id: ClientOrderId


class Trap:
    """Springs once, when the target comes by the point. `tell` is how the parent hears of it."""

    def __init__(
        self,
        target: Target | None,
        point: StrEnum | None,
        blow: Blow,
        tell: Callable[..., object],
    ) -> None:
        self.target, self.point, self.blow = target, point, blow
        self.runtime: Runtime | None = None
        self.strategies: list[Address[Any]] = []
        self.feed: Address[Any] | None = None
        self.victims: dict[Cell, int] = {}
        """Who was struck, and the epoch that it was in."""
        self.gone_on = threading.Event()
        """Set when the parent has taken the ledger's server away."""
        self.say = tell
        self._lock = threading.Lock()
        self._sprung = self._has_struck = False

    def is_target(self, name: str) -> bool:
        """Whether an order key or a client order id is the target's."""
        return self.target is not None and name in (
            self.target.order_key,
            self.target.client_order_id,
        )

    def reach(self, point: StrEnum, name: str | None, *, holds: bool = True) -> bool:
        """Say that an order is at a point; strikes if it is the one, and says whether it did.

        Args:
            point: where it is.
            name: its key or its client order id; None where the point is not one order's.
            holds: whether this thread waits until the struck actor has a successor.
        """
        if not self._springs(point, name):
            return False
        self._strike()
        if self.blow in LEDGER_BLOWS:
            self.gone_on.wait(HELD_S)
        elif holds and self.blow in (Blow.EXECUTOR_CRASH, Blow.EXECUTOR_HANG):
            deadline = time.monotonic() + HELD_S
            while not self._replaced() and time.monotonic() < deadline:
                time.sleep(0.005)
        return True

    async def reach_on_loop(self, point: StrEnum, name: str | None) -> None:
        """Do the same without holding up the venue's loop."""
        if not self._springs(point, name):
            return
        self._strike()
        if self.blow in LEDGER_BLOWS:
            async with asyncio.timeout(HELD_S):
                while not self.gone_on.is_set():  # noqa: ASYNC110 - another thread sets it
                    await asyncio.sleep(0.005)
        elif self.blow in (Blow.EXECUTOR_CRASH, Blow.EXECUTOR_HANG):
            async with asyncio.timeout(HELD_S):
                while not self._replaced():  # noqa: ASYNC110 - another thread's state
                    await asyncio.sleep(0.005)

    @property
    def recovered(self) -> bool:
        """Whether all that was struck is back at work; metrics that hang are not waited for."""
        if self.blow is Blow.METRICS_HANG:
            return self._has_struck
        return self._has_struck and all(
            cell.epoch > epoch and cell.state in (ActorState.RUNNING, ActorState.HALTED)
            for cell, epoch in self.victims.items()
        )

    def _springs(self, point: StrEnum, name: str | None) -> bool:
        if point is not self.point or not (name is None or self.is_target(name)):
            return False
        with self._lock:
            first, self._sprung = not self._sprung, True
        if first:
            self.say(event="reached", point=point)
        return first

    def _strike(self) -> None:
        if self.blow is Blow.KILL:
            if self.point in _BEFORE:
                time.sleep(LINGER_S)
            os.kill(os.getpid(), signal.SIGKILL)
        addresses = self._addresses()
        self.victims = {address.cell: address.cell.epoch for address in addresses}
        self._has_struck = True  # from here on: who were to be asked before, all would be well
        if self.blow is Blow.FREEZE:
            os.kill(os.getpid(), signal.SIGSTOP)  # the parent lets it go on
        for address in addresses:
            life = address.cell.life
            own = life is not None and life.thread is threading.current_thread()
            if self.blow in _HANGS:
                if own and life is not None:
                    life.stuck.wait(HELD_S)
                    time.sleep(ZOMBIE_S)
                else:
                    address.tell(InjectHang(reason="drill"))
            elif own:
                raise Struck(f"drill: {self.point}")
            else:
                address.tell(InjectCrash(reason="drill"))

    def _addresses(self) -> list[Address[Any]]:
        assert self.runtime is not None, "given before the start"
        match self.blow:
            case Blow.EXECUTOR_CRASH | Blow.EXECUTOR_HANG:
                return [self.runtime.address(EXECUTOR)]
            case Blow.STRATEGY_CRASH | Blow.STRATEGY_HANG:
                return self.strategies
            case Blow.METRICS_CRASH | Blow.METRICS_HANG:
                return [self.runtime.address(METRICS)]
            case Blow.FEED_CRASH | Blow.FEED_HANG:
                return [self.feed] if self.feed is not None else []
        return []

    def _replaced(self) -> bool:
        return all(
            cell.epoch > epoch and cell.life is not None and cell.life.ready.is_set()
            for cell, epoch in self.victims.items()
        )
