"""What waits until all orders that an incarnation of the executor found are settled.

One incarnation's, on the executor's thread. What is to take another order's place waits here too,
until that has ended.
"""

from collections.abc import Callable, Sequence

from actors.cancel_desk import CancelDesk
from actors.context import Context
from actors.executor_health import ExecutorHealth
from actors.executor_kept import GROUP_LIMIT, Held
from actors.operator_desk import OperatorDesk
from actors.order_desk import OrderDesk
from actors.replacements import Replacements
from messages.lifecycle import ActorState
from messages.market import MarketEvent
from messages.orders import CancelIntent, Intent


class Settling:
    """`decide` judges decisions, and claims and sends each or records its refusal."""

    def __init__(
        self,
        *,
        ctx: Context,
        desk: OrderDesk,
        cancels: CancelDesk,
        replacements: Replacements,
        operator: OperatorDesk,
        health: ExecutorHealth,
        decide: Callable[[Sequence[Intent]], None],
    ) -> None:
        self._ctx, self._desk, self._cancels = ctx, desk, cancels
        self._replacements = replacements
        self._operator, self._health, self._decide = operator, health, decide
        self._held = Held()
        self.reconciled = False
        """Whether all has been settled, once in this incarnation."""

    def begin(self, held: Held) -> None:
        """Wait with intents until all is settled; `held` is what this incarnation has taken."""
        self._held = held
        self._show()

    def _show(self) -> None:
        self.reconciled = self.reconciled or not self._desk.orders.unsettled
        if not self.reconciled:
            self._ctx.show_state(ActorState.RECONCILING, self._health.unsettled())
        elif self._health.problem():  # with the next event it might be too late
            self._ctx.show_state(ActorState.RUNNING)
        self._health.show()

    def resumed(self) -> None:
        """A person ended a halt."""
        self._ctx.show_state(ActorState.RUNNING)
        self._show()
        self._health.show()

    @property
    def is_changing(self) -> bool:
        """Whether an order is to end, or to take another's place, and has not yet."""
        return self._cancels.waits or any(map(_changes, self._held.stash))

    def settled(self, events: Sequence[MarketEvent]) -> Sequence[MarketEvent]:
        """Leave out events of symbols that still have an unsettled order."""
        if self.reconciled:
            return events
        unsettled = self._desk.orders.unsettled_symbols()
        return [event for event in events if event.symbol not in unsettled]

    def wait(self, intents: Sequence[Intent]) -> None:
        """Put decisions aside until all is settled."""
        self._held.stash.extend(intents)

    def go_on(self) -> None:
        """Once all is settled, take the intents that waited.

        Replacements are older than they are, and go on under a halt as well, to be refused. What
        the cell shows decides nothing here: an abandoned incarnation may have shown it.
        """
        self.reconciled = self.reconciled or not self._desk.orders.unsettled
        if self.reconciled:
            if self._ctx.cell.state is ActorState.RECONCILING:
                self._ctx.show_state(ActorState.RUNNING)
                self._health.show()
            self._replace()
            self.work_off()
        if self._operator.halted:
            self._replacements.halted(self._desk.halt_reason)
        if self.reconciled or self._operator.halted:
            self._replace()

    def work_off(self) -> None:
        """Take the intents that waited; while trading is halted, each is refused under its key."""
        while group := self._held.stash[:GROUP_LIMIT]:
            self._decide(group)
            self._held.stash = self._held.stash[len(group) :]

    def _replace(self) -> None:
        """Judge again what takes the place of orders that have ended."""
        while ready := self._replacements.ready():
            self._decide(ready)
            self._replacements.judged(ready)


def _changes(intent: Intent) -> bool:
    """Whether it ends an order, by itself or to take its place."""
    return isinstance(intent, CancelIntent) or intent.replaces is not None
