"""Decisions that the executor's mailbox has no room for: they wait here, and go once it has.

A decision that is only dropped is in no ledger, and its strategy counts it as taken: an exit would
stay held. Handed over late it is judged, by its age too, and ends under its key as any other. What
there are too many of is a dead letter, and its strategy is told that it was refused.
"""

from collections import deque
from typing import Any

from actors.address import Address
from actors.context import Context
from actors.dead_letters import DeadLetter
from actors.log import logger
from actors.order_records import crowded_out_update
from messages.ids import NS_PER_MS
from messages.lifecycle import ActorState, TimerFired
from messages.orders import CancelIntent, Intent, OrderIntent

OFFER_AGAIN = TimerFired(name="offer the executor what waits")
PAUSE_NS = 100 * NS_PER_MS
MOST_WAITING = 1_024
"""Decisions are few by nature; more than these are no use to anybody once there is room."""


class Outbox:
    """One incarnation's, on its thread. `waiting` is what the one before had not handed over."""

    def __init__(self, ctx: Context, executor: "Address[Intent]", waiting: "deque[Intent]") -> None:
        self._ctx, self._executor = ctx, executor
        self.waiting = waiting.copy()
        self._myself: Address[Any] = ctx.runtime.address(ctx.path)
        if self.waiting:
            ctx.after(PAUSE_NS, OFFER_AGAIN)

    def send(self, intent: Intent) -> None:
        """Hand a decision over, behind those that wait.

        The end of an order keeps its place however many wait: to an executor that begins anew
        between the two it means nothing before its order.
        """
        if not self.waiting and not self._executor.is_full:
            self._hand_over(intent)
        elif len(self.waiting) < MOST_WAITING or isinstance(intent, CancelIntent):
            self._wait(intent)
        else:
            self._lose(intent)

    def leave(self, intent: Intent) -> None:
        """Leave to the next what this one could perhaps not tell any more; twice is a duplicate."""
        if intent not in self.waiting:
            self.waiting.append(intent)

    def _wait(self, intent: Intent) -> None:
        if not self.waiting:
            self._ctx.after(PAUSE_NS, OFFER_AGAIN)
            log = logger.bind(actor=self._ctx.path, order_key=intent.order_key)
            log.warning("a decision waits: the mailbox of {} is full", self._executor.path)
        self.waiting.append(intent)
        text = f"the executor's mailbox is full: {len(self.waiting)} decisions wait for room"
        self._ctx.show_state(ActorState.RUNNING, text)

    def go_on(self) -> None:
        """Hand over what waits as far as there is room."""
        while self.waiting and not self._executor.is_full and not self._ctx.fenced:
            self._hand_over_first()
        if self.waiting:
            self._ctx.after(PAUSE_NS, OFFER_AGAIN)
        else:
            self._ctx.show_state(ActorState.RUNNING)

    def end(self) -> None:
        """Hand over all in an orderly end, for the executor ends later.

        What it has no room for is told of as a message that was lost. Who is given up in the
        middle of it leaves the rest to the next.
        """
        while self.waiting and not self._ctx.fenced:
            self._hand_over_first()

    def _hand_over_first(self) -> None:
        """Let go of it only then: told twice it is a duplicate, and else it would be nowhere."""
        is_told = self._ctx.tell(self._executor, self.waiting[0])
        if is_told or not self._ctx.fenced:
            intent = self.waiting.popleft()
            if not is_told:
                self._tell_lost(intent)

    def _hand_over(self, intent: Intent) -> None:
        """What is refused all the same is a dead letter already: let the strategy know of it."""
        if not self._ctx.tell(self._executor, intent) and not self._ctx.fenced:
            self._tell_lost(intent)

    def _lose(self, intent: OrderIntent) -> None:
        """Make it a dead letter: offered now it might overtake what waits."""
        if self._ctx.fenced:
            return
        path, now_ns = self._executor.path, self._ctx.monotonic_ns()
        self._ctx.runtime.dead_letters.add(DeadLetter(path, intent, "full", "", now_ns))
        self._tell_lost(intent)

    def _tell_lost(self, intent: Intent) -> None:
        if isinstance(intent, OrderIntent):
            self._myself.tell(crowded_out_update(intent, self._ctx.utc_ns()))
