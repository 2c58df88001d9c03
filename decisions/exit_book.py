"""Exits that strategies decide by themselves, until each has left what it was to leave. Pure.

A strategy's position counts an exit as left when it decides it, and does not ask again. So what
one order could not take follows it: in further orders where the venue takes no more in one, and as
fast as entries fill that were open when it was decided. Each of them follows once the one before
has filled. What failed is not tried again: that it is still held is told. How much of what is
there is an exit's own is `decisions.bought_before`.

A strategy that manages its orders is told what became of them and decides anew; an exit of a stop
is the stop's. Neither is here. One owner, one thread; it outlives the owner's incarnations.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Protocol

import msgspec

from decisions.bought_before import BoughtBefore, leaving_of
from decisions.failed_exits import FailedExits
from decisions.following_exits import FollowingExits, Follows
from decisions.order_like import NamedOrder, OrderLike
from decisions.risk_exit import NOTHING_HELD, Before, fees_in
from decisions.risk_limits import Refusal
from decisions.stop_ending import too_little
from decisions.unfinished_exits import Following, Unfinished, process_ended
from decisions.waiting_exits import WaitingExits
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategySymbol, Symbol, TimestampNs
from messages.order_states import FINAL_STATES
from messages.orders import OrderIntent
from messages.values import Instrument, OrderState, OrderType

_NOT_FILLED = "its entry has not filled, and what is held was bought after this was decided"

Grids = Mapping[Symbol, Instrument]
Prices = Mapping[Symbol, tuple[Decimal, TimestampNs]]
"""The last of each symbol, and of when."""


class MovingOrder(OrderLike, Protocol):
    """An order as a ledger holds it, with why it is in its state."""

    @property
    def state_reason(self) -> str:
        """In words, the venue's or ours."""


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


