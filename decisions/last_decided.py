"""Which decision of a strategy was taken last: what its stop does after it comes after it."""

from decisions.following_exits import rest_of
from messages.ids import OrderKey, StrategySymbol
from messages.orders import OrderIntent


class LastDecided:
    """One account's."""

    def __init__(self) -> None:
        self._last: dict[StrategySymbol, OrderIntent] = {}

    def claimed(self, intent: OrderIntent) -> None:
        """Take in what a strategy has decided.

        What follows an exit is none, and one that has waited for its entry is older than others.
        """
        place = intent.strategy_id, intent.symbol
        last = self._last.get(place)
        is_newer = last is None or intent.decided_at_ns >= last.decided_at_ns
        if is_newer and rest_of(intent.reason) is None:
            self._last[place] = intent

    def of(self, place: StrategySymbol) -> OrderKey | None:
        """Give the newest of them; None where nobody knows."""
        last = self._last.get(place)
        return None if last is None else last.order_key
