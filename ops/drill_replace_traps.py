"""What the crash rehearsal puts around a replacement, beside what it puts around a cancel."""

from collections.abc import Callable
from enum import StrEnum

from decisions.drill import Blow
from decisions.drill_cancel import CancelPoint
from ops.drill_cancel_traps import CancelRuntime, CancelTrap
from ops.drill_led_traps import LedRuntime
from ops.drill_trap import Target


class ReplaceTrap(CancelTrap):
    """Springs at a point of the first order, which is a cancel's, or at one of the second."""

    first: Target | None = None
    """Given before the start."""

    def __init__(
        self,
        target: Target | None,
        point: StrEnum | None,
        blow: Blow,
        tell: Callable[..., object],
    ) -> None:
        super().__init__(target, point, blow, tell)
        self.begun = True

    def is_target(self, name: str) -> bool:
        """Whether it is of what the point is a point of."""
        if not isinstance(self.point, CancelPoint):
            return super().is_target(name)
        first = self.first
        return first is not None and name in (first.order_key, first.client_order_id)


class ReplaceRuntime(LedRuntime, CancelRuntime):
    """Notices what a cancel's does, on a market that is led."""

    trap: ReplaceTrap
