"""What the crash rehearsal replaces: an order far below a market, moved at each candle."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from decisions.order_keys import client_order_id, order_key
from messages.ids import MINUTE_NS, NS_PER_MS, AccountId, StrategyId, TimestampNs
from messages.market import Candle
from messages.values import OrderType, Side, TimeInForce
from ops.config import Config
from ops.drill_stopped import stopped_config
from ops.drill_trap import Target
from ops.drill_traps import EXCHANGE
from strategies.protocol import Decision, Replace, Strategy

PRICES = (60_000, 60_100, 60_200, 60_300)
CANDLES = len(PRICES)
"""The first order is decided on the first, what takes its place on the second, and on the others
that trading goes on."""
QUANTITY = Decimal("0.001")
"""Of all orders together: what one has filled is not asked for again."""
_PART = Decimal("0.85")
_AGE_MS = 60_000
"""A second waits for its first as long as a fault takes."""


class Replaced(Strategy):
    """Keeps one bid at 85 % of the price, where nothing fills by itself."""

    manages_orders = True

    def __init__(self, *_: Any) -> None:
        """Take whatever parameters there are."""

    def on_candle(self, candle: Candle, position: Decimal) -> Decision | Replace | None:
        """Move what is open, or begin; what has filled, or may yet, is kept."""
        price = (candle.close * _PART).quantize(Decimal("0.01"))
        for key in self.open_orders:
            return Replace(order=key, limit_price=price, reason="it follows the market")
        if position:
            return None
        return Decision(
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            quantity=QUANTITY,
            limit_price=price,
            reason="far below the market",
        )


def replaced_config() -> Config:
    """Give the demo's config with that strategy, and limits that let its orders pass."""
    replace, config = msgspec.structs.replace, stopped_config()
    (strategy,) = config.strategies
    uses = f"{Path(__file__)}:{Replaced.__name__}"
    return replace(
        config,
        strategies=(replace(strategy, id="replaced", uses=uses, params={}),),
        # A struck executor has seen no price yet, and would refuse the second for that alone.
        risk=replace(config.risk, max_decision_age_ms=_AGE_MS, max_market_age_ms=None),
    )


def decided_at(begins_ms: int, place: int) -> TimestampNs:
    """Give when the decision on a candle is made, on the market's clock."""
    return TimestampNs(begins_ms * NS_PER_MS + (place + 1) * MINUTE_NS)


def target_of(config: Config, begins_ms: int, place: int) -> Target:
    """Give what the order is called that is decided on a candle, whichever life decides it."""
    (strategy,) = config.strategies
    at_ns = decided_at(begins_ms, place)
    key = order_key(AccountId(EXCHANGE), StrategyId(strategy.id), strategy.symbol, at_ns, 0)
    return Target(order_key=key, client_order_id=client_order_id(key))
