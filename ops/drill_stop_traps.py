"""What the crash rehearsal puts around a stop, beside what it puts around orders."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from actors.address import Address
from actors.operator_board import TRADING, OperatorBoard
from decisions.drill_stop import StopPoint
from decisions.halting import HaltState
from messages.errors import LedgerLost
from messages.halting import ResumeTrading
from messages.ids import (
    OrderKey,
)
from messages.lifecycle import HaltTrading
from messages.market import Candle, MarketBatch, MarketEvent
from messages.order_states import FINAL_STATES
from messages.stops import Stop, StopState
from messages.values import OrderState
from ops.drill_stopped import HOLDS, STOP
from ops.drill_trap import Trap
from ops.drill_traps import HALT_REASON, DrillLedger, DrillRuntime
from persistence.entries import NO_NOTES, NO_STOPS
from persistence.ledger import Claim, LedgerEntry, Step

AGAIN_S = 1.0
"""After so long without an answer a halt or a resume is ordered again."""


class StopTrap(Trap):
    """Springs at a point of the stop, or at one of its exit: of any order that is not the entry.

    Which candle the exit is decided on is not known before: a crash may lose one.
    """

    def is_entry(self, name: str) -> bool:
        """Whether an order key or a client order id is the entry's."""
        return super().is_target(name)

    def is_target(self, name: str) -> bool:
        """Whether it is of what the point is a point of."""
        return self.is_entry(name) is isinstance(self.point, StopPoint)


class StopLedger(DrillLedger):
    """Says also what becomes of the stop, and whether every order has ended."""

    _trap: StopTrap

    def _load(self) -> None:
        super()._load()
        self._look()

    def write(
        self,
        steps: Sequence[Step],
        claims: Sequence[Claim],
        now_ns: int,
        notes: Mapping[str, str] = NO_NOTES,
        stops: Sequence[Stop] = NO_STOPS,
    ) -> list[LedgerEntry]:
        """See `Ledger.write`."""
        try:
            after = super().write(steps, claims, now_ns, notes, stops)
        except LedgerLost:
            self._runtime.is_quiet = False  # until the next ledger has looked
            raise
        self._look()
        return after

    def _of_own_road(
        self,
        steps: Sequence[Step],
        claims: Sequence[Claim],
        notes: Mapping[str, str],
        stops: Sequence[Stop],
    ) -> Iterator[tuple[StrEnum, StrEnum, OrderKey]]:
        """Give what a commit is of the stop's own life, by the key of its entry."""
        del notes
        for claim in claims:
            if claim.sent and self._trap.is_entry(claim.intent.order_key):
                key = claim.intent.order_key
                yield StopPoint.BEFORE_DECLARED, StopPoint.AFTER_DECLARED, key
        for step in steps:
            if step.to is OrderState.FILLED and self._trap.is_entry(step.order_key):
                yield StopPoint.BEFORE_ARMED, StopPoint.AFTER_ARMED, step.order_key
        claimed = {claim.intent.order_key for claim in claims if claim.sent}
        for stop in stops:
            key = stop.entry_key
            if stop.state is StopState.ACTED and not stop.exits:
                yield StopPoint.BEFORE_ACTED, StopPoint.AFTER_ACTED, key
            if len(stop.exits) > 1 and stop.exits[-1] in claimed:
                yield StopPoint.BEFORE_RETRIED, StopPoint.AFTER_RETRIED, key
            if stop.state is StopState.DONE:
                yield StopPoint.BEFORE_ENDED, StopPoint.AFTER_ENDED, key

    def _look(self) -> None:
        is_quiet = all(entry.state in FINAL_STATES for entry in self.open_entries())
        self._runtime.is_quiet = is_quiet

    @property
    def _runtime(self) -> "StopRuntime":
        runtime = self._trap.runtime
        assert isinstance(runtime, StopRuntime)
        return runtime


class StopRuntime(DrillRuntime):
    """Holds the market twice, until every order has ended; notices when the stop is touched."""

    trap: StopTrap
    is_quiet = False

    def __init__(self, trap: StopTrap, *, halts: bool) -> None:
        super().__init__(trap, HOLDS[0])
        self._halts = halts
        self._ordered_at = -AGAIN_S

    def go_on_when_quiet(self, events: int, executor: Address[Any], board: OperatorBoard) -> None:
        """Show more, if the executor waits and nothing is under way; on the main thread."""
        if self._kept_back is None or not self.is_quiet or self.hold_at >= events:
            return
        if self._is_as_wanted(executor, board):
            self.go_on(next((place for place in HOLDS if place > self.hold_at), events))

    def _is_as_wanted(self, executor: Address[Any], board: OperatorBoard) -> bool:
        """See to it that trading is halted while the market falls, where it is to be."""
        is_trading = board.halt.state == TRADING.state
        wants_halt = self._halts and self.hold_at == HOLDS[0]
        if (board.halt.state == HaltState.HALTED_PROVED) if wants_halt else is_trading:
            return True
        now = time.monotonic()
        if now - self._ordered_at >= AGAIN_S and wants_halt is is_trading:
            self._ordered_at = now
            if wants_halt:
                executor.tell(HaltTrading(reason=HALT_REASON, durable=True))
            else:
                executor.tell(ResumeTrading(request="", despite_open=False))
        return False

    def _to_executor(self, tell: Callable[[Any], bool], message: Any) -> bool:
        told = super()._to_executor(tell, message)
        if isinstance(message, MarketBatch) and any(_touches(event) for event in message.events):
            self.trap.reach(StopPoint.TOUCHED, None, holds=False)
        return told


def _touches(event: MarketEvent) -> bool:
    return isinstance(event, Candle) and event.close <= STOP
