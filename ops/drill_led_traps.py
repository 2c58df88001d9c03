"""A market that the rehearsal's parent leads: held behind what the strategy was shown."""

from collections.abc import Callable
from typing import Any

from messages.ids import EXECUTOR
from messages.market import MarketAck
from ops.drill_traps import DrillRuntime


class LedRuntime(DrillRuntime):
    """Holds it behind the strategy's acknowledgement, not behind the executor's."""

    def _to_feed(self, tell: Callable[[Any], bool], message: Any) -> bool:
        if not isinstance(message, MarketAck):
            return tell(message)
        self.acknowledged[message.follower] = message.next_index
        if message.follower != EXECUTOR and message.next_index >= self.hold_at:
            self._kept_back = (tell, message)
            return True
        return tell(message)

    def shown(self) -> int:
        """Give how far the slowest follower is."""
        return min(self.acknowledged.values(), default=0)