class ExitBook:
    """One account's. What is `waiting` was not judged to the end: nothing of it is there yet."""

    def __init__(self) -> None:
        self.waiting = WaitingExits()
        self.failed = FailedExits()
        self._leaving: dict[OrderKey, _Leaving] = {}
        self._before = BoughtBefore()
        self._following = FollowingExits(self._before)
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
        if not self._following.is_given(intent.order_key):
            self._before.decided(intent, before)

    def claimed(self, intent: OrderIntent, rest: Decimal, before: Before | None) -> None:
        """Take in an exit that is about to be claimed, as it is sent, and what is to follow it."""
        key = intent.order_key
        self.waiting.judged(key)
        of = self._following.judged(key)
        leaves = min(intent.quantity, intent.leaves)
        self._leaving[key] = _Leaving(intent, leaves, of, fees_in(intent.reason))
        if rest or self._before.counts(intent):
            self._takes(intent, of, before)
        if of != key and self._following.grows(of, rest):
            return  # the venue takes no more, or another exit took it meanwhile
        if rest and intent.order_type is not OrderType.MARKET:
            self._fails(intent, key, rest, "sent for what had filled, at once or never")
        elif rest:
            self._following.all[key] = Follows(intent, rest)

    def _takes(self, intent: OrderIntent, of: OrderKey, before: Before | None) -> None:
        if before is not None and of == intent.order_key:
            self._before.decided(intent, before)
        self._before.takes(intent.order_key, of, self._leaving[intent.order_key].takes)

    def refused(self, intent: OrderIntent, refusal: Refusal, *, may_be_held: bool = False) -> None:
        """Take in an exit that will not be sent. Where nothing was held, nothing stays held.

        `may_be_held`: what is not known to be held may be, or may yet be.
        """
        self.waiting.judged(intent.order_key)
        of = self._following.judged(intent.order_key)
        if self.waiting.is_inherited(intent.order_key):
            return
        if refusal.code != NOTHING_HELD or may_be_held:
            missing = self._following.may_come(of, intent.leaves)
            self._fails(intent, of, missing, f"refused ({refusal.code}: {refusal.text})")
        else:
            self._following.all.pop(of, None)

    def stopped(
        self,
        intent: OrderIntent,
        before: Before | None,
        still: Decimal,
        untold: Decimal,
        spoken_for: Decimal,
    ) -> None:
        """Take in an exit of a stop that is about to be claimed, with what is held besides it.

        `still` counts open orders as filled; `untold` is what its strategy will count as left by it
        from now on, `spoken_for` what it counts so already and no order leaves yet. It counts all
        that a stop leaves as left, but never more than it has: what is beyond that is what an exit
        was to leave, or has failed to.
        """
        if before is not None and self._before.counts(intent):
            free = EXACT.subtract(before.free, spoken_for)
            self._before.decided(intent, msgspec.structs.replace(before, free=free))
            self._before.takes(intent.order_key, intent.order_key, untold)
        self.failed.stopped(intent, still)

    # ------------------------------------------------------------ what became of it

    def moved(self, order: MovingOrder) -> None:
        """Follow a step of any order. Safe to repeat."""
        self.waiting.moved(order)
        is_final = order.state in FINAL_STATES
        if self._before.moved(order):
            self._following.end_those_done()
        leaving = self._leaving.get(order.order_key)
        if leaving is None or not is_final:
            return
        del self._leaving[order.order_key]
        self._before.ended(order)
        if order.state is OrderState.FILLED:
            self._following.part_filled(leaving.of)
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
        for key, (of, quantity) in {**self._following.given, **sent}.items():
            if key not in known:
                self._never_claimed(key, of, quantity)
        self._before.recover(known)
        for order in known.values():
            self.moved(order)

    def take_back(self) -> None:
        """Take back the further orders that wait: what they were of is to follow again."""
        for key, (of, quantity) in self._following.given.items():
            self._never_claimed(key, of, quantity)

    def _never_claimed(self, key: OrderKey, of: OrderKey, quantity: Decimal) -> None:
        """A decision is taken again, with its rest; what follows one is this book's to repeat."""
        self._leaving.pop(key, None)
        self._before.gives_back(key)
        if key != of:
            self.waiting.forget(key)
        self._following.never_claimed(key, of, quantity)

    def _fails(self, exit_: NamedOrder, of: OrderKey, missing: Decimal, why: str) -> None:
        """Nothing follows what has failed, and is not tried again."""
        follows = self._following.all.pop(of, None)
        if follows is not None:
            all_missing = EXACT.add(missing, follows.quantity)
            missing = self._following.may_come(of, all_missing)
        self.failed.add(exit_, missing, why)

    # ------------------------------------------------------------ what is to be done

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, follows or has failed: then nothing is to be done."""
        has_more = self._following.all or self.failed.short
        return not has_more and self.waiting.is_idle and self._before.is_idle

    def bought_before(self, key: OrderKey) -> Decimal | None:
        """Give what there is for an exit that has waited, or follows another; None of others."""
        return self._before.there(self._following.of(key))

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
        less = too_little(there, _price_of(intent, prices), grids.get(intent.symbol))
        may_come = self._following.may_come(self._following.of(key), intent.leaves)
        if not less or may_come == there:
            return None
        return Refusal(code=NOTHING_HELD, text=f"its entry is still open, and of it {less}")

    def due(self, grids: Grids, prices: Prices, now_ns: TimestampNs) -> Iterator[OrderIntent]:
        """Give what follows now, one by one: judge each before the next is asked for."""
        following = self._following
        not_done = [*self.waiting.all, *(one.intent for one in following.all.values())]
        self._before.keep_only({leaving_of(one) for one in not_done})
        for of, follows, free in following.ready():
            intent = follows.intent
            price = _price_of(intent, prices)
            less = too_little(free, price, grids.get(intent.symbol))
            if not less:
                yield following.next_of(of, free, price, now_ns)
            elif following.may_come(of, follows.quantity) == free:
                self._fails(intent, of, NOTHING, f"filled, and of the rest {less}")

    # ------------------------------------------------------------ what is told

    def unfinished(self) -> Unfinished:
        """Give what the next process is told, should this one be killed now."""
        following = self._following.to_come()
        return Unfinished(
            waiting=tuple(self.waiting.exits.values()),
            following=tuple(one for one in following if one.quantity),
        )

    def rows(self) -> list[dict[str, object]]:
        """Give what waits and what is to follow, in a few words, for a person."""
        waiting = [_row(one, one.leaves) for one in self.waiting.exits.values()]
        return [*waiting, *(_row(one, one.quantity) for one in self._following.to_come())]


def _row(exit_: OrderIntent | Following, to_leave: Decimal) -> dict[str, object]:
    return {
        "order_key": exit_.order_key,
        "strategy_id": exit_.strategy_id,
        "symbol": exit_.symbol,
        "to_leave": to_leave,
    }


def _price_of(intent: OrderIntent, prices: Prices) -> Decimal:
    return prices[intent.symbol][0] if intent.symbol in prices else intent.reference_price
