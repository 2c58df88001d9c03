"""What follows exits, and is in no order yet: the rest of each, order by order. Pure.

A further order of an exit is named by that and its number, and is of as much as there is.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from decisions.bought_before import BoughtBefore
from decisions.order_keys import rest_key
from decisions.unfinished_exits import Following
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, TimestampNs
from messages.orders import OrderIntent

_REST_OF = re.compile(r"the rest of ([0-9a-f]{32}): ")
_OF_AN_ORDER = re.compile(r"; (?:of|asked to exit) \d")


class Follows(msgspec.Struct):
    """What follows an exit."""

    intent: OrderIntent
    quantity: Decimal
    parts: int = 0
    under_way: bool = True


class FollowingExits:
    """One account's; see `decisions.exit_book`. `before` says how much there is for each."""

    def __init__(self, before: BoughtBefore) -> None:
        self._before = before
        self.all: dict[OrderKey, Follows] = {}
        """By the decision that it is the rest of."""
        self._given: dict[OrderKey, tuple[OrderKey, Decimal]] = {}
        """Of a further order, until it is judged: whose rest it is, and how much of that."""

    def of(self, key: OrderKey) -> OrderKey:
        """Give whose rest an order is that was not judged yet; of any other the order itself."""
        return self._given[key][0] if key in self._given else key

    def is_given(self, key: OrderKey) -> bool:
        """Whether it is a further order that was not judged to the end."""
        return key in self._given

    @property
    def given(self) -> Mapping[OrderKey, tuple[OrderKey, Decimal]]:
        """Those that were not judged to the end: whose rest each is, and how much of that."""
        return self._given.copy()

    def judged(self, key: OrderKey) -> OrderKey:
        """Let go of a further order that is about to be written; give whose rest an order is."""
        return self._given.pop(key, (key, NOTHING))[0]

    def grows(self, of: OrderKey, rest: Decimal) -> bool:
        """Add what a further order could not take; False where nothing follows that exit."""
        follows = self.all.get(of)
        if follows is not None:
            follows.quantity = EXACT.add(follows.quantity, rest)
        return follows is not None

    def part_filled(self, of: OrderKey) -> None:
        """Learn that the order of an exit that was under way has left all that it was to leave."""
        if of in self.all:
            self.all[of].under_way = False
            self.end_if_done(of)

    def never_claimed(self, key: OrderKey, of: OrderKey, quantity: Decimal) -> None:
        """Take back an order that is in no row: a decision with its rest, a further one alone."""
        self._given.pop(key, None)
        follows = self.all.get(of)
        if follows is None:
            return
        if key == of:
            del self.all[of]
            return
        follows.under_way = False
        follows.quantity = EXACT.add(follows.quantity, quantity)

    def end_those_done(self) -> None:
        """Let go of all of which nothing is to come."""
        for of in list(self.all):
            self.end_if_done(of)

    def end_if_done(self, of: OrderKey) -> None:
        """Let go of what follows an exit where nothing is to come, and no order is under way."""
        follows = self.all[of]
        if not (follows.under_way or self.may_come(of, follows.quantity)):
            del self.all[of]

    def may_come(self, of: OrderKey, quantity: Decimal) -> Decimal:
        """Give how much of that an exit may leave at most, should all fill that it is of."""
        most = self._before.may_come(of)
        return quantity if most is None else min(quantity, most)

    def there(self, of: OrderKey, quantity: Decimal) -> Decimal:
        """Give how much of that an exit may leave now."""
        there = self._before.there(of)
        return quantity if there is None else min(quantity, there)

    def ready(self) -> Iterator[tuple[OrderKey, Follows, Decimal]]:
        """Give what may follow now, one by one, and how much there is; let go of what is done."""
        for of in list(self.all):
            follows = self.all.get(of)
            if follows is None or follows.under_way:
                continue
            if free := self.there(of, follows.quantity):
                yield of, follows, free
            else:
                self.end_if_done(of)

    def next_of(
        self, of: OrderKey, quantity: Decimal, price: Decimal, now_ns: TimestampNs
    ) -> OrderIntent:
        """Give the further order of an exit, which is under way from now on."""
        follows = self.all[of]
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

    def to_come(self) -> list[Following]:
        """Give what is to follow each exit, as far as it may come."""
        return [
            Following(
                order_key=key,
                strategy_id=one.intent.strategy_id,
                symbol=one.intent.symbol,
                side=one.intent.side,
                quantity=self.may_come(key, one.quantity),
            )
            for key, one in self.all.items()
        ]


def rest_of(reason: str) -> OrderKey | None:
    """Give the exit that an order is a rest of, by why it was decided; None for any other."""
    said = _REST_OF.match(reason)
    return None if said is None else OrderKey(said[1])


def _own(reason: str) -> str:
    """Give a reason without what was said of the order that it was of."""
    return _OF_AN_ORDER.split(reason)[0]
