"""A strategy that ends and replaces orders which bring stops: at which candle, its params say."""

from decimal import Decimal
from typing import Any

import msgspec

from messages.market import Candle
from tests.research.managed import Managed


class ManagedStops(Managed):
    """As `Managed`; an act says also how far its stop and its target are, if it has them."""

    uses_stops = True

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        self._close = candle.close
        return super().on_candle(candle, position)

    def _wish(
        self, what: str, number: int, quantity: str, limit: str, stop: str = "", goal: str = ""
    ) -> Any:
        wish = super()._wish(what, number, quantity, limit)
        if wish is None or what == "cancel":
            return wish
        sign = 1 if what == "buy" else -1
        if what == "replace":
            sign = self.open_orders[wish.order].side.sign
        price = Decimal(limit) if limit else self._close
        return msgspec.structs.replace(
            wish,
            stop_loss=price - sign * Decimal(stop) if stop else None,
            take_profit=price + sign * Decimal(goal) if goal else None,
        )
