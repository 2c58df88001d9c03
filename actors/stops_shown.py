"""What people are shown of stops, and which of these need them.

One incarnation's, on the executor's thread.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from actors.operator_board import StuckStop
from decisions.stop_book import StopBook
from decisions.stop_ending import COMMAND, too_little
from decisions.stops import level
from messages.errors import LedgerUnavailable
from messages.exact import NOTHING
from messages.ids import StrategySymbol, Symbol
from messages.stops import Stop, StopState
from messages.values import Instrument
from persistence.ledger import LedgerEntry

STUCK_AFTER = 3
"""How often in a row an exit fails, which takes minutes, before a person is told of its stop."""


class StopsShown:
    """`exits_of` gives the orders by which a stop has tried to leave, the oldest first.

    `symbols`: whose market is shown; empty where that is not known.
    """

    def __init__(
        self,
        *,
        book: StopBook,
        symbols: Collection[Symbol],
        instruments: Mapping[Symbol, Instrument],
        exits_of: Callable[[Stop], Sequence[LedgerEntry]],
        may_send: Callable[[], bool],
    ) -> None:
        self._book, self._symbols, self._instruments = book, frozenset(symbols), instruments
        self._exits_of, self._may_send = exits_of, may_send

    def count(self) -> int:
        """Say how many stops are kept; on any thread."""
        return len(self._book.stops)

    def rows(self) -> list[dict[str, Any]]:
        """Give each stop in a few words."""
        book, rows = self._book, []
        for stop in list(book.stops.values()):
            at = level(stop)
            rows.append(
                {
                    "entry_key": stop.entry_key,
                    "strategy_id": stop.strategy_id,
                    "symbol": stop.symbol,
                    "state": stop.state,
                    "protects": book.cover.protected(stop),
                    "acts_at": None if at is None else at[0],
                    "take_profit": stop.take_profit,
                    "why": stop.why,
                }
            )
        return rows

    def problem(self) -> str:
        """Say which stops cannot act, or have and could not leave; empty when none."""
        return self.unwatched() or self._said_failed(self._failed()) or self._stands_in_orders()

    def stuck(self) -> tuple[StuckStop, ...]:
        """Give the stops that need a person: they cannot act, or cannot leave, by themselves.

        An exit that has failed may well fill when it is tried again, but not one that the venue
        never takes, and hardly one that has failed `STUCK_AFTER` times in a row.
        """
        blind = [(stop, self._said_unwatched([stop])) for stop in self._unwatched()]
        told = {stop.entry_key for stop, _ in blind}
        failed = [
            (stop, self._said_failed([stop]))
            for stop in self._failed()
            if stop.entry_key not in told and (stop.failed >= STUCK_AFTER or self._unsellable(stop))
        ]
        return tuple(_stuck(stop, said) for stop, said in (*blind, *failed))

    def leaves(self, place: StrategySymbol) -> Decimal:
        """Give how much of a strategy's position its stops would leave; base currency, unsigned.

        Those that need a person, as `stuck` says, would not.
        """
        stuck = {one.entry_key for one in self.stuck()}
        mine = (
            self._book.cover.protected(stop)
            for stop in self._book.stops.values()
            if (stop.strategy_id, stop.symbol) == place and stop.entry_key not in stuck
        )
        return sum(mine, start=NOTHING)

    def unwatched(self) -> str:
        """Say which stops cannot act; empty when all can."""
        return self._said_unwatched(self._unwatched())

    def _unwatched(self) -> list[Stop]:
        """Give those whose market is shown to nobody: no strategy of this config trades it."""
        if not self._symbols:
            return []
        return [s for s in self._book.stops.values() if s.symbol not in self._symbols]

    def _said_unwatched(self, found: Sequence[Stop]) -> str:
        return _said(
            found,
            "cannot act, for no strategy of this config trades that market (configure one, or close"
            " the position by hand)",
        )

    def _failed(self) -> list[Stop]:
        return [s for s in self._book.stops.values() if s.state is StopState.ACTED and s.failed]

    def _said_failed(self, stuck: Sequence[Stop]) -> str:
        if not stuck:
            return ""
        first = stuck[0]
        what = f"acted and its exit failed {first.failed} times"
        if last := self._why_failed(first):
            what += f" (the last: {last})"
        if why := self._unsellable(first):
            what += (
                f"; the venue never takes it, for {why}:"
                f" `{COMMAND} {first.entry_key} --reason TEXT` ends the stop"
            )
        return _said(stuck, what)

    def _why_failed(self, stop: Stop) -> str:
        try:
            exits = self._exits_of(stop)
        except LedgerUnavailable:  # what is shown does not end an incarnation
            return ""
        return exits[-1].state_reason if exits else ""

    def _unsellable(self, stop: Stop) -> str:
        """Say why the venue takes no order of what is left; empty when it may."""
        price = stop.acted_price or stop.reference_price
        return too_little(
            self._book.cover.protected(stop), price, self._instruments.get(stop.symbol)
        )

    def _stands_in_orders(self) -> str:
        found = [
            stop
            for stop in self._book.stops.values()
            if stop.state is StopState.ACTED
            and self._may_send()
            and self._book.cover.is_held_up(stop)
        ]
        return _said(
            found, "acted, and what it protects stands in another open order (cancel that)"
        )


def _said(stops: Sequence[Stop], what: str) -> str:
    if not stops:
        return ""
    first = stops[0]
    more = f" (and {len(stops) - 1} more)" if len(stops) > 1 else ""
    return (
        f"a stop of {first.strategy_id} on {first.symbol} {what}{more}:"
        f" look at it with `watchkeeper explain {first.entry_key}`"
    )


def _stuck(stop: Stop, problem: str) -> StuckStop:
    return StuckStop(
        entry_key=stop.entry_key,
        strategy_id=stop.strategy_id,
        symbol=stop.symbol,
        problem=problem,
    )
