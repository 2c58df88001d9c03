"""Decisions that are to take another order's place, from their first verdict to their last.

One incarnation's, on the executor's thread. Each waits until the first order has ended, is judged
again then, and is forgotten once the ledger says what became of it.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from actors.noted_wishes import NotedWishes
from decisions.order_wishes import BY_A_PERSON, REPLACED, UNWANTED, Wish
from decisions.replacing import not_replaced
from decisions.risk import Refusal
from messages.errors import LedgerConflict
from messages.ids import OrderKey
from messages.orders import CancelIntent, OrderIntent
from persistence.entries import NO_NOTES
from persistence.ledger import Claim, Ledger


class Replacements:
    """`begun` outlives incarnations: what this process lets take another order's place.

    `keep` writes what is noted, in a commit of its own.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        noted: NotedWishes,
        begun: set[OrderKey],
        keep: Callable[[Mapping[str, str]], None],
    ) -> None:
        self._ledger, self._noted, self._begun, self._keep = ledger, noted, begun, keep
        self._wishes = noted.by_order
        self._refused: dict[OrderKey, Refusal] = {}
        """Decisions that are not to be sent, by their own keys; most were to replace an order, and
        are kept until that is recorded."""

    def recover(self) -> None:
        """Refuse what was to replace an order in an earlier process: its strategy begins anew."""
        for wish in self._wishes.values():
            second, gone = wish.replacement, wish.dropped
            if second is not None and second.order_key not in self._begun:
                gone = gone or f"its process ended before {wish.order_key} had: decide anew"
            if second is not None and gone:
                self._refused[second.order_key] = not_replaced(gone)

    # ------------------------------------------------------------ while they wait

    def has(self, second: OrderKey) -> bool:
        """Whether a decision waits until another order has ended."""
        waiting = (wish.replacement for wish in self._wishes.values())
        return any(one is not None and one.order_key == second for one in waiting)

    def begin(self, first: OrderKey, intent: OrderIntent) -> bool:
        """Let a decision wait for the end of an order; False where that waits already.

        Raises:
            LedgerConflict: it was decided before, and not like this.
        """
        before = self._wishes.get(first)
        second = None if before is None else before.replacement
        if second is not None:
            if msgspec.structs.replace(second, ts_created_ns=intent.ts_created_ns) != intent:
                raise LedgerConflict(f"{intent.order_key} waits already, as another intent")
            return False
        self._begun.add(intent.order_key)
        return True

    def why_not(self, intent: OrderIntent) -> Refusal | None:
        """Say why a decision comes to nothing here; None where nothing is known."""
        if intent.replaces is None:
            return self._refused.get(intent.order_key)
        wish = self._wishes.get(intent.replaces)
        other = None if wish is None else wish.replacement
        if other is not None and other.order_key != intent.order_key:
            return not_replaced(f"{other.order_key} takes the place of {intent.replaces} already")
        if self._ledger.note(UNWANTED + intent.replaces) == BY_A_PERSON:
            return not_replaced(f"a person canceled {intent.replaces}")
        taken_by = self._ledger.note(REPLACED + intent.replaces)
        if taken_by and taken_by != intent.order_key:
            return not_replaced(f"{taken_by} has taken the place of {intent.replaces}")
        return self._refused.get(intent.order_key)

    # ------------------------------------------------------------ what is wanted no more

    def never_send(self, intent: CancelIntent) -> bool:
        """Refuse a decision that its strategy wants no more; False where it does not wait here.

        Raises:
            LedgerError: it could not be written down.
        """
        key = intent.cancels
        self._refused[key] = gone = not_replaced(f"its strategy wants it no more: {intent.reason}")
        for wish in self._wishes.values():
            if wish.replacement is not None and wish.replacement.order_key == key:
                wish.dropped = gone.text
                self._noted.changed()
                self._keep(NO_NOTES)
                return True
        return False

    def halted(self, reason: str) -> None:
        """Drop every one that waits: nothing decided before a halt may be sent after it."""
        for wish in self._wishes.values():
            self.drop(wish, reason)

    def canceled_by_a_person(self, first: OrderKey) -> None:
        """Let nothing take the place of an order that a person wants gone.

        Raises:
            LedgerError: it could not be written down.
        """
        wish = self._wishes.get(first)
        second = None if wish is None else wish.replacement
        if wish is None or second is None or wish.dropped:
            return
        wish.dropped = f"a person canceled {first}"
        self._noted.changed()
        self._keep(NO_NOTES)
        self._refused[second.order_key] = not_replaced(wish.dropped)

    def drop(self, wish: Wish, why: str) -> None:
        """Drop what waits for an order; the next commit, which may be its own, records that."""
        if wish.replacement is not None:
            wish.dropped = wish.dropped or why
            self._noted.changed()
            self._refused.setdefault(wish.replacement.order_key, not_replaced(wish.dropped))

    # ------------------------------------------------------------ once the first has ended

    def ready(self) -> list[OrderIntent]:
        """Give those to judge again: the first order has ended, or they were refused."""
        return [
            wish.replacement
            for wish in self._wishes.values()
            if wish.replacement is not None
            and (wish.is_over or wish.replacement.order_key in self._refused)
        ]

    def recording(self, claims: Sequence[Claim]) -> None:
        """Note the claims about to be committed; that commit takes them off the waiting list."""
        for claim in claims:
            first = claim.intent.replaces
            if first is not None:
                self._answered(first, claim.intent.order_key)
                if claim.refused is None:
                    self._noted.replaced(first, claim.intent.order_key)

    def judged(self, intents: Sequence[OrderIntent]) -> None:
        """Forget decisions whose outcome is now in the ledger."""
        for intent in intents:
            assert intent.replaces is not None
            self._begun.discard(intent.order_key)
            self._refused.pop(intent.order_key, None)
            self._answered(intent.replaces, intent.order_key)

    def _answered(self, first: OrderKey, second: OrderKey) -> None:
        wish = self._wishes.get(first)
        if wish is None or wish.replacement is None or wish.replacement.order_key != second:
            return
        self._noted.changed()
        wish.replacement = None
        if wish.is_over:
            del self._wishes[first]
