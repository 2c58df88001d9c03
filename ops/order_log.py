"""An order's steps as log lines, each bound with its trace id, its key and its client order id."""

from typing import Any

from actors.log import logger
from decisions.spoken import spoken_price, spoken_quantity
from messages.ids import EXECUTOR
from messages.orders import DuplicateFiltered, OrderUpdate
from messages.values import OrderState
from ops.config import Config

_LEVELS = {
    OrderState.CLAIMED: "DEBUG",
    OrderState.SENT: "DEBUG",
    OrderState.UNKNOWN: "WARNING",
    OrderState.REJECTED: "WARNING",
}


class OrderLog:
    """Told of all that Metrics sees, on its thread. A line costs some 25 us."""

    def __init__(self, config: Config) -> None:
        # As fast as possible, a replay decides thousands of times a second; the ledger has them.
        self._is_on = config.feed.is_live or config.feed.speed > 0

    def observe(self, message: Any) -> None:
        """Write the line of an order's step."""
        if not self._is_on:
            return
        match message:
            case OrderUpdate():
                self._step(message)
            case DuplicateFiltered():
                bound = _bound(message.order_key, message.strategy_id)
                bound.info("decided again, and it is {}: nothing is sent", message.state)

    def _step(self, update: OrderUpdate) -> None:
        text = f"{update.side} {spoken_quantity(update.quantity)} {update.symbol} is {update.state}"
        if update.filled_quantity:
            text += f", filled {spoken_quantity(update.filled_quantity)}"
        if update.average_price is not None:
            text += f" at {spoken_price(update.average_price)}"
        if update.reason:
            text += f": {update.reason}"
        bound = _bound(update.order_key, update.strategy_id)
        bound = bound.bind(client_order_id=update.client_order_id)
        bound.log(_LEVELS.get(update.state, "INFO"), "{}", text)


def _bound(key: str, strategy_id: str) -> Any:
    return logger.bind(actor=EXECUTOR, trace_id=key, order_key=key, strategy_id=strategy_id)
