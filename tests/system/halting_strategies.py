"""Strategies that leave something open."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from messages.market import Candle
from messages.values import OrderType, Side, TimeInForce
from strategies.protocol import Decision, Strategy, market_order


class Resting(Strategy):
    """Buys on every candle at 85 % of its price, where nothing fills."""

    def __init__(self, *_: Any) -> None:
        """Take whatever parameters there are."""

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        price = (candle.close * Decimal("0.85")).quantize(Decimal("0.01"))
        return (
            Decision(
                side=Side.BUY,
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                quantity=Decimal("0.001"),
                limit_price=price,
                reason="far below the market",
            ),
        )


class Leaving(Strategy):
    """Buys once with a stop far below, and rests a bid where nothing fills; then it only looks."""

    uses_stops = True

    def __init__(self, *_: Any) -> None:
        """Take whatever parameters there are."""
        self._has_decided = False

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:
        if self._has_decided or position:
            return ()
        self._has_decided = True
        price = (candle.close * Decimal("0.85")).quantize(Decimal("0.01"))
        far = (candle.close * Decimal("0.5")).quantize(Decimal("0.01"))
        bid = Decision(
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            quantity=Decimal("0.001"),
            limit_price=price,
            reason="far below the market",
        )
        return (market_order(Side.BUY, Decimal("0.001"), "in", stop_loss=far), bid)
