"""Exits that strategies decide by themselves, until each has left what it was to leave. Pure.

A strategy's position counts an exit as left when it decides it, and does not ask again. So what
one order could not take follows it: in further orders where the venue takes no more in one, and as
fast as entries fill that were open when it was decided. Each of them follows once the one before
has filled. What failed is not tried again: that it is still held is told. How much of what is
there is an exit's own is `decisions.bought_before`.

A strategy that manages its orders is told what became of them and decides anew; an exit of a stop
is the stop's. Neither is here. One owner, one thread; it outlives the owner's incarnations.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Protocol

import msgspec

from decisions.bought_before import BoughtBefore, leaving_of
from decisions.order_keys import rest_key
from decisions.order_like import NamedOrder, OrderLike
from decisions.risk_exit import NOTHING_HELD, Before, fees_in
from decisions.risk_limits import Refusal
from decisions.stop_ending import too_little
from decisions.unfinished_exits import Following, Unfinished, process_ended
from decisions.waiting_exits import WaitingExits
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategyId, StrategySymbol, Symbol, TimestampNs
from messages.order_states import FINAL_STATES
from messages.orders import OrderIntent
from messages.values import Instrument, OrderState, OrderType, Side

_REST_OF = re.compile(r"the rest of ([0-9a-f]{32}): ")
_NOT_FILLED = "its entry has not filled, and what is held was bought after this was decided"
_OF_AN_ORDER = re.compile(r"; (?:of|asked to exit) \d")

Grids = Mapping[Symbol, Instrument]
Prices = Mapping[Symbol, tuple[Decimal, TimestampNs]]
"""The last of each symbol, and of when."""


class MovingOrder(OrderLike, Protocol):
    """An order as a ledger holds it, with why it is in its state."""

    @property
    def state_reason(self) -> str:
        """In words, the venue's or ours."""


