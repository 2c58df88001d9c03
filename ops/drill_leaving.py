"""What the crash rehearsal leaves: an entry far below the market, of which nothing has filled."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from messages.market import Candle
from messages.values import OrderType, Side, TimeInForce
from ops.config import Config
from ops.drill_replaced import replaced_config
from strategies.protocol import Decision, Strategy, market_order

PRICES = (60_000, 60_100, 60_200, 60_300, 60_400)
CANDLES = len(PRICES)
"""The entry is decided on the first, its exit on the second; on the others leaves whoever holds."""
QUANTITY = Decimal("0.003")
PART = Decimal("0.001")
"""So much of the entry fills at a time."""
_FAR = Decimal("0.85")


class Leaving(Strategy):
    """Bids at 85 % of the price, where nothing fills by itself, and leaves on the next candle."""

    def __init__(self, *_: Any) -> None:
        """Take whatever parameters there are."""

    def on_candle(self, candle: Candle, position: Decimal) -> Decision | None:
        """Enter on the first candle alone; on any other leave what is held or may yet be."""
        if candle.close != PRICES[0]:
            return market_order(Side.SELL, position, "it is time") if position else None
        return Decision(
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            quantity=QUANTITY,
            limit_price=(candle.close * _FAR).quantize(Decimal("0.01")),
            reason="far below the market",
        )


def leaving_config() -> Config:
    """Give the demo's config with that strategy, and limits that let its orders pass."""
    replace, config = msgspec.structs.replace, replaced_config()
    (strategy,) = config.strategies
    uses = f"{Path(__file__)}:{Leaving.__name__}"
    return replace(config, strategies=(replace(strategy, id="leaving", uses=uses),))
