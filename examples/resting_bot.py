"""The bot of docs/strategies.md on managed orders: rest a bid below the market and an ask above it.

It follows the market with the one order that it has open, and ends one that rested for too long.
No edge is claimed: a market that falls fills the bids, and goes on.
"""

from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Annotated

import msgspec

from messages.ids import NS_PER_S, Symbol
from messages.market import Candle
from messages.orders import OrderUpdate
from messages.values import Instrument, OrderType, Side, TimeInForce
from strategies.protocol import Cancel, Decision, Decisions, Replace, Strategy
from strategies.sizing import quantity_for_notional, round_down


class RestingBotParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Distances in parts of the price."""

    distance: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.002
    """How far from the market an order rests."""
    follow: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.001
    """It is replaced once it should rest further from where it does than this."""
    max_age_s: Annotated[int, msgspec.Meta(ge=1)] = 1800
    """It is ended once it has rested for so long at one price."""


class RestingBot(Strategy):
    """Has one order at a time, a bid or an ask for what the bids have brought, and no memory."""

    Params = RestingBotParams
    manages_orders = True

    def __init__(
        self,
        params: RestingBotParams,
        symbol: Symbol,
        order_notional: Decimal,
        instrument: Instrument,
    ) -> None:
        self.symbol, self.instrument = symbol, instrument
        self._order_notional = order_notional
        self._distance = Decimal(str(params.distance))
        self._follow = Decimal(str(params.follow))
        self._max_age_ns = params.max_age_s * NS_PER_S

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        """Look after the open order; without one, sell what is held, or bid for more."""
        for order in self.open_orders.values():
            return self._look_after(order, candle)
        sells = self._sellable(position, candle.close)
        side = Side.SELL if sells else Side.BUY
        price = self._price(side, candle.close)
        quantity = sells or quantity_for_notional(self._order_notional, price, self.instrument)
        if not quantity:
            return None
        return Decision(
            side=side,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            quantity=quantity,
            limit_price=price,
            reason=f"rest a {side} {self._distance:%} from {candle.close}",
        )

    def _look_after(self, order: OrderUpdate, candle: Candle) -> Decisions:
        now_ns, price = candle.ts_event_ns, self._price(order.side, candle.close)
        if now_ns - order.decided_at_ns >= self._max_age_ns:
            return Cancel(order=order.order_key, reason=f"rested at {order.limit_price} too long")
        assert order.limit_price is not None, "it has no other"
        if abs(price - order.limit_price) <= self._follow * order.limit_price:
            return None
        reason = f"the market moved to {candle.close}"
        return Replace(order=order.order_key, limit_price=price, reason=reason)

    def _price(self, side: Side, close: Decimal) -> Decimal:
        away = close * (1 - side.sign * self._distance)
        tick = self.instrument.price_tick
        rounding = ROUND_DOWN if side is Side.BUY else ROUND_UP
        return (away / tick).to_integral_value(rounding=rounding) * tick

    def _sellable(self, position: Decimal, close: Decimal) -> Decimal:
        """Give what is held, or nothing where the venue would find it too small."""
        grid, held = self.instrument, round_down(position, self.instrument.quantity_step)
        is_enough = held >= grid.min_quantity and held * close >= grid.min_notional
        return held if is_enough else Decimal(0)
