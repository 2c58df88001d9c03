"""What a strategy decided and will never hold: of orders refused, rejected, or ended early.

`position` counts every decision as filled, so that it does not depend on how fast a venue is. Who
must know what is really held, because half of it is worse than nothing, keeps this beside it.
"""

from collections.abc import Mapping
from decimal import Decimal

from messages.exact import NOTHING
from messages.ids import OrderKey, Symbol
from messages.order_states import FINAL_STATES
from messages.orders import OrderUpdate

_REMEMBERED = 4_096


class Unfilled:
    """Feed it by `on_update`; each order counts once, however often it is told."""

    def __init__(self) -> None:
        self.by_symbol: dict[Symbol, Decimal] = {}
        """Base currency, signed as the decisions were."""
        self._counted: dict[OrderKey, None] = {}

    def take(self, update: OrderUpdate) -> bool:
        """Count an order that has ended; True when it has left something unfilled, told first."""
        missing = update.quantity - update.filled_quantity
        if update.state not in FINAL_STATES or not missing or update.order_key in self._counted:
            return False
        self._counted[update.order_key] = None
        if len(self._counted) > _REMEMBERED:
            del self._counted[next(iter(self._counted))]
        before = self.by_symbol.get(update.symbol, NOTHING)
        self.by_symbol[update.symbol] = before + update.side.signed(missing)
        return True

    def of(self, symbol: Symbol) -> Decimal:
        """Give what `position` counts of a symbol and nobody holds."""
        return self.by_symbol.get(symbol, NOTHING)

    def dump(self) -> tuple[dict[Symbol, Decimal], list[OrderKey]]:
        """Give it as plain data, for a snapshot."""
        return dict(self.by_symbol), list(self._counted)

    def load(self, by_symbol: Mapping[Symbol, Decimal], counted: list[OrderKey]) -> None:
        """Go back to what `dump` gave."""
        self.by_symbol, self._counted = dict(by_symbol), dict.fromkeys(counted)
