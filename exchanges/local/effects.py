"""What operations on the engine did, for whoever tells it on and whoever keeps it."""

import msgspec

from exchanges.local.orders import Event, Execution, Order, OrderEvent, Trade, copied


class Effects(msgspec.Struct, kw_only=True):
    """What operations did since somebody last asked: events to tell, rows to keep."""

    events: list[Event] = []
    orders: dict[int, Order] = {}
    trades: list[Trade] = []
    assets: tuple[str, ...] = ()

    @property
    def is_durable(self) -> bool:
        """Whether there is anything that a restart must not forget."""
        return bool(self.orders or self.trades or self.assets)

    def note(self, order: Order, execution: Execution, trade: Trade | None = None) -> None:
        """Add one step of an order, as the order stands now."""
        self.orders[order.order_id] = order
        self.events.append(OrderEvent(execution=execution, order=copied(order), trade=trade))
