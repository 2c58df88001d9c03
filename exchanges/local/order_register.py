"""Every order that the engine has accepted, by its id, by the client's, and the open ones apart."""

from collections.abc import Iterable, Mapping

from exchanges.local.orders import Order


class OrderRegister:
    """A client id is unique among the open orders of a symbol, and not among all."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self.by_id: dict[int, Order] = {}
        """Oldest first."""
        self.last_id = 0
        self._open: dict[str, dict[str, Order]] = {symbol: {} for symbol in symbols}
        self._by_client_id: dict[tuple[str, str], list[Order]] = {}

    def add(self, order: Order) -> None:
        """Enter an order, younger than those that are there."""
        self.by_id[order.order_id] = order
        self.last_id = max(self.last_id, order.order_id)
        self._by_client_id.setdefault((order.symbol, order.client_order_id), []).append(order)
        if order.is_open:
            self._open[order.symbol][order.client_order_id] = order

    def close(self, order: Order) -> None:
        """Count an order among the open ones no more."""
        self._open[order.symbol].pop(order.client_order_id, None)

    def open_in(self, symbol: str) -> Mapping[str, Order]:
        """Give what is open in a listed symbol, by client id."""
        return self._open[symbol]

    def open(self, symbol: str | None = None) -> list[Order]:
        """Give what is open, oldest first."""
        books = self._open.values() if symbol is None else [self._open.get(symbol, {})]
        return sorted((one for book in books for one in book.values()), key=_by_id)

    def find(
        self, symbol: str, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> Order | None:
        """Give an order by either id; of several with one client id the open or newest one."""
        if order_id is not None:
            order = self.by_id.get(order_id)
            return order if order is not None and order.symbol == symbol else None
        same = self._by_client_id.get((symbol, client_order_id or ""), [])
        return next((one for one in same if one.is_open), same[-1] if same else None)

    def of(self, symbol: str) -> list[Order]:
        """Give every order there ever was in a symbol, oldest first."""
        return [order for order in self.by_id.values() if order.symbol == symbol]

    def under(self, client_order_id: str) -> list[Order]:
        """Give every order that was accepted under a client id: more than one is the disaster."""
        return [one for one in self.by_id.values() if one.client_order_id == client_order_id]


def _by_id(order: Order) -> int:
    return order.order_id
