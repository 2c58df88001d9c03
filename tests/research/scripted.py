"""A strategy that does what its params say: at which candle, what."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from messages.ids import Symbol
from messages.market import Candle
from messages.orders import OrderUpdate
from messages.values import Instrument, OrderType, Side, TimeInForce
from strategies.protocol import Decision, Strategy


class Scripted(Strategy):
    """`orders`: place, side, time in force, quantity, limit price or nothing, in turn."""

    def __init__(
        self, params: Mapping[str, Any], symbol: Symbol, notional: Decimal, instrument: Instrument
    ) -> None:
        self._orders = params["orders"]
        self._seen = 0

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        here, self._seen = self._seen, self._seen + 1
        return [_decision(*order[1:]) for order in self._orders if order[0] == here]


class Listening(Scripted):
    """The same, and it wants to know what becomes of its orders."""

    def on_update(self, update: OrderUpdate) -> None:
        self._last = update.state


def _decision(side: str, time_in_force: str, quantity: str, limit: str) -> Decision:
    return Decision(
        side=Side(side),
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        time_in_force=TimeInForce(time_in_force),
        quantity=Decimal(quantity),
        limit_price=Decimal(limit) if limit else None,
        reason="the script says so",
    )
