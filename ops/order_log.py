"""An order's steps as log lines, each bound with its trace id, its key and its client order id."""

from typing import Any

from actors.log import logger
from decisions.spoken import spoken_price, spoken_quantity
from messages.ids import EXECUTOR
from messages.orders import DuplicateFiltered, OrderUpdate
from messages.values import OrderState
from ops.config import Config
from ops.run_files import typed

_LEVELS = {
    OrderState.CLAIMED: "DEBUG",
    OrderState.SENT: "DEBUG",
    OrderState.UNKNOWN: "WARNING",
    OrderState.REJECTED: "WARNING",
}


_FIRST = 20
"""So many warnings of a process are written where the market goes as fast as possible."""


class OrderLog:
    """Told of all that Metrics sees, on its thread. A line costs some 25 us.

    As fast as possible, a replay decides thousands of times a second, and the ledger has them: then
    only warnings are written, and of those the first.
    """

    def __init__(self, config: Config) -> None:
        self._writes_all = config.feed.is_live or config.feed.speed > 0
        self._run_dir = config.run_dir
        self._warned = 0

    def observe(self, message: Any) -> None:
        """Write the line of an order's step."""
        match message:
            case OrderUpdate():
                if self._writes_all or self._is_due(message.state):
                    self._step(message)
            case DuplicateFiltered() if self._writes_all:
                bound = _bound(message.order_key, message.strategy_id)
                bound.info("decided again, and it is {}: nothing is sent", message.state)

    def _is_due(self, state: OrderState) -> bool:
        """Whether it is one of the first warnings; of the next, say that it is not written."""
        if _LEVELS.get(state) != "WARNING":
            return False
        self._warned += 1
        if self._warned == _FIRST + 1:
            logger.bind(actor=EXECUTOR).warning(
                "further orders that are rejected or unknown are not logged: "
                "watchkeeper orders --run-dir {} --state rejected,unknown shows them",
                typed(self._run_dir),
            )
        return self._warned <= _FIRST

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
