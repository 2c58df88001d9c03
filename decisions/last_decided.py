"""Which decision of a strategy was taken last: what its stop does after it comes after it. Pure."""

from decisions.following_exits import rest_of
from messages.ids import OrderKey, StrategySymbol
from messages.orders import OrderIntent


class LastDecided:
    """One account's; it outlives its owner's incarnations."""

    def __init__(self) -> None:
        self._last: dict[StrategySymbol, OrderIntent] = {}
        self._waiting: set[OrderKey] = set()

    def waits(self, intent: OrderIntent) -> None:
        """Take in an exit that is claimed once its entry has filled: others come before that.

        Of one moment nothing else tells which was decided first.
        """
        if intent.order_key not in self._waiting:
            self._take(intent)
            self._waiting.add(intent.order_key)

    def claimed(self, intent: OrderIntent) -> None:
        """Take in what a strategy has decided."""
        if intent.order_key in self._waiting:
            self._waiting.discard(intent.order_key)
        else:
            self._take(intent)

    def refused(self, key: OrderKey) -> None:
        """Let go of an exit that has waited in vain."""
        self._waiting.discard(key)

    def of(self, place: StrategySymbol) -> OrderKey | None:
        """Give the newest of them; None where nobody knows."""
        last = self._last.get(place)
        return None if last is None else last.order_key

    def _take(self, intent: OrderIntent) -> None:
        """Remember it, if it is the newest; what follows an exit is no decision."""
        place = intent.strategy_id, intent.symbol
        last = self._last.get(place)
        is_newer = last is None or intent.decided_at_ns >= last.decided_at_ns
        if is_newer and rest_of(intent.reason) is None:
            self._last[place] = intent
