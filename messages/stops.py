"""What the executor keeps of a stop: durable with its entry, until nothing is left of it."""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

import msgspec

from messages.base import Delivery, Message, OnRestart, Overflow
from messages.ids import AccountId, ActorPath, OrderKey, StrategyId, Symbol, TimestampNs
from messages.values import Side


class StopState(StrEnum):
    """How far a stop has come."""

    ARMED = "armed"
    """The market is watched as soon as something of the entry is filled."""
    ACTED = "acted"
    """Its price was reached: what is filled of the entry is being left, now and later."""
    DONE = "done"
    """Nothing is left to protect."""


class Cause(StrEnum):
    """Which part of a protection acted."""

    STOP_LOSS = "stop_loss"
    TRAILING = "trailing"
    TAKE_PROFIT = "take_profit"


class Stop(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry's protection, as the ledger holds it. Its key is the entry's.

    The fields stand in the order of the table's columns. Quantities are in base currency,
    unsigned; prices in quote currency.
    """

    entry_key: OrderKey
    account: AccountId
    strategy_id: StrategyId
    symbol: Symbol
    side: Side
    """The entry's."""
    stop_loss: Decimal | None
    take_profit: Decimal | None
    trails_by: Decimal | None
    reference_price: Decimal
    """The entry's limit, or the price that it was decided at."""
    is_limit: bool
    placed_at_ns: TimestampNs
    """When the entry was decided: what the market did until then is not looked at."""
    state: StopState
    best_price: Decimal
    """The highest price since the entry, of a short one the lowest: what trails hangs from it."""
    looked_at_ns: TimestampNs
    """The market's time up to which it is surely known not to have acted.

    Before `placed_at_ns` where that lies too far ahead of our clock to be a right time.
    """
    released: Decimal = Decimal(0)
    """What was filled of the entry and the strategy has left by itself."""
    exits: tuple[OrderKey, ...] = ()
    """The keys of the exits that were decided for it, refused ones too."""
    failed: int = 0
    """So many of the last exits in a row ended with something unfilled."""
    cause: str = ""
    """A `Cause`, once it has acted."""
    acted_at_ns: TimestampNs = TimestampNs(0)
    acted_price: Decimal | None = None
    """What could be had when it acted: the stop's own price, or a worse one after a gap."""
    is_inside: bool = False
    """Whether it acted somewhere inside a candle, at a price that a played venue may give."""
    why: str = ""
    """Why it acted, or is done, for a person."""


class StopActed(Message, kw_only=True, frozen=True):
    """A stop has acted, and its exit is claimed: the strategy's position is less by it.

    Executor -> Strategy. Kept; told again when a market is shown again.
    """

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.GROW, traced=True)

    order_key: OrderKey
    """The exit's."""
    entry_key: OrderKey
    strategy_id: StrategyId
    symbol: Symbol
    change: Decimal
    """What it does to the position: signed."""
    cause: str
    why: str
    ts_event_ns: TimestampNs
    after: OrderKey | None = None
    """The last decision of the strategy on this symbol that was taken before it: what it decides
    meanwhile comes after. None where that is not known."""

    def trace_id(self) -> str:
        """The exit."""
        return self.order_key


class MarketShown(Message, kw_only=True, frozen=True):
    """The paper venue has done all that a batch gave it to do, and told of it.

    Gateway -> Executor, which then looks at its stops. Dropped at a restart: the feed shows the
    batch again.
    """

    delivery: ClassVar[Delivery] = Delivery(on_restart=OnRestart.DROP, overflow=Overflow.GROW)

    feed: ActorPath
    next_index: int
