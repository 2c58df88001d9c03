"""An order as a ledger holds it, as far as decisions on other orders need it."""

from decimal import Decimal
from typing import Protocol

from messages.ids import OrderKey, StrategyId, Symbol
from messages.values import OrderState, Side


class MaybeFitted(Protocol):
    """One of which less may have been sent than was decided."""

    @property
    def state(self) -> OrderState:
        """What is known of it."""

    @property
    def filled_quantity(self) -> Decimal:
        """Cumulative."""

    @property
    def decided_quantity(self) -> Decimal | None:
        """What was decided, where less was sent."""

    @property
    def reason(self) -> str:
        """Why, and what fees had left of it."""


class NamedOrder(Protocol):
    """A decision, or an order: its name and what it trades."""

    @property
    def order_key(self) -> OrderKey:
        """Of its decision."""

    @property
    def strategy_id(self) -> StrategyId:
        """Whose it is."""

    @property
    def symbol(self) -> Symbol:
        """What it trades."""

    @property
    def side(self) -> Side:
        """Which way."""


class OrderLike(NamedOrder, MaybeFitted, Protocol):
    """One that was sent."""

    @property
    def quantity(self) -> Decimal:
        """What was sent: base currency, unsigned."""
