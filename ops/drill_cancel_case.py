"""One case of the rehearsal of cancels: orders rest, a halt or a cancel falls, somebody dies."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Self

import msgspec

from decisions.drill import Blow
from decisions.drill_cancel import CANCEL_FAULTS, CancelCase, Kind, Road
from exchanges.demo import DemoSource
from exchanges.local.market import price_of
from messages.ids import ClientOrderId
from messages.order_states import RESTING_STATES
from messages.values import OrderState
from ops.drill_cancel_faults import UNSEEN, arm_placing, disturb
from ops.drill_case import Rehearsal
from ops.drill_life import Life
from ops.drill_person import CancelingPerson, HaltingPerson, Stage
from ops.drill_resting import CANDLES, RESTING, resting_config
from ops.drill_setting import IN_VAIN, Baseline, Result, Setting
from persistence.ledger import LedgerEntry

_AT_REST = RESTING_STATES | {OrderState.REFUSED}
_ON_ITS_WAY = {
    "place_absent": frozenset({OrderState.UNKNOWN}),
    "place_late": frozenset({OrderState.SENT, OrderState.UNKNOWN}),
}
"""Where the target is when the cancel falls, under the faults of its placement."""


def cancel_setting(setting: Setting) -> Setting:
    """Give what the cases of cancels share: a strategy of their own, whose orders rest."""
    return msgspec.structs.replace(
        setting, config_path=None, config=resting_config(), candles=CANDLES, cancels=True
    )


def rehearse_cancel(setting: Setting, baseline: Baseline, case: CancelCase) -> Result:
    """Play one case to its end."""
    with CancelRehearsal(setting, case, baseline) as rehearsal:
        return rehearsal.play()


def _begins_at(setting: Setting) -> Decimal:
    """Give the price of the first candle that is shown."""
    feed = setting.config.feed
    seed = feed.seed if setting.seed is None else setting.seed
    return price_of(next(DemoSource(feed.symbols[0], seed=seed).events()))


class CancelRehearsal(Rehearsal):
    """Beside the exchange and the living process there is a person, who orders and believes."""

    _case: CancelCase

    def __enter__(self) -> Self:
        """Have the exchange stand where the candles begin: a bid far below them is to rest."""
        super().__enter__()
        self.stand_at(_begins_at(self._setting))
        return self

    def play(self) -> Result:
        """Play the case."""
        case, baseline = self._case, self._baseline
        assert baseline is not None
        assert baseline.target is not None
        self._target, self._local = baseline.target, self._exchange.exchange
        self._person = (
            HaltingPerson(self._local)
            if case.road is Road.HALT
            else CancelingPerson(self._local, self._target.order_key, self._target.client_order_id)
        )
        self._rests = False
        arm_placing(self._local, case.fault, self._target.client_order_id)
        point = case.point if case.blow is not Blow.NONE else None
        return self._played(baseline, point, case.blow)

    def _wrong_besides(self, entries: Sequence[LedgerEntry]) -> list[str]:
        person = self._person
        wrong = list(person.problems)
        if not self._rests:
            wrong.append(f"the orders did not come to rest: {IN_VAIN}")
        elif person.stage is Stage.ORDERED:
            wrong.append(f"never proved: {person.last_text or 'nothing was told'}")
        elif person.stage is Stage.RESUMING:
            wrong.append(f"trading does not go on: {person.last_text}")
        elif missing := self._missing(entries):
            wrong.append(f"{', '.join(missing)}: not sent, though trading goes on")
        if isinstance(person, HaltingPerson):
            wrong += person.left_while_halted()
        if self._rests and not self._struck():
            wrong.append(f"{self._case.fault} did not strike: {IN_VAIN}")
        return wrong

    def run(self, point: StrEnum | None, blow: Blow) -> bool:
        """See `Rehearsal.run`; one whose key was refused is to be started again."""
        return super().run(point, blow) or self._has_heard()

    def _is_hopeless(self) -> bool:
        told_wrong = bool(self._person.problems)
        return told_wrong or super()._is_hopeless() or self._is_beyond_repair()

    def _struck(self) -> bool:
        """Whether the fault did; of what moved unseen a restart learns, so nothing is canceled."""
        first = self._local.armed()[:1]
        return self._case.fault in UNSEEN or all(armed.struck for armed in first)

    def _missing(self, entries: Sequence[LedgerEntry]) -> list[ClientOrderId]:
        """Give the decisions made after all that, which the exchange must have."""
        later = sorted(entries, key=lambda entry: entry.order_key)[RESTING:]
        return [
            entry.client_order_id
            for entry in later
            if not self._local.orders_with(entry.client_order_id)
        ]

    def _is_settled(self, life: Life, blow: Blow) -> bool:
        if not self._rests:
            self._rests = self._has_come_to_rest()
            return False
        restarts = self._has_heard()
        self._person.attend(life, goes_on=not restarts)
        if restarts:  # what it says of its key is to start it again, once what was ordered is done
            return self._person.stage is not Stage.ORDERED
        return self._person.stage is Stage.TRADING and super()._is_settled(life, blow)

    def _has_come_to_rest(self) -> bool:
        """Let the orders move, and arm the fault, once they rest."""
        entries = {entry.client_order_id: entry for entry in self.entries()}
        target = entries.pop(self._target.client_order_id, None)
        if target is None or len(entries) < RESTING - 1:
            return False
        if CANCEL_FAULTS[self._case.fault] is Kind.PLACING:
            if target.state not in _ON_ITS_WAY[self._case.fault]:
                return False
        elif target.state is not OrderState.ACCEPTED:
            return False
        if any(entry.state not in _AT_REST for entry in entries.values()):
            return False
        disturb(self._local, self._case.fault, target.client_order_id, target.quantity)
        return True
