"""Stops in a backtest: what they decide at an event, judged as by the risk gate that they share.

A concern keeps its name: `actors.stop_desk` is the executor's, on the same book.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from decisions.risk import Refusal, RiskState, accept, fit_exit, refusal
from decisions.risk_limits import RiskLimits
from decisions.stop_book import StopBook
from messages.ids import Symbol
from messages.market import MarketEvent
from messages.orders import Fill, OrderIntent
from messages.stops import StopActed
from research.backtest.order import Order


class StopDesk:
    """`on_stop` hears of stops that act."""

    def __init__(
        self, limits: RiskLimits, risk: RiskState, on_stop: Callable[[StopActed], None]
    ) -> None:
        self._limits, self._risk, self._on_stop = limits, risk, on_stop
        self._book = StopBook()

    def watches(self, symbol: Symbol) -> bool:
        """Whether a stop may act at the next event of this symbol."""
        return self._book.watches(symbol)

    def look(self, event: MarketEvent) -> Iterator[tuple[OrderIntent, Refusal | None]]:
        """Give what stops decide at an event, one by one, with what speaks against it.

        What nothing speaks against is accepted and told of, and to be sent before the next is
        asked for.
        """
        book = self._book
        if not book.watches(event.symbol):
            return
        for intent in book.look(event, event.ts_event_ns):
            fitted = fit_exit(intent, self._limits, self._risk)
            against = refusal(fitted, self._limits, self._risk, None)
            if against is None:
                accept(fitted, self._risk)
                self._tell(fitted)
                yield fitted, None
            else:
                yield intent, against
                book.refused(intent.order_key)
        book.taken_changes()  # nothing outlives a backtest

    def claimed(self, intent: OrderIntent) -> None:
        """Take up the stop that an order brings, or whose exit it is."""
        self._book.claimed(intent)

    def moved(self, order: Order, fills: Sequence[Fill]) -> None:
        """Follow an order: what is filled is what its stop protects."""
        key = order.intent.order_key
        self._book.moved_to(key, order.filled_quantity, order.state, fills)

    def touched(self, intent: OrderIntent) -> Decimal | None:
        """Give the price of a stop's exit that acted inside the present candle."""
        return self._book.touched(intent.order_key, intent.decided_at_ns)

    def _tell(self, intent: OrderIntent) -> None:
        stop = self._book.stop_of_exit(intent.order_key)
        assert stop is not None
        acted = StopActed(
            order_key=intent.order_key,
            entry_key=stop.entry_key,
            strategy_id=stop.strategy_id,
            symbol=stop.symbol,
            change=self._book.told.take_position_change(intent),
            cause=stop.cause,
            why=stop.why,
            ts_event_ns=intent.decided_at_ns,
        )
        self._on_stop(acted)
