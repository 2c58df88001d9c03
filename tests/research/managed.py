"""Strategies that end and replace their orders, at which candle and how their params say."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from messages.ids import Symbol
from messages.market import Candle
from messages.values import Instrument, OrderType, Side, TimeInForce
from strategies.protocol import Cancel, Decision, Replace, Strategy


class Managed(Strategy):
    """`acts`: place, what is done, and a number, a quantity and a limit; see `_wish`."""

    manages_orders = True
    warmup_events = 64

    def __init__(
        self, params: Mapping[str, Any], symbol: Symbol, notional: Decimal, instrument: Instrument
    ) -> None:
        self._acts = params["acts"]
        self._seen = 0
        self.positions_seen: list[tuple[Decimal, int]] = []

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        here, self._seen = self._seen, self._seen + 1
        self.positions_seen.append((position, len(self.open_orders)))
        wishes = [self._wish(*act[1:]) for act in self._acts if act[0] == here]
        return [wish for wish in wishes if wish is not None]

    def _wish(self, what: str, number: int, quantity: str, limit: str) -> Any:
        price = Decimal(limit) if limit else None
        if what in ("buy", "sell"):
            return Decision(
                side=Side(what),
                order_type=OrderType.LIMIT if limit else OrderType.MARKET,
                time_in_force=TimeInForce.GTC,
                quantity=Decimal(quantity),
                limit_price=price,
                reason="the script says so",
            )
        if number >= len(self.open_orders):
            return None
        key = list(self.open_orders)[number]
        if what == "cancel":
            return Cancel(order=key, reason="the script says so")
        much = Decimal(quantity) if quantity else None
        return Replace(order=key, limit_price=price, quantity=much, reason="the script says so")


def managed_strategy(name: str, symbol: str, acts: Any) -> dict[str, Any]:
    """Give one as a configuration names it."""
    params = {"acts": acts}
    return {"id": name, "uses": f"{Path(__file__)}:Managed", "symbol": symbol, "params": params}
