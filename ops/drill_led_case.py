"""A rehearsal that shows its market a candle at a time, each when all has come to rest."""

import time
from abc import abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from typing import Self

from decisions.drill import Blow
from decisions.drill_exit import ExitCase
from decisions.drill_replace import ReplaceCase
from messages.order_states import FINAL_STATES, RESTING_STATES
from ops.drill_case import CALM_S, Rehearsal
from ops.drill_life import Life
from ops.drill_replaced import PRICES
from ops.drill_setting import Baseline, Setting
from persistence.ledger import LedgerEntry

AT_REST = FINAL_STATES | RESTING_STATES


class LedRehearsal(Rehearsal):
    """The market is shown as a live one is. `begins_ms`: its first moment, on its own clock."""

    def __init__(
        self,
        setting: Setting,
        case: ReplaceCase | ExitCase,
        baseline: Baseline,
        *,
        begins_ms: int,
        candles: int,
    ) -> None:
        super().__init__(setting, case, baseline)
        self._begins_ms, self._candles = begins_ms, candles
        self._life: Life | None = None
        self._shown, self._calm_since = 1, 0.0

    def __enter__(self) -> Self:
        """Have the exchange stand where the candles begin, whatever the seed made of its market.

        A bid far below the one may be above the other, and would fill where it is to rest.
        """
        super().__enter__()
        self.stand_at(Decimal(PRICES[0]))
        return self

    def _is_settled(self, life: Life, blow: Blow) -> bool:
        if life is not self._life:
            self._life, self._shown, self._calm_since = life, 1, 0.0
        self._lead(life, blow)
        if self._shown < self._candles or not super()._is_settled(life, blow):
            return False
        return not self._wrong_besides(self.entries())

    def _lead(self, life: Life, blow: Blow) -> None:
        """Let the exchange move, or show the next candle, once all of the last has come to rest."""
        if not self._has_rested(life, blow):
            self._calm_since = 0.0
            return
        now = time.monotonic()
        self._calm_since = self._calm_since or now
        if now - self._calm_since < CALM_S:
            return
        self._calm_since = 0.0
        if not self._moves() and self._shown < self._candles:
            self._shown += 1
            life.say(command="go_on", until=self._shown, number=0)

    def _has_rested(self, life: Life, blow: Blow) -> bool:
        shown = life.last("shown")
        if shown is None or shown["count"] < self._shown:
            return False
        return self._is_at_rest(life, blow, self.entries())

    @abstractmethod
    def _is_at_rest(self, life: Life, blow: Blow, entries: Sequence[LedgerEntry]) -> bool:
        """Say whether all that follows from what was shown has come to rest."""

    def _moves(self) -> bool:
        """Let the exchange do what it does at this rest; whether another is to be waited for."""
        return False
