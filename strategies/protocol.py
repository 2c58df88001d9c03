"""What a strategy is: memory and no reach. It sees events and says what it would trade."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol, runtime_checkable

import msgspec

from messages.market import Candle, Tick, Trade
from messages.orders import OrderUpdate
from messages.values import OrderType, Side, TimeInForce


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One wish to trade. Quantity in base currency, unsigned, already on the venue's grid.

    `limit_price` is None for a market order. `reason` is a sentence for a person.
    """

    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None
    reason: str


class Strategy:
    """Inherit and override what you need; each handler says what to trade, by default nothing.

    Handlers run one at a time in their actor's thread and get their time from the event.
    The same events must give the same decisions: no clock, no chance, no files. One that
    raises loses that event for good and is built anew from the events before it.

    `position` is what this strategy's own decisions so far would hold if all of them
    filled, in base currency, negative when short; it never depends on how fast a venue is.
    """

    warmup_events: int = 0
    """How many events before now a fresh object must see to decide as an old one would."""

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:  # noqa: ARG002
        """Decide on a bar that has just closed."""
        return ()

    def on_trade(self, trade: Trade, position: Decimal) -> Sequence[Decision]:  # noqa: ARG002
        """Decide on somebody's trade."""
        return ()

    def on_tick(self, tick: Tick, position: Decimal) -> Sequence[Decision]:  # noqa: ARG002
        """Decide on a new best bid and ask."""
        return ()

    def on_update(self, update: OrderUpdate) -> None:
        """Learn what became of an order. When depends on the venue: remember it, decide nothing."""


@runtime_checkable
class PassesCloses(Protocol):
    """A second, faster door into a strategy that looks at closes alone; nobody needs it.

    A backtest uses it where the class that has it is not derived further with another
    `on_candle`. A test holds it against `on_candle` (tests/strategies/test_fast_door.py).
    """

    def pass_closes(self, closes: Sequence[float], start: int, /) -> int:
        """Take candles from place `start` on as `on_candle` would, while that decides nothing.

        Gives the place of the first that was not taken. It may end early, and must before each
        candle that `on_candle` decides on. What lies beyond that place has not happened yet:
        nothing may depend on it (`backtest --verify` looks).
        """
        ...


def market_order(side: Side, quantity: Decimal, reason: str) -> Decision:
    """Trade at whatever the book gives, the rest as soon as it gives more.

    GTC, for a strategy reckons with its whole quantity: a remainder that was cancelled would
    leave it holding less than it believes.
    """
    return Decision(
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=quantity,
        limit_price=None,
        reason=reason,
    )
