"""What the crash rehearsal puts around an exit, beside what it puts around orders."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from decisions.drill_exit import ExitPoint
from decisions.unfinished_exits import LEAVING, unfinished_in
from messages.ids import OrderKey
from messages.orders import OrderIntent, OrderReport
from messages.stops import Stop
from ops.drill_led_traps import LedRuntime
from ops.drill_trap import Target, Trap
from ops.drill_traps import DrillLedger
from persistence.ledger import Claim, Step

_OF_ENTRY = (ExitPoint.FILL_TOLD, ExitPoint.BEFORE_FILLED, ExitPoint.AFTER_FILLED)


class ExitTrap(Trap):
    """Springs at a point of the entry, of the exit that waits, or of the order under rehearsal."""

    entry: Target | None = None
    """This and the next are given before the start."""
    exit: Target | None = None

    def is_target(self, name: str) -> bool:
        """Whether it is of what the point is a point of."""
        target = self.target
        if isinstance(self.point, ExitPoint):
            target = self.entry if self.point in _OF_ENTRY else self.exit
        return target is not None and name in (target.order_key, target.client_order_id)


class ExitLedger(DrillLedger):
    """Says also when an exit that waits is noted, and when its entry fills."""

    def _of_own_road(
        self,
        steps: Sequence[Step],
        claims: Sequence[Claim],
        notes: Mapping[str, str],
        stops: Sequence[Stop],
    ) -> Iterator[tuple[StrEnum, StrEnum, OrderKey]]:
        del claims, stops
        for intent in unfinished_in(notes.get(LEAVING)).waiting:
            yield ExitPoint.BEFORE_NOTED, ExitPoint.AFTER_NOTED, intent.order_key
        for step in steps:
            if step.filled_quantity:
                yield ExitPoint.BEFORE_FILLED, ExitPoint.AFTER_FILLED, step.order_key


class ExitRuntime(LedRuntime):
    """Notices when the executor is told of an exit, and what its entry has filled."""

    def _to_executor(self, tell: Callable[[Any], bool], message: Any) -> bool:
        if isinstance(message, OrderIntent) and message.leaves:
            self.trap.say(event="decided")
        told = super()._to_executor(tell, message)
        if isinstance(message, OrderReport) and message.filled_quantity:
            self.trap.reach(ExitPoint.FILL_TOLD, message.client_order_id)
        return told
