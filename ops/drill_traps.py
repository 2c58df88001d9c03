"""What the crash rehearsal puts around the parts of a run, so that they can be struck.

Each wrapper does what its part does, and says when the order under rehearsal comes by. It is
wired by the rehearsal's own child process alone; a run in earnest knows nothing of it.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from actors.address import Address
from actors.asking import BY_ASKING
from actors.cell import Cell
from actors.thread_runtime import ThreadRuntime
from decisions.drill import LEDGER_BLOWS, Blow, Point
from decisions.drill_cancel import CancelPoint
from decisions.drill_exit import ExitPoint
from decisions.drill_stop import StopPoint
from exchanges.ccxt_venue import CcxtVenue
from exchanges.facts import VenueFacts
from exchanges.protocol import NewOrder
from messages.errors import LedgerLost
from messages.ids import EXECUTOR, ClientOrderId, OrderKey, Symbol, VenueOrderId
from messages.lifecycle import ActorState, InjectCrash, InjectHang
from messages.market import MarketAck
from messages.orders import LookupDone, OrderIntent, OrderReport, OrderUpdate, SubmitDone
from messages.stops import Stop
from messages.values import OrderState
from ops.drill_refusal import Refusal
from persistence.entries import NO_NOTES, NO_STOPS
from persistence.ledger import Claim, LedgerEntry, Step
from persistence.stored_ledger import StoredLedger, Write

HALT_REASON = "the drill halts"
"""Why trading is halted where it is."""
EXCHANGE = "binance"
"""Which one is played; decisions are keyed by it."""
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
UNANSWERED = "drill: the server was lost before it answered a commit"
FROZEN_S = 6.0
"""How long a process stands still: longer than a request is good for, and than one of its own
waits to be sent."""
PENDING_S = 0.4
"""How long after it left a request counts as waiting for its answer."""


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
        self.runtime: DrillRuntime | None = None
        self.strategies: list[Address[Any]] = []
        self.feed: Address[Any] | None = None
        self.victims: dict[Cell, int] = {}
        """Who was struck, and the epoch that it was in."""
        self.gone_on = threading.Event()
        """Set when the parent has taken the ledger's server away."""
        self.say = tell
        self._lock = threading.Lock()
        self._sprung = False

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
        """Whether all that was struck is back at work."""
        return self._sprung and all(
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
        if self.blow is Blow.FREEZE:
            os.kill(os.getpid(), signal.SIGSTOP)  # the parent lets it go on
        for address in self._addresses():
            cell = address.cell
            self.victims[cell] = cell.epoch
            life = cell.life
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


# ---------------------------------------------------------------- the wrappers


class DrillRuntime(ThreadRuntime):
    """Hands out addresses that notice what is told; `hold_at` is where the market is held."""

    def __init__(self, trap: Trap, hold_at: int) -> None:
        super().__init__(ttl_enforced=False)
        self.trap = trap
        trap.runtime = self
        self.hold_at = hold_at
        self.acknowledged: dict[str, int] = {}
        """How far each follower of the market is."""
        self._kept_back: tuple[Callable[[Any], bool], MarketAck] | None = None

    def go_on(self, hold_at: int) -> None:
        """Hold the market further on, and show what was held so far."""
        self.hold_at = hold_at
        kept_back, self._kept_back = self._kept_back, None
        if kept_back is not None:
            self._to_feed(*kept_back)

    def address(self, path: str) -> Address[Any]:
        """See `Runtime.address`."""
        address: Address[Any] = super().address(path)
        tell = address.tell
        if path == EXECUTOR:
            address.tell = lambda message: self._to_executor(tell, message)
        elif path == METRICS:
            address.tell = lambda message: self._to_metrics(tell, message)
        elif path.startswith("feeds/feed:"):
            address.tell = lambda message: self._to_feed(tell, message)
        return address

    def _to_executor(self, tell: Callable[[Any], bool], message: Any) -> bool:
        if isinstance(message, LookupDone):
            self.trap.reach(Point.FIND_ANSWERED, message.order_key)
            self.trap.reach(Point.RESTART_ANSWERED, message.order_key)
        told = tell(message)
        if isinstance(message, OrderIntent):
            self.trap.reach(Point.INTENT_TOLD, message.order_key)
        elif isinstance(message, SubmitDone):
            self.trap.reach(Point.ANSWER_TOLD, message.order_key)
        elif isinstance(message, LookupDone):
            self.trap.reach(Point.FIND_TOLD, message.order_key)
        return told

    def _to_metrics(self, tell: Callable[[Any], bool], message: Any) -> bool:
        if isinstance(message, OrderUpdate) and message.claim_latency_ns is not None:
            self.trap.reach(Point.HANDED_OVER, message.order_key)
        return tell(message)

    def _to_feed(self, tell: Callable[[Any], bool], message: Any) -> bool:
        """Keep back the executor's last acknowledgement: the market does not end by itself."""
        if isinstance(message, MarketAck):
            self.acknowledged[message.follower] = message.next_index
            if message.follower == EXECUTOR and message.next_index >= self.hold_at:
                self._kept_back = (tell, message)
                return True
        return tell(message)


class DrillLedger(StoredLedger):
    """Says what is about to be committed, and what has been; see `ops.drill_ledger.watched`."""

    _trap: Trap
    _passed: Sequence[tuple[StrEnum, StrEnum, OrderKey]] = ()
    """The points before and behind what is being committed, and of which order they are."""

    def lookup(self, keys: Sequence[OrderKey]) -> dict[OrderKey, LedgerEntry]:
        """See `Ledger.lookup`."""
        found = super().lookup(keys)
        for key in keys:
            if key not in found:
                self._trap.reach(Point.INTENT_TAKEN, key)
        return found

    def write(
        self,
        steps: Sequence[Step],
        claims: Sequence[Claim],
        now_ns: int,
        notes: Mapping[str, str] = NO_NOTES,
        stops: Sequence[Stop] = NO_STOPS,
    ) -> list[LedgerEntry]:
        """See `Ledger.write`."""
        passed = [*self._of_own_road(steps, claims, notes, stops)]
        passed += [(*_points_of(step), step.order_key) for step in steps]
        sent = [claim.intent.order_key for claim in claims if claim.sent]
        passed += [(Point.BEFORE_CLAIM, Point.AFTER_CLAIM, key) for key in sent]
        for before, _, key in passed:
            self._trap.reach(before, key)
        self._passed = passed
        after = super().write(steps, claims, now_ns, notes, stops)
        for _, behind, key in passed:
            self._trap.reach(behind, key)
        for step in steps:
            if step.to is OrderState.NOT_SENT:
                self._trap.reach(Point.ABSENCE_RECORDED, step.order_key)
        return after

    def _of_own_road(
        self,
        steps: Sequence[Step],  # noqa: ARG002 - for those of another kind
        claims: Sequence[Claim],  # noqa: ARG002 - the same
        notes: Mapping[str, str],  # noqa: ARG002 - the same
        stops: Sequence[Stop],  # noqa: ARG002 - the same
    ) -> Iterable[tuple[StrEnum, StrEnum, OrderKey]]:
        """Give the points before and behind a commit that are of no order in general."""
        return ()

    def _commit(self, writes: Sequence[Write]) -> None:
        super()._commit(writes)  # type: ignore[safe-super]  # mixed into a ledger that has it
        if self._trap.blow is not Blow.COMMIT_UNANSWERED:
            return
        if any(self._trap.reach(behind, key) for _, behind, key in self._passed):
            raise LedgerLost(UNANSWERED)


def _points_of(step: Step) -> tuple[Point, Point]:
    if step.to is OrderState.SENT:
        return Point.BEFORE_RESEND, Point.AFTER_RESEND
    if step.evidence == BY_ASKING:
        return Point.BEFORE_SETTLED, Point.AFTER_SETTLED
    return Point.BEFORE_OUTCOME, Point.AFTER_OUTCOME


class DrillVenue(CcxtVenue):
    """The real venue through ccxt, noticed on its way in and out."""

    trap: Trap
    refusal: Refusal | None = None

    async def open(self) -> VenueFacts:
        """See `CcxtVenue.open`."""
        facts = await super().open()
        if self.refusal is not None:
            self._client.fetch = self.refusal.around(self._client.fetch)
        return facts

    async def submit(self, order: NewOrder, fence: Callable[[], None]) -> OrderReport:
        """See `LiveTrading.submit`."""
        name, trap = order.client_order_id, self.trap
        await trap.reach_on_loop(Point.ON_THE_LOOP, name)
        pending: list[asyncio.TimerHandle] = []

        def noticed() -> None:
            trap.reach(Point.IN_FENCE, name)
            fence()
            trap.reach(Point.PAST_FENCE, name)
            loop = asyncio.get_running_loop()
            pending.append(loop.call_later(PENDING_S, self._pending, name))

        try:
            return await super().submit(order, noticed)
        finally:
            for handle in pending:
                handle.cancel()
            await trap.reach_on_loop(Point.ANSWER_RECEIVED, name)

    def _pending(self, name: ClientOrderId) -> None:
        self.trap.reach(Point.ANSWER_PENDING, name, holds=False)

    async def find(
        self,
        client_order_id: ClientOrderId,
        symbol: Symbol,
        *,
        sent_at_ns: int,
        closed_hint: bool = False,
        venue_order_id: VenueOrderId | None = None,
    ) -> OrderReport | None:
        """See `LiveTrading.find`."""
        await self.trap.reach_on_loop(Point.FIND_ASKED, client_order_id)
        await self.trap.reach_on_loop(Point.RESTART_ASKED, client_order_id)
        return await super().find(
            client_order_id,
            symbol,
            sent_at_ns=sent_at_ns,
            closed_hint=closed_hint,
            venue_order_id=venue_order_id,
        )
