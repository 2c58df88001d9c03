"""Every execution of the account's orders, oldest first, and those of each order apart."""

from collections.abc import Iterable, Sequence

from exchanges.local.orders import Order, Trade
from messages.exact import NOTHING


class TradeRegister:
    """The numbers are those of all trades of the exchange; the account's are some of them."""

    def __init__(self) -> None:
        self.all: list[Trade] = []
        self.last_id = 0
        self._by_order: dict[int, list[Trade]] = {}

    def next_id(self) -> int:
        """Number a trade, whoever's it is."""
        self.last_id += 1
        return self.last_id

    def add(self, trade: Trade) -> None:
        """Enter a trade of the account, younger than those that are there."""
        self.all.append(trade)
        self._by_order.setdefault(trade.order_id, []).append(trade)
        self.last_id = max(self.last_id, trade.trade_id)

    def of(self, order_id: int) -> Sequence[Trade]:
        """Give those of an order."""
        return self._by_order.get(order_id, ())

    def behind(self, order: Order) -> Iterable[Trade]:
        """Give those that make up what was filled when the order stood so."""
        filled = order.filled
        for trade in self.of(order.order_id):
            if filled <= NOTHING:
                return
            filled -= trade.quantity
            yield trade
