"""The stops of an account that are not done, and what of them is to be written. Pure."""

from collections.abc import Iterable
from decimal import Decimal

from messages.ids import OrderKey, StrategySymbol, Symbol
from messages.stops import Stop, StopState


class StopRows:
    """One account's."""

    def __init__(self) -> None:
        self.stops: dict[OrderKey, Stop] = {}
        """Those that are not done, by their entries' keys, oldest first."""
        self.entry_of: dict[OrderKey, OrderKey] = {}
        """By the key of an exit."""
        self._changed: dict[OrderKey, Stop] = {}
        self._looked: set[OrderKey] = set()

    def keep(self, stop: Stop) -> None:
        """Take in a stop that is written already."""
        self.stops[stop.entry_key] = stop
        for one in stop.exits:
            self.entry_of[one] = stop.entry_key

    def put(self, stop: Stop) -> None:
        """Take in a stop as it is from now on, and is to be written."""
        self.stops[stop.entry_key] = self._changed[stop.entry_key] = stop

    def put_look(self, stop: Stop) -> None:
        """Take in one whose best price has moved: see `take_looks`."""
        self.stops[stop.entry_key] = stop
        self._looked.add(stop.entry_key)

    def forget(self, stop: Stop) -> None:
        """Take in one that is done, and let go of it once that is written."""
        self.put(stop)
        del self.stops[stop.entry_key]
        for one in stop.exits:
            self.entry_of.pop(one, None)

    def at(self, place: StrategySymbol) -> list[Stop]:
        """Give a strategy's stops on a symbol, oldest first."""
        return [stop for stop in self.stops.values() if place_of(stop) == place]

    def watches(self, symbol: Symbol) -> bool:
        """Whether a stop of this symbol is not done."""
        return any(stop.symbol == symbol for stop in self.stops.values())

    def touched(self, key: OrderKey, decided_at_ns: int) -> Decimal | None:
        """Give the price of an exit that acted inside a candle; None of any other order."""
        if key not in self.entry_of:
            return None
        stop = self.stop_of_exit(key)
        if stop is None or not stop.is_inside or stop.acted_at_ns != decided_at_ns:
            return None
        return stop.acted_price

    def stop_of_exit(self, key: OrderKey) -> Stop | None:
        """Give the stop that decided an order; None where none did, or it is done."""
        entry = self.entry_of.get(key)
        return None if entry is None else self.stops.get(entry)

    # ------------------------------------------------------------ what is to be written

    def taken_changes(self) -> list[Stop]:
        """Give what is to be written since the last time."""
        changed, self._changed = self._changed, {}
        return list(changed.values())

    def put_back(self, stops: Iterable[Stop]) -> None:
        """Take back what `taken_changes` gave: it is not sure that it was written.

        It goes with the next commit.
        """
        self._changed = {stop.entry_key: stop for stop in stops} | self._changed

    @property
    def is_changed(self) -> bool:
        """Whether something is to be written."""
        return bool(self._changed)

    def take_looks(self) -> bool:
        """Count best prices that have moved to what is to be written; whether anything is."""
        for key in self._looked:
            if key in self.stops:
                self._changed.setdefault(key, self.stops[key])
        self._looked.clear()
        return bool(self._changed)


def place_of(stop: Stop) -> StrategySymbol:
    """Give whose it is, and where."""
    return stop.strategy_id, stop.symbol


def has_acted(stop: Stop) -> bool:
    """Whether it is to leave, or is leaving, what it protects."""
    return stop.state is StopState.ACTED
