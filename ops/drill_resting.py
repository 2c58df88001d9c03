"""What the crash rehearsal cancels: orders that rest far below a market, one for each candle."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from messages.market import Candle
from messages.values import OrderType, Side, TimeInForce
from ops.config import Config, demo_config
from strategies.protocol import Decision, Strategy

RESTING = 3
"""So many orders rest when the cancel falls; the second is the one under rehearsal."""
CANDLES = RESTING + 1
"""The last is shown when trading goes on."""
_PART = Decimal("0.85")
_COLLAR_BPS = Decimal(5_000)
_PLENTY = Decimal(1_000_000)


class Resting(Strategy):
    """Buys on every candle at 85 % of its price, where nothing fills by itself."""

    def __init__(self, *_: Any) -> None:
        """Take whatever parameters there are."""

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:  # noqa: ARG002 - a strategy's signature
        """Decide the same on each."""
        return (
            Decision(
                side=Side.BUY,
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                quantity=Decimal("0.001"),
                limit_price=(candle.close * _PART).quantize(Decimal("0.01")),
                reason="far below the market",
            ),
        )


def resting_config() -> Config:
    """Give the demo's config with that strategy, and limits that let its orders pass."""
    replace, config = msgspec.structs.replace, demo_config()
    (strategy,) = config.strategies
    uses = f"{Path(__file__)}:{Resting.__name__}"
    return replace(
        config,
        strategies=(replace(strategy, id="resting", uses=uses, params={}),),
        risk=replace(config.risk, price_collar_bps=_COLLAR_BPS, max_position_notional=_PLENTY),
    )
