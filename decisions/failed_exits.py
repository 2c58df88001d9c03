"""What strategies count as left, and exits have failed to leave: told to people until it is gone.

Pure.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from decisions.order_like import NamedOrder
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategyId, StrategySymbol, Symbol
from messages.values import Side


class Short(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy counts as left, and an exit has failed to leave: unsigned."""

    key: OrderKey
    """The last exit that failed."""
    side: Side
    quantity: Decimal
    why: str


class FailedExits:
    """One account's; see `decisions.exit_book`."""

    def __init__(self) -> None:
        self.short: dict[StrategySymbol, Short] = {}

    def add(self, exit_: NamedOrder, missing: Decimal, why: str) -> None:
        """Count what an exit has failed to leave."""
        if not missing:
            return
        place = exit_.strategy_id, exit_.symbol
        before = self.short.get(place)
        if before is not None and before.key != exit_.order_key:
            missing = EXACT.add(missing, before.quantity)
        elif before is not None:  # judged again, since that was not written
            missing = max(missing, before.quantity)
        self.short[place] = Short(key=exit_.order_key, side=exit_.side, quantity=missing, why=why)

    def stopped(self, exit_: NamedOrder, still: Decimal) -> None:
        """Count what a stop leaves of it; `still` is what is held then, open orders as filled."""
        place = exit_.strategy_id, exit_.symbol
        short = self.short.get(place)
        if short is None or short.side is not exit_.side or short.quantity <= still:
            return
        if still > NOTHING:
            self.short[place] = msgspec.structs.replace(short, quantity=still)
        else:
            del self.short[place]

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
