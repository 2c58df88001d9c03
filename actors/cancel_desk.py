"""What strategies want ended: canceled, proved by asking, and only then replaced.

A wish is durable before the venue is asked for anything, so that it outlives this process. One
desk belongs to one incarnation of the executor and is used on its thread.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from actors.context import Context
from actors.gateway import Gateway
from actors.log import logger
from actors.order_desk import OrderDesk
from actors.order_records import lost_update, new_order, update_of
from decisions.executor import EndFirst
from decisions.order_wishes import (
    BY_A_PERSON,
    CANCELS,
    REPLACED,
    UNWANTED,
    Wish,
    note_of,
    own_reason,
    why_ended,
    wishes_in,
)
from decisions.replacing import not_replaced
from decisions.risk import Refusal
from messages.errors import ActorUnavailable, LedgerConflict, LedgerFenced, LedgerLost
from messages.halting import CancelDone
from messages.ids import NS_PER_S, OrderKey
from messages.order_states import FINAL_STATES, RESTING_STATES
from messages.orders import CancelAgain, CancelIntent, LookupDone, OrderIntent, OrderUpdate
from persistence.entries import NO_NOTES
from persistence.ledger import Claim, Ledger, LedgerEntry

PAUSES_NS = (0, NS_PER_S, 2 * NS_PER_S, 5 * NS_PER_S, 10 * NS_PER_S)
"""The pause before each cancel of one order. After the last its strategy is told that it stays,
and may wish again."""


class CancelDesk:
    """`replacing` outlives incarnations: what this process lets take another order's place.

    `tell` informs the strategy that owns an order; `on_given_up` is called when `problem()`
    changes.
    """

    def __init__(
        self,
        *,
        ctx: Context,
        ledger: Ledger,
        gateway: Gateway,
        desk: OrderDesk,
        replacing: set[OrderKey],
        tell: Callable[[OrderUpdate], None],
        on_given_up: Callable[[], None],
    ) -> None:
        self._ctx, self._ledger, self._gateway = ctx, ledger, gateway
        self._desk, self._replacing = desk, replacing
        self._tell, self._on_given_up = tell, on_given_up
        self._wishes: dict[OrderKey, Wish] = {}
        self._is_kept = True
        self._under_way: set[OrderKey] = set()
        self._refused: dict[OrderKey, Refusal] = {}
        """Decisions that are not to be sent, by their own keys; most were to replace an order, and
        are kept until that is recorded."""
        self._replaced: dict[str, str] = {}
        """Notes for the next commit."""
        self._taken: dict[str, str] = {}
        """The same, of the last."""
        self._given_up: dict[OrderKey, str] = {}
        """Orders that could not be ended and are open still, and why."""
        desk.noting.append(self)

    @property
    def waits(self) -> bool:
        """Whether an order is to end, or something to take its place, and has not yet."""
        return bool(self._wishes)

    def has(self, second: OrderKey) -> bool:
        """Whether a decision waits until another order has ended."""
        waiting = (wish.replacement for wish in self._wishes.values())
        return any(one is not None and one.order_key == second for one in waiting)

    def problem(self) -> str:
        """Say what could not be ended; empty where all could."""
        given_up = list(self._given_up.values())
        more = f" (and {len(given_up) - 1} more)" if len(given_up) > 1 else ""
        return f"{given_up[-1]}{more}" if given_up else ""

    def shown_to_people(self) -> dict[str, Any]:
        """Give what is to end and has not, and what was given up."""
        return {
            "count": len(self._wishes),
            "orders": [_shown(wish) for wish in self._wishes.values()],
            "given_up": dict(self._given_up),
        }

    def recover(self) -> None:
        """Take up earlier wishes: their orders are being asked for, as all open ones are.

        What was to replace one in an earlier process is refused: its strategy has begun anew.
        """
        for wish in self._kept():
            self._wishes[wish.order_key] = wish
            second, gone = wish.replacement, wish.dropped
            if second is not None and second.order_key not in self._replacing:
                gone = gone or f"its process ended before {wish.order_key} had: decide anew"
            if second is not None and gone:
                self._refused[second.order_key] = not_replaced(gone)
        for key, entry in self._ledger.lookup(list(self._wishes)).items():
            if entry.state in FINAL_STATES:
                self._end(self._wishes[key])
            else:
                self._desk.unwanted.setdefault(key, why_ended(self._wishes[key]))
        if self.ready():
            self._ctx.after(1, CancelAgain(order_key=OrderKey("")))  # somebody must look

    def _kept(self) -> list[Wish]:
        """Read the wishes. Unreadable ones are for a person: their orders stay where they are."""
        text = self._ledger.note(CANCELS) or ""
        try:
            return wishes_in(text)
        except msgspec.MsgspecError as error:
            self._desk.differs(
                "which orders strategies wanted ended cannot be read; cancel what is not wanted"
                f" with `watchkeeper orders cancel`: {error}: {text:.200}"
            )
            return []

    def taken_notes(self) -> Mapping[str, str]:
        """See `Noting`."""
        if self._is_kept:
            return NO_NOTES
        self._is_kept = True
        self._taken, self._replaced = self._replaced, {}
        return {CANCELS: note_of(self._wishes.values()), **self._taken}

    def notes_failed(self) -> None:
        """See `Noting`."""
        self._is_kept = False
        self._replaced = {**self._taken, **self._replaced}

    # ------------------------------------------------------------ what strategies want

    def cancel(self, intent: CancelIntent) -> None:
        """End an order; one that has ended, or is another strategy's, is left alone.

        One that waits for another to end is then not sent. One that never came here was lost on
        its way, and would be waited for in vain: its strategy is told, and it is never sent.

        Raises:
            LedgerError: it could not be written down, and nothing was asked for.
        """
        entry = self._ledger.lookup([intent.cancels]).get(intent.cancels)
        if entry is None:
            self._never_send(intent)
        elif entry.strategy_id != intent.strategy_id:
            log = logger.bind(actor=self._ctx.path)
            log.warning("{} has no order {} to end", intent.strategy_id, intent.cancels)
        elif entry.state not in FINAL_STATES and entry.order_key not in self._wishes:
            self._want(entry, Wish(order_key=entry.order_key, reason=intent.reason))

    def _never_send(self, intent: CancelIntent) -> None:
        key = intent.cancels
        self._refused[key] = gone = not_replaced(f"its strategy wants it no more: {intent.reason}")
        for wish in self._wishes.values():
            if wish.replacement is not None and wish.replacement.order_key == key:
                wish.dropped, self._is_kept = gone.text, False
                self._desk.keep({})
                return
        self._tell(lost_update(intent))

    def struck(self, intent: CancelIntent) -> None:
        """Retry once the cancel that crashed an executor; canceling twice is harmless.

        If it fails again, people are told, and so is its strategy, which may wish again.
        """
        try:
            self.cancel(intent)
        except (ActorUnavailable, LedgerFenced, LedgerLost):
            raise  # another one writes now, or a server comes back: that is no fault of the wish
        except Exception as error:  # noqa: BLE001 - what brought one down must not bring the next down
            self._stays(intent.cancels, f"{type(error).__name__}: {error}")

    def _stays(self, key: OrderKey, why: str) -> None:
        self._wishes.pop(key, None)
        self._is_kept = False
        entry = self._ledger.lookup([key]).get(key)
        if entry is None or entry.state in FINAL_STATES:
            return
        text = f"{key} was to end, and that could not be written down: {why}"
        logger.bind(actor=self._ctx.path).error(text)
        self._given_up[key] = text
        self._tell(update_of(entry, (), self._ctx.utc_ns()))
        self._on_given_up()

    def end_first(self, verdict: EndFirst) -> None:
        """End an order, and let another one be judged again once it has.

        Raises:
            LedgerConflict: the other one was decided before, and not like this.
            LedgerError: it could not be written down, and nothing was asked for.
        """
        intent, key = verdict.intent, verdict.first.order_key
        before = self._wishes.get(key)
        second = None if before is None else before.replacement
        if second is not None:
            if msgspec.structs.replace(second, ts_created_ns=intent.ts_created_ns) != intent:
                raise LedgerConflict(f"{intent.order_key} waits already, as another intent")
            return
        self._replacing.add(intent.order_key)
        entry, reason = self._ledger.lookup([key])[key], own_reason(intent.reason)
        wish = Wish(order_key=key, reason=reason, replacement=intent)
        self._want(entry, wish)
        if entry.state in FINAL_STATES:  # since it was judged: nobody tells of that again
            self._end(wish)

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

    def halted(self, reason: str) -> None:
        """Drop every pending replacement: nothing decided before a halt may be sent after it."""
        for wish in self._wishes.values():
            if wish.replacement is not None:
                self._drop(wish, wish.replacement, reason)

    def canceled_by_a_person(self, first: OrderKey) -> None:
        """Let nothing take the place of an order that a person wants gone.

        Raises:
            LedgerError: it could not be written down.
        """
        wish = self._wishes.get(first)
        second = None if wish is None else wish.replacement
        if wish is None or second is None or wish.dropped:
            return
        wish.dropped, self._is_kept = f"a person canceled {first}", False
        self._desk.keep(NO_NOTES)
        self._refused[second.order_key] = not_replaced(wish.dropped)

    def _want(self, entry: LedgerEntry, wish: Wish) -> None:
        key = entry.order_key
        self._wishes[key], self._is_kept = wish, False
        self._forget(key)
        why = self._ledger.note(UNWANTED + key)
        if why != BY_A_PERSON:
            why = why_ended(wish)
        self._desk.keep({UNWANTED + key: why})
        self._desk.unwanted[key] = why
        if entry.state in RESTING_STATES:
            self._ask_to_cancel(entry)

    def _ask_to_cancel(self, entry: LedgerEntry) -> None:
        if entry.order_key not in self._under_way and not self._wishes[entry.order_key].is_over:
            self._under_way.add(entry.order_key)
            self._wishes[entry.order_key].tries += 1
            self._gateway.cancel(self._ctx.epoch, entry.order_key, new_order(entry))

    # ------------------------------------------------------------ what becomes of it

    def saw(self, entry: LedgerEntry) -> None:
        """An order took a step, durably: what was on its way can be canceled where it arrived."""
        if self._given_up and entry.state in FINAL_STATES:
            self._forget(entry.order_key)
        wish = self._wishes.get(entry.order_key)
        if wish is None or wish.is_over:
            return
        if entry.state in FINAL_STATES:
            self._end(wish)
        elif entry.state in RESTING_STATES and not wish.tries:
            self._ask_to_cancel(entry)

    def canceled(self, answer: CancelDone) -> None:
        """Take the end of a cancel, which is recorded: an order that has not ended is asked for."""
        if answer.epoch == self._ctx.epoch:  # else our own is under way still
            self._under_way.discard(answer.order_key)
        wish = self._wishes.get(answer.order_key)
        if wish is not None and not wish.is_over:
            self._desk.asking.ask_for(self._ledger.lookup([answer.order_key])[answer.order_key])

    def looked_up(self, answer: LookupDone) -> None:
        """Take the venue's answer, which is recorded; a failed question is asked again.

        Nothing is proved of an order that it had and no longer has, and nobody asks again.
        """
        key, shown = answer.order_key, answer.report
        wish = self._wishes.get(key)
        if wish is None or wish.is_over or answer.problem or answer.epoch != self._ctx.epoch:
            return
        if key in self._under_way or key in self._desk.orders.unsettled:
            return  # its own answer is on its way
        if shown is None:
            self._give_up(wish, "the venue has no such order (any more)")
        elif wish.tries >= len(PAUSES_NS):
            self._give_up(wish, shown.reason or f"it is {shown.state} at the venue")
        elif pause_ns := PAUSES_NS[wish.tries]:
            self._ctx.after(pause_ns, CancelAgain(order_key=wish.order_key))
        else:
            self.again(wish.order_key)

    def again(self, key: OrderKey) -> None:
        """Cancel once more what is open still."""
        if key in self._wishes:
            entry = self._ledger.lookup([key])[key]
            if entry.state in RESTING_STATES:
                self._ask_to_cancel(entry)

    def _end(self, wish: Wish) -> None:
        self._is_kept = False
        wish.is_over = True
        if wish.replacement is None:
            del self._wishes[wish.order_key]

    def _give_up(self, wish: Wish, why: str) -> None:
        text = f"{wish.order_key} could not be ended in {wish.tries} tries: {why}"
        logger.bind(actor=self._ctx.path).error(text)
        if wish.replacement is not None:
            self._drop(wish, wish.replacement, text)
        self._end(wish)
        self._given_up[wish.order_key] = text
        self._on_given_up()

    def _drop(self, wish: Wish, second: OrderIntent, why: str) -> None:
        """Drop a replacement; the next commit, which may be its own, records that."""
        wish.dropped, self._is_kept = wish.dropped or why, False
        self._refused.setdefault(second.order_key, not_replaced(wish.dropped))

    def _forget(self, key: OrderKey) -> None:
        """Forget that it was given up: it is tried again, or has ended."""
        if self._given_up.pop(key, None) is not None:
            self._on_given_up()

    # ------------------------------------------------------------ what takes its place

    def ready(self) -> list[OrderIntent]:
        """Give the replacements to judge again: the first order has ended, or they were refused."""
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
                    self._replaced[REPLACED + first] = claim.intent.order_key
                    self._is_kept = False

    def judged(self, intents: Sequence[OrderIntent]) -> None:
        """Forget decisions whose outcome is now in the ledger."""
        for intent in intents:
            assert intent.replaces is not None
            self._replacing.discard(intent.order_key)
            self._refused.pop(intent.order_key, None)
            self._answered(intent.replaces, intent.order_key)

    def _answered(self, first: OrderKey, second: OrderKey) -> None:
        wish = self._wishes.get(first)
        if wish is None or wish.replacement is None or wish.replacement.order_key != second:
            return
        self._is_kept = False
        wish.replacement = None
        if wish.is_over:
            del self._wishes[first]


def waiting(ledger: Ledger) -> list[OrderIntent]:
    """Give the decisions that wait until another order has ended; none where that is unreadable."""
    try:
        wishes = wishes_in(ledger.note(CANCELS))
    except msgspec.MsgspecError:  # told of by the desk
        return []
    return [wish.replacement for wish in wishes if wish.replacement is not None]


def _shown(wish: Wish) -> dict[str, Any]:
    second = wish.replacement
    return {
        "order_key": wish.order_key,
        "reason": wish.reason,
        "replaced_by": None if second is None else second.order_key,
        "tries": wish.tries,
    }
