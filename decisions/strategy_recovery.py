"""How a strategy that is built anew is brought to where the one before it stood.

By the snapshot that it kept, or else by being shown the events before now. Either is a user's
code: it may raise, hang, or be asked to end in the middle, and none of that may happen twice.
"""

from collections import deque
from collections.abc import Callable

from decisions.strategy_memory import MOST_TRIES, StrategyMemory
from decisions.strategy_wide_run import WideRun
from messages.market import MarketEvent

IsOver = Callable[[], bool]


class WarmUp:
    """Of one incarnation.

    `make` builds a fresh strategy, and gives what drives it where it is a wide one; `show` shows
    it an event, and `has_problem` is told why it could not go back to its snapshot.
    """

    def __init__(
        self,
        memory: StrategyMemory,
        make: Callable[[], WideRun | None],
        show: Callable[[MarketEvent], object],
        has_problem: Callable[[Exception], None],
    ) -> None:
        self.is_cut = False
        """Whether the last one was left before its end."""
        self.shown = 0
        """How many events were shown in all."""
        self._memory, self._make, self._show, self._has_problem = memory, make, show, has_problem

    def run(self, is_over: IsOver) -> bool:
        """See `StrategyRun.warm_up`."""
        self.is_cut = False
        if not self._restored(is_over):
            self._show_before(is_over)
        return not self.is_cut

    def _restored(self, is_over: IsOver) -> bool:
        """Go back to the snapshot, where there is one and it is not what the fault is in."""
        memory = self._memory
        kept = memory.wide
        if kept is None or kept.snapshot is None:
            return False
        tried = memory.tries if memory.trying == memory.next_index else 0
        if not kept.restoring and tried < MOST_TRIES:
            kept.restoring = True
            try:
                wide = self._make()
                assert wide is not None, "a snapshot is kept of no other"
                self.is_cut = not wide.restore(self._count_shown, is_over)
            except Exception as error:  # noqa: BLE001 - a user's code; warm-up does without
                self._has_problem(error)
            else:
                kept.restoring = False
                return True
        kept.restoring, kept.snapshot, kept.since = False, None, []
        return False

    def _count_shown(self) -> None:
        self.shown += 1

    def _show_before(self, is_over: IsOver) -> None:
        events, hung_on = self._memory.recent, self._memory.warming_on
        for place, event in enumerate(events):
            if event is hung_on:
                del events[place]
                break
        while True:
            wide = self._make()
            poison = self._first_refused(events, is_over)
            if poison is None:
                break
            del events[poison]
        if wide is not None:
            wide.begin()

    def _first_refused(self, events: deque[MarketEvent], is_over: IsOver) -> int | None:
        for place, event in enumerate(events):
            if is_over():
                self.is_cut = True
                break
            self._memory.warming_on = event
            self._count_shown()
            try:
                self._show(event)
            except BaseException:  # noqa: BLE001 - even an exit: warm-up must not fail of it twice
                return place
        self._memory.warming_on = None
        return None
