"""All stops of an account: a fold over orders and market events.

How much each protects is `decisions.stop_cover`, when it acts `decisions.stop_watch`, and what its
strategy counts of that `decisions.stop_told`. Pure; one owner, one thread.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from decisions.last_decided import LastDecided
from decisions.risk_exit import fees_in
from decisions.stop_cover import StopCover
from decisions.stop_exits import FillsOf, KnownOrder, Lookup, Told
from decisions.stop_rows import StopRows
from decisions.stop_sharing import share_out, share_out_again
from decisions.stop_told import StopTold
from decisions.stop_watch import StopWatch
from decisions.stops import stop_of
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategySymbol, TimestampNs
from messages.market import MarketEvent
from messages.orders import Fill, OrderIntent
from messages.stops import Stop, StopState
from messages.values import OrderState


class StopBook(StopRows):
    """One account's. `decided_last` outlives it, where somebody asks for that."""

    def __init__(self, decided_last: LastDecided | None = None) -> None:
        super().__init__()
        self.cover = StopCover(self)
        self.told = StopTold(self, self.cover)
        self._watch = StopWatch(self, self.cover)
        self.decided_last = LastDecided() if decided_last is None else decided_last
        """Of what strategies decided by themselves."""

    def load(
        self,
        stops: Iterable[Stop],
        exposure: Mapping[StrategySymbol, Decimal],
        open_orders: Iterable[KnownOrder],
        lookup: Lookup,
        fills_of: FillsOf,
        told: Told | None = None,
    ) -> None:
        """Begin with what a ledger holds; `exposure` is what is filled or may yet be.

        What fees have taken of exits, filled or open, is not in it.
        `told`: how much of its position a strategy counts as left by which exit, unsigned.
        """
        orders = sorted(open_orders, key=lambda order: order.decided_at_ns)
        self.cover.parts.load(exposure, orders)
        for stop in stops:
            key = stop.entry_key
            known = lookup([key, *stop.exits])
            self.keep(stop)
            self.cover.begin_with(stop, known)
            self.told.begin_with(stop, known, told or {})
            fills = fills_of(key) if self.cover.filled[key] else None
            self._watch.begin_with(key, fills)
        for order in orders:
            share_out_again(order, self.cover, self.told, lookup, fills_of)

    # ------------------------------------------------------------ orders

    def claimed(self, intent: OrderIntent, decided: Decimal | None = None) -> None:
        """Take in an order that is about to be claimed, with the stop that it brings.

        `decided` is what was decided, where less is sent.
        """
        if intent.order_key not in self.entry_of:
            self.decided_last.claimed(intent)
            fees = NOTHING if decided is None else fees_in(intent.reason)
            leaves = EXACT.add(min(intent.quantity, intent.leaves), fees)
            share_out(intent, leaves, self.cover, self.told)
        self.cover.parts.claimed(intent, decided)
        stop = stop_of(intent)
        if stop is not None:
            self.cover.filled[stop.entry_key] = NOTHING
            self.put(stop)

    def refused(self, key: OrderKey) -> None:
        """Learn that an order was refused, and never will be sent."""
        self.decided_last.refused(key)
        stop = self.stop_of_exit(key)
        if stop is not None:
            self._watch.failed(stop.entry_key)

    def moved(self, order: KnownOrder, fills: Sequence[Fill]) -> None:
        """Follow a step of an order, with the executions that it brought. Safe to repeat."""
        self.moved_to(order.order_key, order.filled_quantity, order.state, fills)

    def moved_to(
        self, key: OrderKey, filled: Decimal, state: OrderState, fills: Sequence[Fill]
    ) -> None:
        """Follow a step of an order; of a filled exit all counts that was to be left."""
        cover = self.cover
        step = cover.parts.moved_to(key, filled, state)
        if step is None:
            return
        if key in self.stops:
            cover.filled[key] = filled
            if filled:
                self._watch.filled(key, fills)
        entry = self.entry_of.get(key)
        if entry in self.stops:
            assert entry is not None
            cover.sold(entry, step.more)
            if step.undone is not None:
                follows = step.part.is_part and state is OrderState.FILLED
                self._exit_ended(entry, step.undone, follows=follows)
        for one, quantity in cover.shares.filled(key, step.more):
            cover.release(one, quantity)
        if step.undone is not None:
            cover.shares.ended(key)
        self._shrink(step.part.place)

    def _exit_ended(self, entry: OrderKey, unfilled: Decimal, *, follows: bool) -> None:
        self.told.not_left(entry, unfilled)
        if unfilled and not follows:
            self._watch.failed(entry)
        elif self.stops[entry].failed:
            self.put(msgspec.structs.replace(self.stops[entry], failed=0))

    def _shrink(self, place: StrategySymbol) -> None:
        """Take from stops what the position does not hold any more, and end them."""
        if not self.stops:
            return
        for key in self.cover.shrink(place):
            stop = self.stops[key]
            if self.cover.is_over(stop):
                self.end(msgspec.structs.replace(stop, state=StopState.DONE, why=_why_over(stop)))

    def end(self, stop: Stop) -> None:
        """Take in a stop that is done, and forget it once that is written."""
        self.forget(stop)
        for one in (self.cover, self.told, self._watch):
            one.forget(stop.entry_key)

    # ------------------------------------------------------------ the market

    def look(
        self,
        event: MarketEvent,
        created_ns: TimestampNs,
        *,
        may_send: bool = True,
        until_ns: int | None = None,
    ) -> Iterator[OrderIntent]:
        """Show an event to its symbol's stops; give each exit that is due, one by one.

        Claim or refuse each before the next is asked for: what it leaves counts. Nothing is
        given while nothing may be sent; what acts meanwhile is left as soon as it may.
        What comes after `until_ns` has a wrong time, which is not remembered: nothing that came
        after it would be looked at. None where the market's clock is the only one.
        """
        return self._watch.look(event, created_ns, may_send=may_send, until_ns=until_ns)


def _why_over(stop: Stop) -> str:
    return stop.why or (
        "the strategy left by itself" if stop.released else "nothing of its entry was filled"
    )
