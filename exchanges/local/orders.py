"""What the engine keeps of orders and trades; the wire of a venue puts it into its own words."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from messages.exact import NOTHING
from messages.values import Side, TimeInForce


class OrderKind(StrEnum):
    """How an order meets the book."""

    LIMIT = "limit"
    MARKET = "market"
    POST_ONLY = "post_only"
    """A limit order that is refused rather than take."""


class Status(StrEnum):
    """Where an order stands; only the first two are open."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    EXPIRED_IN_MATCH = "expired_in_match"
    """Taken out because it would have traded with its own account."""


OPEN = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


class Execution(StrEnum):
    """What happened to an order in one event (FIX ExecType)."""

    NEW = "new"
    TRADE = "trade"
    CANCELED = "canceled"
    EXPIRED = "expired"
    TRADE_PREVENTION = "trade_prevention"


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """A request for an order. A market order has `quantity` or `quote_quantity`."""

    symbol: str
    client_order_id: str
    side: Side
    kind: OrderKind
    time_in_force: TimeInForce = TimeInForce.GTC
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None


class Order(msgspec.Struct, kw_only=True):
    """One order at the exchange, from its acceptance on. Quantities are in base currency."""

    order_id: int
    client_order_id: str
    symbol: str
    side: Side
    kind: OrderKind
    time_in_force: TimeInForce
    price: Decimal
    """0 for a market order."""
    quantity: Decimal
    """0 until a market order in quote currency has been matched."""
    quote_quantity: Decimal
    filled: Decimal = NOTHING
    filled_quote: Decimal = NOTHING
    status: Status = Status.NEW
    cancel_id: str = ""
    """The id of the cancel that ended it."""
    expiry_reason: int = 0
    ts_created_ns: int
    ts_updated_ns: int

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.status in OPEN

    @property
    def left(self) -> Decimal:
        """What has not traded, in base currency."""
        return self.quantity - self.filled


def copied(order: Order) -> Order:
    """Give an order as it is now: the engine goes on changing its own."""
    return msgspec.structs.replace(order)


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of one of our orders."""

    trade_id: int
    order_id: int
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    ts_ns: int

    @property
    def quote(self) -> Decimal:
        """Price times quantity."""
        return self.price * self.quantity


class PublicTrade(msgspec.Struct, frozen=True, kw_only=True):
    """One execution as everyone sees it."""

    trade_id: int
    symbol: str
    price: Decimal
    quantity: Decimal
    is_buyer_maker: bool
    ts_ns: int


class OrderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one order, with the order as it stood then."""

    execution: Execution
    order: Order
    trade: Trade | None = None


class BalanceEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The assets that an operation moved; `delta` is set for a deposit or a withdrawal."""

    assets: tuple[str, ...]
    delta: Decimal | None = None
    ts_ns: int


Event = OrderEvent | BalanceEvent | PublicTrade
