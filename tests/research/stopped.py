"""Strategies that attach stops, at which candle and how far from its close their params say."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument, OrderType, Side, TimeInForce
from strategies.protocol import Decision, Strategy, Target


class Stopped(Strategy):
    """`orders`: place, side, quantity, limit or nothing, and three distances, 0 being none.

    The side `flat` leaves whatever the position is by a Target.
    """

    uses_stops = True
    warmup_events = 64

    def __init__(
        self, params: Mapping[str, Any], symbol: Symbol, notional: Decimal, instrument: Instrument
    ) -> None:
        self._orders = params["orders"]
        self._seen = 0
        self.positions_seen: list[Decimal] = []

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        here, self._seen = self._seen, self._seen + 1
        self.positions_seen.append(position)
        return [self._wish(candle, *order[1:]) for order in self._orders if order[0] == here]

    def _wish(
        self, candle: Candle, side: str, quantity: str, limit: str, stop: int, goal: int, trail: int
    ) -> Any:
        if side == "flat":
            return Target(quantity=Decimal(0), reason="out")
        way = Side(side)
        price = Decimal(limit) if limit else candle.close
        return Decision(
            side=way,
            order_type=OrderType.LIMIT if limit else OrderType.MARKET,
            time_in_force=TimeInForce.GTC,
            quantity=Decimal(quantity),
            limit_price=Decimal(limit) if limit else None,
            reason="the script says so",
            stop_loss=price - way.sign * stop if stop else None,
            take_profit=price + way.sign * goal if goal else None,
            trailing=Decimal(trail) if trail else None,
        )


def stopped_strategy(name: str, symbol: str, orders: Any) -> dict[str, Any]:
    """Give one as a configuration names it."""
    params = {"orders": orders}
    return {"id": name, "uses": f"{Path(__file__)}:Stopped", "symbol": symbol, "params": params}
