"""What strategies want ended: canceled, and proved by asking.

A wish is durable before the venue is asked for anything. One desk belongs to one incarnation of the
executor and is used on its thread.
"""

from collections.abc import Callable
from typing import Any

from actors.context import Context
from actors.gateway import Gateway
from actors.given_up import GivenUp
from actors.log import logger
from actors.noted_wishes import NotedWishes
from actors.order_desk import OrderDesk
from actors.order_records import lost_update, new_order, update_of
from actors.replacements import Replacements
from decisions.executor import EndFirst
from decisions.order_wishes import BY_A_PERSON, UNWANTED, Wish, own_reason, why_ended
from messages.errors import ActorUnavailable, LedgerFenced, LedgerLost
from messages.halting import CancelDone
from messages.ids import NS_PER_S, OrderKey
from messages.order_states import FINAL_STATES, RESTING_STATES
from messages.orders import CancelAgain, CancelIntent, LookupDone, OrderUpdate
from persistence.ledger import Ledger, LedgerEntry

PAUSES_NS = (0, NS_PER_S, 2 * NS_PER_S, 5 * NS_PER_S, 10 * NS_PER_S)
"""The pause before each cancel of one order. After the last its strategy is told that it stays,
and may wish again."""


class CancelDesk:
    """`tell` informs the strategy that owns an order; `on_given_up`: see `GivenUp`."""

    def __init__(
        self,
        *,
        ctx: Context,
        ledger: Ledger,
        gateway: Gateway,
        desk: OrderDesk,
        noted: NotedWishes,
        replacements: Replacements,
        tell: Callable[[OrderUpdate], None],
        on_given_up: Callable[[], None],
    ) -> None:
        self._ctx, self._ledger, self._gateway = ctx, ledger, gateway
        self._desk, self._noted, self._replacements = desk, noted, replacements
        self._tell = tell
        self.given_up = GivenUp(on_given_up)
        self._wishes = noted.by_order
        self._under_way: set[OrderKey] = set()

    @property
    def waits(self) -> bool:
        """Whether an order is to end, or something to take its place, and has not yet."""
        return bool(self._wishes)

    def shown_to_people(self) -> dict[str, Any]:
        """Give what is to end and has not, and what was given up."""
        return {
            "count": len(self._wishes),
            "orders": [_shown(wish) for wish in self._wishes.values()],
            "given_up": dict(self.given_up.why),
        }

    def recover(self) -> None:
        """Take up earlier wishes: their orders are being asked for, as all open ones are."""
        self._noted.recover()
        self._replacements.recover()
        for key, entry in self._ledger.lookup(list(self._wishes)).items():
            if entry.state in FINAL_STATES:
                self._end(self._wishes[key])
            else:
                self._desk.unwanted.setdefault(key, why_ended(self._wishes[key]))
        if self._replacements.ready():
            self._ctx.after(1, CancelAgain(order_key=OrderKey("")))  # somebody must look

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
            if not self._replacements.never_send(intent):
                self._tell(lost_update(intent))
        elif entry.strategy_id != intent.strategy_id:
            log = logger.bind(actor=self._ctx.path)
            log.warning("{} has no order {} to end", intent.strategy_id, intent.cancels)
        elif entry.state not in FINAL_STATES and entry.order_key not in self._wishes:
            self._want(entry, Wish(order_key=entry.order_key, reason=intent.reason))

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
        self._noted.changed()
        entry = self._ledger.lookup([key]).get(key)
        if entry is None or entry.state in FINAL_STATES:
            return
        text = f"{key} was to end, and that could not be written down: {why}"
        logger.bind(actor=self._ctx.path).error(text)
        self.given_up.add(key, text)
        self._tell(update_of(entry, (), self._ctx.utc_ns()))

    def end_first(self, verdict: EndFirst) -> None:
        """End an order, and let another one be judged again once it has.

        Raises:
            LedgerConflict: the other one was decided before, and not like this.
            LedgerError: it could not be written down, and nothing was asked for.
        """
        intent, key = verdict.intent, verdict.first.order_key
        if not self._replacements.begin(key, intent):
            return
        entry, reason = self._ledger.lookup([key])[key], own_reason(intent.reason)
        wish = Wish(order_key=key, reason=reason, replacement=intent)
        self._want(entry, wish)
        if entry.state in FINAL_STATES:  # since it was judged: nobody tells of that again
            self._end(wish)

    def _want(self, entry: LedgerEntry, wish: Wish) -> None:
        key = entry.order_key
        self._wishes[key] = wish
        self._noted.changed()
        self.given_up.forget(key)
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
        if self.given_up.why and entry.state in FINAL_STATES:
            self.given_up.forget(entry.order_key)
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
        self._noted.changed()
        wish.is_over = True
        if wish.replacement is None:
            del self._wishes[wish.order_key]

    def _give_up(self, wish: Wish, why: str) -> None:
        text = f"{wish.order_key} could not be ended in {wish.tries} tries: {why}"
        logger.bind(actor=self._ctx.path).error(text)
        self._replacements.drop(wish, text)
        self._end(wish)
        self.given_up.add(wish.order_key, text)


def _shown(wish: Wish) -> dict[str, Any]:
    second = wish.replacement
    return {
        "order_key": wish.order_key,
        "reason": wish.reason,
        "replaced_by": None if second is None else second.order_key,
        "tries": wish.tries,
    }
