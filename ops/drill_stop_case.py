"""One case of the rehearsal of a stop: an entry fills, the market falls, somebody dies."""

import time
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from decisions.audit_stops import exit_problem, protected_entry, stop_problem
from decisions.drill import RESTART, Blow, Point
from decisions.drill_stop import ENTRY_LOST, HALTED, StopCase, StopPoint
from decisions.risk_exit import NOTHING_HELD
from messages.errors import LedgerUnavailable
from messages.ids import ClientOrderId
from messages.stops import Stop, StopState
from messages.values import OrderState, Side
from ops.drill_case import Rehearsal
from ops.drill_child import Job
from ops.drill_faults import plans_of, silence
from ops.drill_life import Life
from ops.drill_setting import IN_VAIN, Baseline, Result, Setting
from ops.drill_stopped import CANDLES, names_of, stopped_config
from ops.drill_trap import Target
from persistence.ledger import LedgerEntry
from persistence.reader import LedgerReader

AHEAD_MS = 60_000
"""How far ahead of our clock its market begins: what was before the entry is filled is nothing to
its stop, and a price of more than an hour ahead is not believed."""
FEE = Decimal("0.001")
"""What the local exchange takes of what was bought."""
STEP = Decimal("0.00001")
"""Of its quantities."""


def stop_setting(setting: Setting) -> Setting:
    """Give what the cases of stops share: a strategy and a market of their own."""
    return msgspec.structs.replace(
        setting, config_path=None, config=stopped_config(), candles=CANDLES
    )


def rehearse_stop(setting: Setting, case: StopCase) -> Result:
    """Play one case to its end; the order under rehearsal is the first exit."""
    begins_ms = time.time_ns() // 1_000_000 + AHEAD_MS
    entry = names_of(setting.config, begins_ms).entry
    baseline = Baseline(target=entry, sent=frozenset({entry.client_order_id}))
    with StopRehearsal(setting, case, baseline, begins_ms) as rehearsal:
        return rehearsal.play()


class StopRehearsal(Rehearsal):
    """Besides what is true of any order: what was bought is sold, all of it, and once.

    The market is shown as a live one is: what a process has seen of it, the next does not look at
    again. Its times are the case's own, so that both processes name their decisions alike.
    """

    _case: StopCase

    def __init__(
        self, setting: Setting, case: StopCase, baseline: Baseline, begins_ms: int
    ) -> None:
        super().__init__(setting, case, baseline)
        self._begins_ms = begins_ms

    def play(self) -> Result:
        """Play the case."""
        case, baseline = self._case, self._baseline
        assert baseline is not None
        self._arm()
        if case.point in RESTART:
            self.run(Point.ANSWER_RECEIVED, Blow.KILL)
        return self._played(baseline, case.point if case.blow is not Blow.NONE else None, case.blow)

    def _arm(self) -> None:
        """Aim the fault at the first exit, on whichever candle it is decided, or at the entry."""
        fault, names = self._case.fault, names_of(self._setting.config, self._begins_ms)
        if fault == ENTRY_LOST:
            aimed = plans_of("reset_after", names.entry.client_order_id)
        elif fault == HALTED:
            aimed = []
        else:
            aimed = [plan for name in names.exits for plan in plans_of(fault, name)]
        for plan in aimed:
            self._exchange.exchange.arm(plan)
        if fault not in ("none", "streamed", HALTED) or self._case.point in RESTART:
            silence(self._exchange)

    def _job(self, point: StrEnum | None, blow: Blow) -> Job:
        return msgspec.structs.replace(
            super()._job(point, blow),
            stop_begins_ms=self._begins_ms,
            stop_point=point if isinstance(point, StopPoint) else None,
            stop_halts=self._case.fault == HALTED,
        )

    def _rehearsed(self, target: Target, entries: Sequence[LedgerEntry]) -> ClientOrderId:
        exits = [entry.client_order_id for entry in entries if entry.side is Side.SELL]
        return exits[0] if exits else target.client_order_id

    # ------------------------------------------------------------ what must be true

    def _wrong_besides(self, entries: Sequence[LedgerEntry]) -> list[str]:
        if not entries and self._dead:
            return []  # a decision that brought its actor down: reported, and no stop of it
        wrong = self._wrong_sums()
        if _of_nothing(entries):
            wrong.append("an exit was decided for what is not held")
        stops = self._stops()
        known = {entry.order_key: entry for entry in entries}
        if not stops:
            wrong.append("the stop is gone")
        for stop in stops:
            if problem := stop_problem(stop, known):
                wrong.append(f"the stop: {problem}")
            elif stop.state is not StopState.DONE:
                wrong.append(f"the stop is {stop.state} at the end")
        by_entry = {stop.entry_key: stop for stop in stops}
        for entry in entries:
            if problem := exit_problem(entry, by_entry):
                wrong.append(f"{entry.client_order_id}: {problem}")
            elif entry.side is Side.SELL and protected_entry(entry) is None:
                wrong.append(f"{entry.client_order_id}: no stop decided it")
        return wrong

    def _wrong_sums(self) -> list[str]:
        bought, sold, selling = self.traded()
        if not bought:
            return [f"nothing was bought: {IN_VAIN}"]
        left = bought - bought * FEE - sold
        if left < selling:
            return [f"{bought:f} was bought, {sold:f} is sold, and {selling:f} is for sale"]
        if left >= STEP:
            return [f"not all was left: {bought:f} was bought, {sold:f} sold"]
        return []

    def _is_hopeless(self) -> bool:
        bought, sold, selling = self.traded()
        return sold + selling > bought or super()._is_hopeless() or self._has_ended_wrong()

    def _has_ended_wrong(self) -> bool:
        """Whether what is final is wrong: a stop that is done, or an exit of nothing."""
        entries = self.entries()  # before the stops, which know each exit that is there
        stops = {stop.entry_key: stop for stop in self._stops()}
        if _of_nothing(entries) or any(exit_problem(entry, stops) for entry in entries):
            return True
        known = {entry.order_key: entry for entry in self.entries()}
        done = [stop for stop in stops.values() if stop.state is StopState.DONE]
        return any(stop_problem(stop, known) for stop in done)

    def _is_settled(self, life: Life, blow: Blow) -> bool:
        return super()._is_settled(life, blow) and not self._wrong_besides(self.entries())

    def _stops(self) -> list[Stop]:
        try:
            with LedgerReader(self._ledger_at) as ledger:
                return ledger.all_stops()
        except LedgerUnavailable:
            return []  # killed before there was one


def _of_nothing(entries: Sequence[LedgerEntry]) -> bool:
    refused = [entry for entry in entries if entry.state is OrderState.REFUSED]
    return any(entry.state_reason.startswith(NOTHING_HELD) for entry in refused)