class Short(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy counts as left, and an exit has failed to leave: unsigned."""

    key: OrderKey
    """The last exit that failed."""
    side: Side
    quantity: Decimal
    why: str


class _Leaving(msgspec.Struct, frozen=True):
    """An exit that is under way."""

    exit: NamedOrder
    quantity: Decimal
    """What of it leaves."""
    of: OrderKey
    """The decision that it is, or whose rest."""
    fees: Decimal = NOTHING

    @property
    def takes(self) -> Decimal:
        """What of the position it is, with what fees had taken of that."""
        return EXACT.add(self.quantity, self.fees)


class _Follows(msgspec.Struct):
    """What follows an exit, and is in no order yet."""

    intent: OrderIntent
    quantity: Decimal
    parts: int = 0
    under_way: bool = True


class ExitBook:
    """One account's. What is `waiting` was not judged to the end: nothing of it is there yet."""

    def __init__(self) -> None:
        self.waiting = WaitingExits()
        self.short: dict[StrategySymbol, Short] = {}
        self._leaving: dict[OrderKey, _Leaving] = {}
        self._follows: dict[OrderKey, _Follows] = {}
        self._before = BoughtBefore()
        self._given: dict[OrderKey, tuple[OrderKey, Decimal]] = {}
        """Of a further order, until it is judged: whose rest it is, and how much of that."""
        self.has_begun = False
        """Whether what an earlier process has left was taken up."""

    def begin(
        self,
        open_orders: Iterable[MovingOrder],
        held_by: Mapping[StrategySymbol, Decimal],
        waiting: Iterable[OrderIntent],
    ) -> None:
        """Take up what an earlier process has left, once: open orders against what is held.

        Its strategy begins with a position that counts these as filled, and counts nothing of the
        exits that were `waiting`, of which the ledger has no row.
        """
        self.has_begun = True
        self.waiting.inherit(waiting)
        for order in open_orders:
            place = order.strategy_id, order.symbol
            unfilled = EXACT.subtract(order.quantity, order.filled_quantity)
            after = EXACT.multiply(held_by.get(place, NOTHING), Decimal(-order.side.sign))
            leaves = min(unfilled, EXACT.add(after, unfilled))
            if leaves > NOTHING:
                quantity = EXACT.add(order.filled_quantity, leaves)
                self._leaving[order.order_key] = _Leaving(order, quantity, order.order_key)

    # ------------------------------------------------------------ what was decided

    def wait(self, intent: OrderIntent, before: Before) -> None:
        """Keep an exit of which nothing has filled until its entry moves: one that is open now."""
        self.waiting.add(intent)
        if intent.order_key not in self._given:
            self._before.decided(intent, before)

    def claimed(self, intent: OrderIntent, rest: Decimal, before: Before | None) -> None:
        """Take in an exit that is about to be claimed, as it is sent, and what is to follow it."""
        key = intent.order_key
        self.waiting.judged(key)
        of, _ = self._given.pop(key, (key, NOTHING))
        self._leaving[key] = _Leaving(intent, _leaves(intent), of, fees_in(intent.reason))
        if rest or self._before.counts(intent):
            self._takes(intent, of, before)
        follows = self._follows.get(of)
        if follows is not None and of != key:
            # The venue takes no more, or another exit took it meanwhile.
            follows.quantity = EXACT.add(follows.quantity, rest)
        elif rest and intent.order_type is not OrderType.MARKET:
            self._fails(intent, key, rest, "sent for what had filled, at once or never")
        elif rest:
            self._follows[key] = _Follows(intent, rest)

    def _takes(self, intent: OrderIntent, of: OrderKey, before: Before | None) -> None:
        if before is not None and of == intent.order_key:
            self._before.decided(intent, before)
        quantity = EXACT.add(_leaves(intent), fees_in(intent.reason))
        self._before.takes(intent.order_key, of, quantity)

    def refused(self, intent: OrderIntent, refusal: Refusal, *, may_be_held: bool = False) -> None:
        """Take in an exit that will not be sent. Where nothing was held, nothing stays held.

        `may_be_held`: what is not known to be held may be, or may yet be.
        """
        self.waiting.judged(intent.order_key)
        of, _ = self._given.pop(intent.order_key, (intent.order_key, NOTHING))
        if self.waiting.is_inherited(intent.order_key):
            return
        if refusal.code != NOTHING_HELD or may_be_held:
            missing = self._may_come(of, intent.leaves)
            self._fails(intent, of, missing, f"refused ({refusal.code}: {refusal.text})")
        else:
            self._follows.pop(of, None)

    def stopped(
        self, intent: OrderIntent, before: Before | None, still: Decimal, untold: Decimal
    ) -> None:
        """Take in an exit of a stop that is about to be claimed, with what is held besides it.

        `still` counts open orders as filled; `untold` is what its strategy will count as left by it
        from now on. Its strategy counts all that a stop leaves as left,
        but never more than it has: what is beyond that is what an exit was to leave, or has failed
        to.
        """
        if before is not None and self._before.counts(intent):
            self._before.decided(intent, before)
            self._before.takes(intent.order_key, intent.order_key, untold)
        place = intent.strategy_id, intent.symbol
        short = self.short.get(place)
        if short is None or short.side is not intent.side or short.quantity <= still:
            return
        if still > NOTHING:
            self.short[place] = msgspec.structs.replace(short, quantity=still)
        else:
            del self.short[place]

    # ------------------------------------------------------------ what became of it

    def moved(self, order: MovingOrder) -> None:
        """Follow a step of any order. Safe to repeat."""
        self.waiting.moved(order)
        is_final = order.state in FINAL_STATES
        if self._before.moved(order):
            for key in list(self._follows):
                self._end_if_done(key)
        leaving = self._leaving.get(order.order_key)
        if leaving is None or not is_final:
            return
        del self._leaving[order.order_key]
        self._before.ended(order)
        if order.state is OrderState.FILLED:
            if leaving.of in self._follows:
                self._follows[leaving.of].under_way = False
                self._end_if_done(leaving.of)
            return
        missing = max(EXACT.subtract(leaving.quantity, order.filled_quantity), NOTHING)
        why = f"{order.state} ({order.state_reason})" if order.state_reason else str(order.state)
        self._fails(leaving.exit, leaving.of, missing, why)

    @property
    def named(self) -> list[OrderKey]:
        """The keys of which a ledger must be asked, to go on after another incarnation."""
        return [*self._leaving, *self.waiting.named, *self._before.named]

    def recover(self, known: Mapping[OrderKey, MovingOrder]) -> None:
        """Go on after an incarnation that may have died between a decision and its commit.

        `known` are the rows that there are of those that are `named`.
        """
        self.waiting.recover(known)
        sent = {key: (one.of, one.takes) for key, one in self._leaving.items()}
        for key, (of, quantity) in {**self._given, **sent}.items():
            if key not in known:
                self._never_claimed(key, of, quantity)
        self._before.recover(known)
        for order in known.values():
            self.moved(order)

    def take_back(self) -> None:
        """Take back the further orders that wait: what they were of is to follow again."""
        for key, (of, quantity) in list(self._given.items()):
            self._never_claimed(key, of, quantity)

    def _never_claimed(self, key: OrderKey, of: OrderKey, quantity: Decimal) -> None:
        """A decision is taken again, with its rest; what follows one is this book's to repeat."""
        self._leaving.pop(key, None)
        self._given.pop(key, None)
        self._before.gives_back(key)
        if key != of:
            self.waiting.forget(key)
        follows = self._follows.get(of)
        if follows is None:
            return
        if key == of:
            del self._follows[of]
            return
        follows.under_way = False
        follows.quantity = EXACT.add(follows.quantity, quantity)

    def _end_if_done(self, key: OrderKey) -> None:
        follows = self._follows[key]
        if not (follows.under_way or self._may_come(key, follows.quantity)):
            del self._follows[key]

    def _may_come(self, of: OrderKey, quantity: Decimal) -> Decimal:
        """Give how much of that an exit may leave at most, should all fill that it is of."""
        most = self._before.may_come(of)
        return quantity if most is None else min(quantity, most)

    def _fails(self, exit_: NamedOrder, of: OrderKey, missing: Decimal, why: str) -> None:
        """Nothing follows what has failed, and is not tried again."""
        follows = self._follows.pop(of, None)
        if follows is not None:
            missing = self._may_come(of, EXACT.add(missing, follows.quantity))
        if not missing:
            return
        place = exit_.strategy_id, exit_.symbol
        before = self.short.get(place)
        if before is not None and before.key != exit_.order_key:
            missing = EXACT.add(missing, before.quantity)
        elif before is not None:  # judged again, since that was not written
            missing = max(missing, before.quantity)
        self.short[place] = Short(key=exit_.order_key, side=exit_.side, quantity=missing, why=why)

    # ------------------------------------------------------------ what is to be done

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, follows or has failed: then nothing is to be done."""
        has_more = self._follows or self.short
        return not has_more and self.waiting.is_idle and self._before.is_idle

    def bought_before(self, key: OrderKey) -> Decimal | None:
        """Give what there is for an exit that has waited, or follows another; None of others."""
        of, _ = self._given.get(key, (key, NOTHING))
        return self._before.there(of)

    def why_not(self, intent: OrderIntent, grids: Grids, prices: Prices) -> Refusal | None:
        """Say why one that waits is not sent, or not yet, though something is held."""
        key = intent.order_key
        if self.waiting.is_inherited(key):
            return process_ended()
        there = self.bought_before(key)
        if there is None:
            return None
        if not there:
            return Refusal(code=NOTHING_HELD, text=_NOT_FILLED)
        there = min(there, intent.leaves)
        of, _ = self._given.get(key, (key, NOTHING))
        less = too_little(there, _price_of(intent, prices), grids.get(intent.symbol))
        if not less or self._may_come(of, intent.leaves) == there:
            return None
        return Refusal(code=NOTHING_HELD, text=f"its entry is still open, and of it {less}")

    def due(self, grids: Grids, prices: Prices, now_ns: TimestampNs) -> Iterator[OrderIntent]:
        """Give what follows now, one by one: judge each before the next is asked for."""
        not_done = [*self.waiting.all, *(one.intent for one in self._follows.values())]
        self._before.keep_only({leaving_of(one) for one in not_done})
        for of in list(self._follows):
            follows = self._follows.get(of)
            if follows is None or follows.under_way:
                continue
            free = self._there(of, follows.quantity)
            if not free:
                self._end_if_done(of)
                continue
            price = _price_of(follows.intent, prices)
            less = too_little(free, price, grids.get(follows.intent.symbol))
            if not less:
                yield self._next(of, follows, free, price, now_ns)
            elif self._may_come(of, follows.quantity) == free:
                self._fails(follows.intent, of, NOTHING, f"filled, and of the rest {less}")

    def _there(self, of: OrderKey, quantity: Decimal) -> Decimal:
        """Give how much of that an exit may leave now."""
        there = self._before.there(of)
        return quantity if there is None else min(quantity, there)

    def _next(
        self,
        of: OrderKey,
        follows: _Follows,
        quantity: Decimal,
        price: Decimal,
        now_ns: TimestampNs,
    ) -> OrderIntent:
        follows.parts += 1
        follows.under_way = True
        follows.quantity = EXACT.subtract(follows.quantity, quantity)
        key = rest_key(of, follows.parts)
        self._given[key] = of, quantity
        return msgspec.structs.replace(
            follows.intent,
            order_key=key,
            quantity=quantity,
            leaves=quantity,
            protection=None,
            reference_price=price,
            decided_at_ns=now_ns,
            ts_created_ns=now_ns,
            reason=f"the rest of {of}: {_own(follows.intent.reason)}",
        )

    # ------------------------------------------------------------ what is told

    def unfinished(self) -> Unfinished:
        """Give what the next process is told, should this one be killed now."""
        return Unfinished(
            waiting=tuple(self.waiting.exits.values()),
            following=tuple(
                Following(
                    order_key=key,
                    strategy_id=one.intent.strategy_id,
                    symbol=one.intent.symbol,
                    side=one.intent.side,
                    quantity=quantity,
                )
                for key, one in self._follows.items()
                if (quantity := self._may_come(key, one.quantity))
            ),
        )

    def still_held(
        self,
        free: Callable[[StrategyId, Symbol, Side], Decimal],
        is_flat: Callable[[StrategySymbol], bool],
    ) -> list[tuple[StrategySymbol, Short]]:
        """Give what failed exits have left held, each no more than there is; forget the rest."""
        for place in [place for place in self.short if is_flat(place)]:
            del self.short[place]
        held = [
            (place, min(short.quantity, free(*place, short.side)), short)
            for place, short in self.short.items()
        ]
        return [
            (place, msgspec.structs.replace(short, quantity=quantity))
            for place, quantity, short in held
            if quantity > NOTHING
        ]

    def rows(self) -> list[dict[str, object]]:
        """Give what waits and what is to follow, in a few words, for a person."""
        waiting = [(key, one, one.leaves) for key, one in self.waiting.exits.items()]
        follows = [
            (key, one.intent, self._may_come(key, one.quantity))
            for key, one in self._follows.items()
        ]
        return [
            {
                "order_key": key,
                "strategy_id": intent.strategy_id,
                "symbol": intent.symbol,
                "to_leave": quantity,
            }
            for key, intent, quantity in (*waiting, *follows)
        ]


def rest_of(reason: str) -> OrderKey | None:
    """Give the exit that an order is a rest of, by why it was decided; None for any other."""
    said = _REST_OF.match(reason)
    return None if said is None else OrderKey(said[1])


def _price_of(intent: OrderIntent, prices: Prices) -> Decimal:
    return prices[intent.symbol][0] if intent.symbol in prices else intent.reference_price


def _leaves(intent: OrderIntent) -> Decimal:
    """Give how much of what is sent leaves."""
    return min(intent.quantity, intent.leaves)


def _own(reason: str) -> str:
    """Give a reason without what was said of the order that it was of."""
    return _OF_AN_ORDER.split(reason)[0]
