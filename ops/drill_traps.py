"""What the crash rehearsal puts around the parts of a run, so that they can be struck.

Each wrapper does what its part does, and says when the order under rehearsal comes by. It is
wired by the rehearsal's own child process alone; a run in earnest knows nothing of it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from actors.address import Address
from actors.asking import BY_ASKING
from actors.thread_runtime import ThreadRuntime
from decisions.drill import Blow, Point
from exchanges.ccxt_venue import CcxtVenue
from exchanges.facts import VenueFacts
from exchanges.protocol import NewOrder
from messages.errors import LedgerLost
from messages.ids import EXECUTOR, ClientOrderId, OrderKey, Symbol, VenueOrderId
from messages.market import MarketAck
from messages.orders import LookupDone, OrderIntent, OrderReport, OrderUpdate, SubmitDone
from messages.stops import Stop
from messages.values import OrderState
from ops.drill_refusal import Refusal
from ops.drill_trap import METRICS, Trap
from persistence.entries import NO_NOTES, NO_STOPS
from persistence.ledger import Claim, LedgerEntry, Step
from persistence.stored_ledger import StoredLedger, Write

HALT_REASON = "the drill halts"
"""Why trading is halted where it is."""
EXCHANGE = "binance"
"""Which one is played; decisions are keyed by it."""
UNANSWERED = "drill: the server was lost before it answered a commit"
PENDING_S = 0.4
"""How long after it left a request counts as waiting for its answer."""


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
