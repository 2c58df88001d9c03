"""One case of the rehearsal of an exit: it waits, its entry fills in parts, somebody dies."""

import time
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from decisions.drill import RESTART, Blow, Point
from decisions.drill_exit import BEGINS, ExitCase, ExitPoint
from decisions.order_keys import client_order_id, rest_key
from decisions.unfinished_exits import LEAVING, NOTHING_LEFT, Unfinished, unfinished_in
from exchanges.local.faults_streams import USER, StreamFault, StreamPlan
from messages.errors import LedgerUnavailable
from messages.exact import NOTHING
from messages.values import OrderState, Side
from ops.drill_child import Job
from ops.drill_faults import plans_of
from ops.drill_leaving import CANDLES, PART, QUANTITY, leaving_config
from ops.drill_led_case import AT_REST, LedRehearsal
from ops.drill_life import Life
from ops.drill_replaced import target_of
from ops.drill_setting import IN_VAIN, Baseline, Result, Setting
from ops.drill_stop_case import AHEAD_MS, FEE
from ops.drill_trap import Target
from persistence.ledger import LedgerEntry
from persistence.reader import LedgerReader

DUST = Decimal("0.0001")
"""Less than the exchange takes in one order."""


def exit_setting(setting: Setting) -> Setting:
    """Give what the cases of exits share: a strategy and a market of their own."""
    return msgspec.structs.replace(
        setting, config_path=None, config=leaving_config(), candles=CANDLES
    )


def rehearse_exit(setting: Setting, case: ExitCase) -> Result:
    """Play one case to its end; the order under rehearsal is the exit, or the first of its rest."""
    begins_ms = time.time_ns() // 1_000_000 + AHEAD_MS
    entry, leaves = (target_of(setting.config, begins_ms, place) for place in (0, 1))
    key = rest_key(leaves.order_key, 1)
    rest = Target(order_key=key, client_order_id=client_order_id(key))
    baseline = Baseline(
        target=rest if case.place.of_rest else leaves, sent=frozenset({entry.client_order_id})
    )
    with ExitRehearsal(setting, case, baseline, begins_ms) as rehearsal:
        return rehearsal.play()


class ExitRehearsal(LedRehearsal):
    """Besides what is true of any order: never is more sold than was bought, and all of it is.

    What is not is told: an exit that was rejected, or a decision that brought its actor down.
    """

    _case: ExitCase

    def __init__(
        self, setting: Setting, case: ExitCase, baseline: Baseline, begins_ms: int
    ) -> None:
        super().__init__(setting, case, baseline, begins_ms=begins_ms, candles=CANDLES)
        self._entry, self._leaves = (target_of(setting.config, begins_ms, one) for one in (0, 1))
        self._filled, self._skips = NOTHING, 0
        self._is_told = False
        """Whether a life told that an exit has failed, and what it left."""

    def play(self) -> Result:
        """Play the case."""
        case, baseline = self._case, self._baseline
        assert baseline is not None
        assert baseline.target is not None
        name, local = baseline.target.client_order_id, self._exchange.exchange
        for plan in plans_of(case.fault, name):
            local.arm(plan)
        if case.fault not in ("none", "streamed") or case.place.point in RESTART:
            dropped = StreamPlan(
                fault=StreamFault.DROPPED_EVENT, stream=USER, client_order_id=name, times=None
            )
            local.arm_stream(dropped)
        if case.place.point in RESTART:
            self.run(Point.ANSWER_RECEIVED, Blow.KILL)
        is_struck = case.blow is not Blow.NONE
        return self._played(baseline, case.place.point if is_struck else None, case.blow)

    def _job(self, point: StrEnum | None, blow: Blow) -> Job:
        """Of another life, which is shown what the ones before were not."""
        if self._life is not None:
            self._skips = min(self._skips + self._shown, CANDLES - 1)
            self._candles = CANDLES - self._skips
        return msgspec.structs.replace(
            super()._job(point, blow),
            candles=self._candles,
            exit_begins_ms=self._begins_ms,
            exit_skips=self._skips,
            exit_point=point if isinstance(point, ExitPoint) else None,
            first=self._entry,
            leaves=self._leaves,
        )

    # ------------------------------------------------------------ the market

    def _is_at_rest(self, life: Life, blow: Blow, entries: Sequence[LedgerEntry]) -> bool:
        known = {entry.client_order_id: entry for entry in entries}
        entry = known.get(self._entry.client_order_id)
        if entry is None or entry.filled_quantity != self._filled:
            return False
        if self._skips + self._shown > 1:
            if self._lives == 1 and not life.has("decided"):
                return False
            if blow is not Blow.NONE and life.has("reached") and not life.has("recovered"):
                return False
        return all(one.state in AT_REST for one in entries)

    def _moves(self) -> bool:
        """Fill another part of the entry, once its exit was decided."""
        if self._skips + self._shown == 1 or self._filled == QUANTITY:
            return False
        self._filled += PART
        self._exchange.exchange.fill_order(self._entry.client_order_id, PART)
        return True

    def _unfinished(self) -> Unfinished:
        try:
            with LedgerReader(self._ledger_at) as ledger:
                return unfinished_in(ledger.note(LEAVING))
        except LedgerUnavailable:
            return NOTHING_LEFT  # killed before there was one

    # ------------------------------------------------------------ what must be true

    def _is_hopeless(self) -> bool:
        bought, sold, selling = self.traded()
        return sold + selling > bought or super()._is_hopeless() or self._is_beyond_repair()

    def _wrong_besides(self, entries: Sequence[LedgerEntry]) -> list[str]:
        self._is_told = self._is_told or (self._life is not None and self._life.has("short"))
        wrong = self._wrong_sums(entries)
        left = self._unfinished()
        if left != NOTHING_LEFT:
            wrong.append(f"exits have something to do still: {left}")
        name, place = self._leaves.client_order_id, self._case.place
        begins = place.point in BEGINS and not place.of_rest
        dies_with_it = begins and self._case.blow is Blow.KILL
        known = {entry.client_order_id for entry in entries}
        if name not in known and name not in self._dead and not dies_with_it:
            wrong.append(f"{name}: the exit was decided, and is in no row")
        return wrong

    def _wrong_sums(self, entries: Sequence[LedgerEntry]) -> list[str]:
        bought, sold, selling = self.traded()
        left = bought - bought * FEE - sold
        if left < selling:
            return [f"{bought:f} was bought, {sold:f} is sold, and {selling:f} is for sale"]
        if bought != QUANTITY:
            return [f"{bought:f} of {QUANTITY:f} were bought: {IN_VAIN}"]
        if left < DUST or self._leaves.client_order_id in self._dead:
            return []
        failed = any(
            one.side is Side.SELL and one.state in (OrderState.REJECTED, OrderState.REFUSED)
            for one in entries
        )
        if failed and self._is_told:
            return []
        return [f"not all was left, and nobody is told: {bought:f} was bought, {sold:f} sold"]
