"""All stops of an account, and how much each protects: a fold over orders and market events.

What a stop protects is what is filled of its entry, less what it has sold already, less what the
strategy has left by itself. Of a position that is smaller than all that its stops protect, the
oldest have lost theirs first: what a strategy leaves is what it entered first, and before that
what no stop protects. What a stop has acted on comes last: its strategy counts that as left
already, and leaves something else. So all stops of a position together never sell more than there
is.

An exit takes no more than is filled and in no open order against it: two exits never stand for
the same coins, whether the first is the strategy's, another stop's or one whose outcome is
unknown. Pure; one owner, one thread.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from decisions.last_decided import LastDecided
from decisions.open_parts import OpenParts
from decisions.order_keys import exit_key
from decisions.risk_exit import done_by, fees_in
from decisions.stop_exits import KnownOrder, bought_since, exit_of, leaves, left_until
from decisions.stop_shares import StopShares
from decisions.stops import TOLD_GAP_NS, seen, stop_of
from messages.exact import EXACT, NOTHING
from messages.ids import NS_PER_S, OrderKey, StrategySymbol, Symbol, TimestampNs
from messages.market import MarketEvent
from messages.orders import Fill, OrderIntent
from messages.stops import Stop, StopState
from messages.values import OrderState, Side

RETRY_NS = 60 * NS_PER_S
"""How long, on the market's clock, no exit is tried after one that failed; doubled with each that
fails after it."""
_MOST_DOUBLINGS = 6

AHEAD_NS = 3_600 * NS_PER_S
"""An event that is more than this ahead of our clock has a wrong time; its price counts."""

Lookup = Callable[[Sequence[OrderKey]], Mapping[OrderKey, KnownOrder]]


class StopBook:
    """One account's. `decided_last` outlives it, where somebody asks for that."""

    def __init__(self, decided_last: LastDecided | None = None) -> None:
        self.stops: dict[OrderKey, Stop] = {}
        """Those that are not done, by their entries' keys, oldest first."""
        self.entry_of: dict[OrderKey, OrderKey] = {}
        """By the key of an exit."""
        self._parts = OpenParts()
        self._shares = StopShares()
        self._filled: dict[OrderKey, Decimal] = {}
        self._sold: dict[OrderKey, Decimal] = {}
        self._first_fill: dict[OrderKey, int] = {}
        self._loaded: set[OrderKey] = set()
        self._retry_at: dict[OrderKey, int] = {}
        self._left_over: dict[OrderKey, Decimal] = {}
        """What a position counts as left by exits that did not leave it. Below nothing where it
        counts less: of an exit that is open since before its process, what was sent."""
        self.decided_last = LastDecided() if decided_last is None else decided_last
        """Of what strategies decided by themselves."""
        self._changed: dict[OrderKey, Stop] = {}
        self._looked: set[OrderKey] = set()

    # ------------------------------------------------------------ beginning

    def load(
        self,
        stops: Iterable[Stop],
        exposure: Mapping[StrategySymbol, Decimal],
        open_orders: Iterable[KnownOrder],
        lookup: Lookup,
        fills_of: Callable[[OrderKey], Sequence[Fill]],
        told: Mapping[OrderKey, Decimal] | None = None,
    ) -> None:
        """Begin with what a ledger holds; `exposure` is what is filled or may yet be.

        What fees have taken of exits, filled or open, is not in it.
        `told`: how much of its position a strategy counts as left by which exit, unsigned.
        """
        known = sorted(open_orders, key=lambda order: order.decided_at_ns)
        self._parts.load(exposure, known)
        for stop in stops:
            self._load(stop, lookup, fills_of, told or {})
        for order in known:
            self._share_again(order, lookup, fills_of)

    def _load(
        self,
        stop: Stop,
        lookup: Lookup,
        fills_of: Callable[[OrderKey], Sequence[Fill]],
        told: Mapping[OrderKey, Decimal],
    ) -> None:
        key = stop.entry_key
        known = lookup([key, *stop.exits])
        self.stops[key] = stop
        self._loaded.add(key)
        self._filled[key] = known[key].filled_quantity if key in known else NOTHING
        if self._filled[key]:
            self._first_fill[key] = min((fill.ts_event_ns for fill in fills_of(key)), default=0)
        for one in stop.exits:
            self.entry_of[one] = key
            if one in known:
                sold = done_by(known[one])
                self._sold[key] = EXACT.add(self._sold.get(key, NOTHING), sold)
        left_over = sum(
            (
                EXACT.subtract(told[one], leaves(known[one]))
                for one in stop.exits
                if one in told and one in known
            ),
            start=NOTHING,
        )
        if left_over:
            self._left_over[key] = left_over

    # ------------------------------------------------------------ orders

    def claimed(self, intent: OrderIntent, decided: Decimal | None = None) -> None:
        """Take in an order that is about to be claimed, with the stop that it brings.

        `decided` is what was decided, where less is sent.
        """
        if intent.order_key not in self.entry_of:
            self.decided_last.claimed(intent)
            fees = NOTHING if decided is None else fees_in(intent.reason)
            self._share(intent, EXACT.add(min(intent.quantity, intent.leaves), fees))
        self._parts.claimed(intent, decided)
        stop = stop_of(intent)
        if stop is not None:
            self._filled[stop.entry_key] = NOTHING
            self._put(stop)

    def _share(self, exit_: OrderIntent, quantity: Decimal) -> None:
        """See whose coins a strategy leaves.

        What a stop has acted on comes last: its strategy counts that as left already.
        """
        if quantity > NOTHING and (mine := self._against(exit_)):
            left = {
                stop.entry_key: self._left(stop, self._sent(stop))
                for stop in sorted(mine, key=_has_acted)
            }
            self._share_out(exit_, quantity, mine[0].side, left)

    def _share_again(
        self,
        order: KnownOrder,
        lookup: Lookup,
        fills_of: Callable[[OrderKey], Sequence[Fill]],
    ) -> None:
        """See whose coins an exit of before leaves: of what stops protected when it was decided."""
        at_ns, key = order.decided_at_ns, order.order_key
        mine = [stop for stop in self._against(order) if stop.placed_at_ns < at_ns]
        if not mine or key in self.entry_of:
            return
        mine.sort(key=lambda stop: _has_acted(stop) and stop.acted_at_ns < at_ns)
        left = {}
        for stop in mine:
            since = bought_since(at_ns, fills_of(stop.entry_key))
            by_itself = left_until(at_ns, lookup(stop.exits).values() if stop.exits else ())
            gone = EXACT.add(EXACT.add(stop.released, self._shares.of(stop.entry_key)), by_itself)
            then = EXACT.subtract(EXACT.subtract(self._filled[stop.entry_key], since), gone)
            left[stop.entry_key] = min(then, self._left(stop, self._sent(stop)))
        (part,) = self._parts.among([key])
        self._share_out(order, part.leaving, mine[0].side, left)

    def _against(self, exit_: OrderIntent | KnownOrder) -> list[Stop]:
        """Give the stops of what an order may leave, oldest first."""
        place = exit_.strategy_id, exit_.symbol
        return [
            stop
            for stop in self.stops.values()
            if _place(stop) == place and stop.side is not exit_.side
        ]

    def _share_out(
        self,
        exit_: OrderIntent | KnownOrder,
        quantity: Decimal,
        side: Side,
        left: Mapping[OrderKey, Decimal],
    ) -> None:
        place = exit_.strategy_id, exit_.symbol
        there = EXACT.subtract(self._parts.held(place, side), self.protects(place))
        self._shares.claimed(exit_.order_key, place, quantity, there, left)

    def refused(self, key: OrderKey) -> None:
        """Learn that an exit was refused, and never will be sent."""
        entry = self.entry_of.get(key)
        if entry is not None and entry in self.stops:
            self._failed(entry)

    def moved(self, order: KnownOrder, fills: Sequence[Fill]) -> None:
        """Follow a step of an order, with the executions that it brought. Safe to repeat."""
        self.moved_to(order.order_key, order.filled_quantity, order.state, fills)

    def moved_to(
        self, key: OrderKey, filled: Decimal, state: OrderState, fills: Sequence[Fill]
    ) -> None:
        """Follow a step of an order; of a filled exit all counts that was to be left."""
        step = self._parts.moved_to(key, filled, state)
        if step is None:
            return
        if key in self.stops:
            self._filled[key] = filled
            if filled:
                first = min((fill.ts_event_ns for fill in fills), default=0)
                self._first_fill.setdefault(key, first)
        entry = self.entry_of.get(key)
        if entry in self.stops:
            assert entry is not None
            self._sold[entry] = EXACT.add(self._sold.get(entry, NOTHING), step.more)
            if step.undone is not None:
                follows = step.part.is_part and state is OrderState.FILLED
                self._exit_ended(entry, step.undone, follows=follows)
        for one, quantity in self._shares.filled(key, step.more):
            self._release(one, quantity)
        if step.undone is not None:
            self._shares.ended(key)
        self._shrink(step.part.place)

    def _release(self, entry: OrderKey, quantity: Decimal) -> Decimal:
        """Take from a stop what its strategy has left, at most what there is; give that."""
        stop = self.stops.get(entry)
        taken = NOTHING if stop is None else min(quantity, self.protected(stop))
        if stop is not None and taken > NOTHING:
            self._put(msgspec.structs.replace(stop, released=EXACT.add(stop.released, taken)))
        return taken

    def _exit_ended(self, entry: OrderKey, unfilled: Decimal, *, follows: bool) -> None:
        if unfilled:
            self._left_over[entry] = EXACT.add(self._left_over.get(entry, NOTHING), unfilled)
        if unfilled and not follows:
            self._failed(entry)
        elif self.stops[entry].failed:
            self._put(msgspec.structs.replace(self.stops[entry], failed=0))

    def _failed(self, entry: OrderKey) -> None:
        stop = self.stops[entry]
        doublings = min(stop.failed, _MOST_DOUBLINGS)
        self._retry_at[entry] = stop.looked_at_ns + RETRY_NS * 2**doublings
        self._put(msgspec.structs.replace(stop, failed=stop.failed + 1))

    def _shrink(self, place: StrategySymbol) -> None:
        """Take from stops what the position does not hold any more, and end them."""
        if not self.stops:
            return
        for side in (Side.BUY, Side.SELL):
            mine = [s for s in self.stops.values() if s.side is side and _place(s) == place]
            if not mine:
                continue
            there = max(self._parts.held(place, side), NOTHING)
            total = sum(map(self.protected, mine), start=NOTHING)
            excess = EXACT.subtract(total, there)
            for stop in sorted(mine, key=_has_acted):
                taken = self._release(stop.entry_key, max(excess, NOTHING))
                excess = EXACT.subtract(excess, taken)
                self._end_if_done(stop.entry_key)

    def _end_if_done(self, key: OrderKey) -> None:
        stop = self.stops[key]
        if key in self._parts or self.protected(stop) or any(self._parts.among(stop.exits)):
            return
        why = stop.why or (
            "the strategy left by itself" if stop.released else "nothing of its entry was filled"
        )
        self.end(msgspec.structs.replace(stop, state=StopState.DONE, why=why))

    def end(self, stop: Stop) -> None:
        """Take in a stop that is done, and forget it once that is written."""
        key = stop.entry_key
        self._put(stop)
        del self.stops[key]
        for known in (self._filled, self._sold, self._left_over):
            known.pop(key, None)
        for moments in (self._first_fill, self._retry_at):
            moments.pop(key, None)
        self._loaded.discard(key)
        for one in stop.exits:
            self.entry_of.pop(one, None)

    # ------------------------------------------------------------ the market

    def watches(self, symbol: Symbol) -> bool:
        """Whether a stop of this symbol is not done."""
        return any(stop.symbol == symbol for stop in self.stops.values())

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
        believed = until_ns is None or event.ts_event_ns <= until_ns
        for key in [key for key, stop in self.stops.items() if stop.symbol == event.symbol]:
            stop = self.stops.get(key)
            if stop is None:
                continue  # the exit before it has taken what this one protected
            if until_ns is not None:
                stop = self._dated(stop, created_ns, until_ns)
            if stop.state is StopState.ARMED and self.protected(stop):
                stop = self._shown(stop, event, believed=believed)
            if may_send and stop.state is StopState.ACTED:
                intent = self._exit(stop, event, created_ns, believed=believed)
                if intent is not None:
                    yield intent

    def _dated(self, stop: Stop, now_ns: TimestampNs, until_ns: int) -> Stop:
        """Count what was decided or filled at a wrong time from now: it would wait until then.

        The moment of the decision stays what it was: by that its entry is known.
        """
        key = stop.entry_key
        if self._first_fill.get(key, 0) > until_ns:
            self._first_fill[key] = now_ns
        if stop.looked_at_ns > until_ns:
            stop = msgspec.structs.replace(stop, looked_at_ns=now_ns)
            self.stops[key] = stop
        return stop

    def _shown(self, stop: Stop, event: MarketEvent, *, believed: bool) -> Stop:
        key = stop.entry_key
        told = ""
        gap_ns = event.ts_event_ns - stop.looked_at_ns
        if believed and key in self._loaded and gap_ns > TOLD_GAP_NS:
            told = f"; nobody looked at it for the {gap_ns / NS_PER_S:.0f} s before"
        after = _seen(stop, event, self._first_fill.get(key, 0), told)
        if after is not stop:
            if not believed:
                after = msgspec.structs.replace(after, looked_at_ns=stop.looked_at_ns)
            self._loaded.discard(key)
            self.stops[key] = after
            if after.state is not stop.state:
                self._put(after)
            else:
                self._looked.add(key)
        return after

    def _exit(
        self, stop: Stop, event: MarketEvent, created_ns: TimestampNs, *, believed: bool
    ) -> OrderIntent | None:
        # A key is named by the moment: a wrong one would stand among those to come.
        at_ns = event.ts_event_ns if believed else TimestampNs(max(created_ns, stop.looked_at_ns))
        if at_ns < max(self._retry_at.get(stop.entry_key, 0), stop.looked_at_ns):
            return None
        quantity = self.due(stop)
        if quantity <= NOTHING:
            return None
        key = exit_key(stop.entry_key, len(stop.exits), at_ns)
        self.entry_of[key] = stop.entry_key
        # If it fails, the pause before the next one counts from now.
        self._put(msgspec.structs.replace(stop, exits=(*stop.exits, key), looked_at_ns=at_ns))
        return exit_of(stop, key, quantity, at_ns, created_ns)

    # ------------------------------------------------------------ what is there

    def protected(self, stop: Stop) -> Decimal:
        """Give what is filled of its entry and not left yet; base currency, unsigned."""
        key = stop.entry_key
        gone = EXACT.add(self._sold.get(key, NOTHING), stop.released)
        return max(EXACT.subtract(self._filled.get(key, NOTHING), gone), NOTHING)

    def protects(self, place: StrategySymbol) -> Decimal:
        """Give how much of a strategy's position its stops protect; base currency, unsigned."""
        mine = (self.protected(stop) for stop in self.stops.values() if _place(stop) == place)
        return sum(mine, start=NOTHING)

    def _sent(self, stop: Stop) -> Decimal:
        """Give what its own exits may fill yet."""
        return sum((part.leaving for part in self._parts.among(stop.exits)), start=NOTHING)

    def _left(self, stop: Stop, by_itself: Decimal) -> Decimal:
        """Give what it protects and nobody else is leaving."""
        being_left = EXACT.add(by_itself, self._shares.of(stop.entry_key))
        return EXACT.subtract(self.protected(stop), being_left)

    def due(self, stop: Stop) -> Decimal:
        """Give the quantity that an exit of this stop may trade now.

        All that was decided of an exit stands for it until it ends: a further part follows then.
        """
        under_way = (
            EXACT.subtract(part.decided, part.filled) for part in self._parts.among(stop.exits)
        )
        left = self._left(stop, sum(under_way, start=NOTHING))
        return min(left, self._parts.free(_place(stop), stop.side))

    def spoken_for(self, intent: OrderIntent) -> Decimal:
        """Give what stops are yet to leave that their strategy counts as left, and no exit of its.

        That is what has acted and stands in no order now; nothing of that for an exit of a stop.
        """
        if intent.order_key in self.entry_of:
            return NOTHING
        place = intent.strategy_id, intent.symbol
        mine = (stop for stop in self.stops.values() if _has_acted(stop) and _place(stop) == place)
        return sum(map(self._spoken_for, mine), start=NOTHING)

    def _spoken_for(self, stop: Stop) -> Decimal:
        told = self._left_over.get(stop.entry_key, NOTHING)
        for part in self._parts.among(stop.exits):
            told = EXACT.add(
                told, EXACT.subtract(part.decided, EXACT.add(part.filled, part.leaving))
            )
        return max(min(told, self._left(stop, self._sent(stop))), NOTHING)

    def is_held_up(self, stop: Stop) -> bool:
        """Whether something is to be left, and all of it stands in orders of the strategy's own."""
        if any(self._parts.among(stop.exits)) or self.due(stop) > NOTHING:
            return False
        return self.protected(stop) > NOTHING

    def untold(self, intent: OrderIntent | KnownOrder, decided: Decimal | None = None) -> Decimal:
        """Give how much of a position an exit is that nobody was told of before, unsigned.

        What an earlier exit of the stop was to leave and did not was told with that one. Of what
        fees have left less of, all counts that was `decided`: the rest is nobody's position.
        """
        entry, quantity = self.entry_of.get(intent.order_key), decided or intent.quantity
        left_over = NOTHING if entry is None else self._left_over.get(entry, NOTHING)
        return EXACT.subtract(quantity, max(min(left_over, quantity), NOTHING))

    def take_position_change(
        self, intent: OrderIntent | KnownOrder, decided: Decimal | None = None
    ) -> Decimal:
        """Give, once, what a claimed exit does to its strategy's position, signed: see `untold`."""
        entry, untold = self.entry_of.get(intent.order_key), self.untold(intent, decided)
        if entry is not None and entry in self._left_over:
            told = EXACT.subtract(decided or intent.quantity, untold)
            self._left_over[entry] = EXACT.subtract(self._left_over[entry], told)
        return EXACT.multiply(untold, Decimal(intent.side.sign))

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

    def _put(self, stop: Stop) -> None:
        self.stops[stop.entry_key] = self._changed[stop.entry_key] = stop


def _seen(stop: Stop, event: MarketEvent, first_fill_ns: int, told: str) -> Stop:
    """See `seen`. The moment of a decision counts for nothing where it was a wrong time."""
    if stop.looked_at_ns >= stop.placed_at_ns:
        return seen(stop, event, first_fill_ns, told)
    undated = msgspec.structs.replace(stop, placed_at_ns=TimestampNs(0))
    after = seen(undated, event, first_fill_ns, told)
    if after is undated:
        return stop
    return msgspec.structs.replace(after, placed_at_ns=stop.placed_at_ns)


def _has_acted(stop: Stop) -> bool:
    return stop.state is StopState.ACTED


def _place(stop: Stop) -> StrategySymbol:
    return stop.strategy_id, stop.symbol
