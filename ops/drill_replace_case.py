"""One case of the rehearsal of a replacement: an order rests, another takes its place, one dies."""

import time
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

import msgspec

from decisions.drill import RESTART, Blow, Point
from decisions.drill_replace import FIRST_FAULTS, SECOND, SECOND_FAULTS, ReplaceCase
from decisions.order_wishes import CANCELS, Wish
from exchanges.local.orders import Order
from messages.errors import LedgerUnavailable
from messages.exact import NOTHING
from messages.order_states import FINAL_STATES
from messages.values import OrderState
from ops.drill_cancel_faults import SEEN_BY_STREAM, UNSEEN, disturb
from ops.drill_child import Job
from ops.drill_faults import plans_of, silence
from ops.drill_led_case import AT_REST, LedRehearsal
from ops.drill_life import Life
from ops.drill_replaced import CANDLES, QUANTITY, decided_at, replaced_config, target_of
from ops.drill_setting import IN_VAIN, Baseline, Result, Setting
from ops.drill_stop_case import AHEAD_MS
from persistence.ledger import LedgerEntry
from persistence.reader import LedgerReader


def replace_setting(setting: Setting) -> Setting:
    """Give what the cases of replacements share: a strategy and a market of their own."""
    return msgspec.structs.replace(
        setting, config_path=None, config=replaced_config(), candles=CANDLES
    )


def rehearse_replace(setting: Setting, case: ReplaceCase) -> Result:
    """Play one case to its end; the order under rehearsal is the second."""
    begins_ms = time.time_ns() // 1_000_000 + AHEAD_MS
    first, second = (target_of(setting.config, begins_ms, place) for place in (0, 1))
    baseline = Baseline(target=second, sent=frozenset({first.client_order_id}))
    with ReplaceRehearsal(setting, case, baseline, begins_ms) as rehearsal:
        return rehearsal.play()


class ReplaceRehearsal(LedRehearsal):
    """Besides what is true of any order: never are two of them at the exchange at one time."""

    _case: ReplaceCase

    def __init__(
        self, setting: Setting, case: ReplaceCase, baseline: Baseline, begins_ms: int
    ) -> None:
        super().__init__(setting, case, baseline, begins_ms=begins_ms, candles=CANDLES)
        self._first = target_of(setting.config, begins_ms, 0)
        self._rested = False
        """Whether the first has come to rest, and what strikes its cancel was armed."""

    def play(self) -> Result:
        """Play the case."""
        case, baseline = self._case, self._baseline
        assert baseline is not None
        assert baseline.target is not None
        self._second, self._local = baseline.target, self._exchange.exchange
        if case.fault in SECOND_FAULTS:
            fault = case.fault.removeprefix(SECOND)
            for plan in plans_of(fault, self._second.client_order_id):
                self._local.arm(plan)
        if case.fault not in SEEN_BY_STREAM or case.point in RESTART:
            silence(self._exchange)
        if case.point in RESTART:
            self.run(Point.ANSWER_RECEIVED, Blow.KILL)
        return self._played(baseline, case.point if case.blow is not Blow.NONE else None, case.blow)

    def _job(self, point: StrEnum | None, blow: Blow) -> Job:
        job = super()._job(point, blow)
        return msgspec.structs.replace(job, replace_begins_ms=self._begins_ms, first=self._first)

    # ------------------------------------------------------------ the market

    def _moves(self) -> bool:
        if not self._rested:
            self._rested = True
            if self._case.fault in FIRST_FAULTS:
                disturb(self._local, self._case.fault, self._first.client_order_id, QUANTITY)
        return False

    def _is_at_rest(self, life: Life, blow: Blow, entries: Sequence[LedgerEntry]) -> bool:
        known = {entry.client_order_id: entry for entry in entries}
        first = known.get(self._first.client_order_id)
        if first is None or not (self._rested or first.state is OrderState.ACCEPTED):
            return False
        if self._shown > 1 and self._lives == 1:
            name = self._second.client_order_id
            if name not in known and name not in self._dead:
                return False  # it is decided in the first life, whatever becomes of it
            if blow is not Blow.NONE and life.has("reached") and not life.has("recovered"):
                return False
        return all(entry.state in AT_REST for entry in entries) and not self._waits()

    def _waits(self) -> bool:
        """Whether an order is to end, or something to take its place.

        The note is written with commits: what has ended since the last one stands in it still.
        """
        try:
            with LedgerReader(self._ledger_at) as ledger:
                wishes = msgspec.json.decode(ledger.note(CANCELS) or "[]", type=list[Wish])
        except LedgerUnavailable:
            return False  # killed before there was one
        known = {entry.order_key: entry.state for entry in self.entries()}
        return any(
            known.get(wish.order_key) not in FINAL_STATES
            or (wish.replacement is not None and wish.replacement.order_key not in known)
            for wish in wishes
        )

    # ------------------------------------------------------------ what must be true

    def _is_hopeless(self) -> bool:
        return bool(self._wrong_orders()) or super()._is_hopeless() or self._is_beyond_repair()

    def _wrong_besides(self, entries: Sequence[LedgerEntry]) -> list[str]:
        wrong = self._wrong_orders()
        if not self._rested:
            return [*wrong, f"the first did not come to rest: {IN_VAIN}"]
        if self._waits():
            wrong.append("a decision still waits until another order has ended")
        orders = self._local.orders()
        if not any(order.filled for order in orders):
            there = sum(order.is_open for order in orders)
            if there != 1:
                wrong.append(f"nothing was bought, and {there} orders are open")
            later = decided_at(self._begins_ms, 2)
            if not any(entry.decided_at_ns >= later for entry in entries):
                wrong.append("nothing was decided afterwards: trading does not go on")
        if not self._struck():
            wrong.append(f"{self._case.fault} did not strike: {IN_VAIN}")
        return wrong

    def _wrong_orders(self) -> list[str]:
        """Hold the exchange's own book against the promise of a replacement."""
        orders = sorted(self._local.orders(), key=lambda order: order.ts_created_ns)
        wrong = [
            f"{before.client_order_id} was open when {after.client_order_id} was taken"
            for before, after in pairwise(orders)
            if _ended_ns(before) is None or after.ts_created_ns < (_ended_ns(before) or 0)
        ]
        filled = NOTHING
        for order in orders:
            if filled + order.quantity > QUANTITY:
                wrong.append(
                    f"{order.client_order_id}: {order.quantity:f} were sent, and {filled:f} of"
                    f" {QUANTITY:f} were filled before"
                )
            filled += order.filled
        return wrong

    def _struck(self) -> bool:
        """Whether the fault did; of what moved unseen a restart learns, so nothing is canceled."""
        fault, name = self._case.fault, self._second.client_order_id
        if fault in UNSEEN:
            return True
        if fault in SECOND_FAULTS and not self._local.requests(
            operation="place", client_order_id=name
        ):
            return self._lives > 1  # a later process does not send it
        return all(armed.struck for armed in self._local.armed()[:1])


def _ended_ns(order: Order) -> int | None:
    return None if order.is_open else order.ts_updated_ns
