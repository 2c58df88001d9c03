"""How the paper venue is set up, and which orders it refuses at the door."""

from decimal import Decimal

import msgspec

from exchanges.protocol import NewOrder
from messages.orders import OrderIntent
from messages.values import Instrument, OrderType

_LIMIT = OrderType.LIMIT
DEFAULT_QUOTE_BALANCE = Decimal(10_000)
"""Given once to a quote currency that no balance was configured for."""


class PaperSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[venue]` of a paper run. One basis point (bps) is a hundredth of a percent."""

    balances: dict[str, Decimal] = msgspec.field(
        default_factory=lambda: {"USDT": DEFAULT_QUOTE_BALANCE}
    )
    """What a new book begins with."""
    maker_fee_bps: Decimal = Decimal(10)
    """Of the notional, in quote currency; negative is a rebate."""
    taker_fee_bps: Decimal = Decimal(10)
    slippage_bps: Decimal = Decimal(1)
    """How much worse than a candle's open a market order fills."""
    latency_ms: int = 50
    """From the decision to the market."""
    participation: Decimal = Decimal("0.1")
    """How much of a candle's or a trade's volume one order may take; at most 1."""
    instruments: tuple[Instrument, ...] = ()
    """Other symbols trade on the default grid, without minima."""

    def __post_init__(self) -> None:
        """Refuse what cannot be played.

        Raises:
            ValueError: one sentence that says which setting and why.
        """
        if not 0 < self.participation <= 1:
            raise ValueError("participation must be more than 0 and at most 1")
        if self.latency_ms < 0 or not 0 <= self.slippage_bps < 10_000:
            raise ValueError("latency_ms and slippage_bps must not be negative")
        if not (abs(self.maker_fee_bps) < 10_000 and abs(self.taker_fee_bps) < 10_000):
            raise ValueError("fees must be less than 10000 bps, which is all of the notional")
        if any(not (amount.is_finite() and amount >= 0) for amount in self.balances.values()):
            raise ValueError("balances must not be negative")


def problem_with(order: NewOrder | OrderIntent, instrument: Instrument | None) -> str:
    """Say why the order is refused at the door; empty when it is not.

    Only an instrument that was configured has minima: the default grid is a guess.
    """
    if not (order.quantity.is_finite() and order.quantity > 0):
        return f"quantity {order.quantity} is not more than 0"
    if (order.order_type is _LIMIT) != (order.limit_price is not None):
        return "a limit order needs a limit price, and a market order has none"
    if order.limit_price is not None and not (
        order.limit_price.is_finite() and order.limit_price > 0
    ):
        return f"limit price {order.limit_price} is not more than 0"
    if instrument is None:
        return ""
    return _off_grid(order, instrument)


def _off_grid(order: NewOrder | OrderIntent, instrument: Instrument) -> str:
    if order.quantity < instrument.min_quantity:
        return f"quantity {order.quantity} is below the minimum {instrument.min_quantity}"
    if order.quantity % instrument.quantity_step:
        return f"quantity {order.quantity} is off the step {instrument.quantity_step}"
    if order.limit_price is None:
        return ""
    if order.limit_price % instrument.price_tick:
        return f"limit price {order.limit_price} is off the tick {instrument.price_tick}"
    if order.quantity * order.limit_price < instrument.min_notional:
        return f"the order is worth less than the minimum {instrument.min_notional}"
    return ""
