"""What strategies hold, and their orders that may still fill: a fold over orders. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from decisions.risk_exit import fees_in, is_part
from decisions.stop_exits import KnownOrder
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey, StrategySymbol
from messages.order_states import FINAL_STATES
from messages.orders import OrderIntent
from messages.values import OrderState, Side


class Part(msgspec.Struct):
    """An order that may still fill."""

    place: StrategySymbol
    side: Side
    quantity: Decimal
    filled: Decimal
    decided: Decimal
    """What was to be traded, where less was sent."""
    fees: Decimal
    """What fees had taken of it: once it is filled, that is gone too."""
    is_part: bool
    """Whether the venue takes no more in one order: the rest follows once this is filled."""

    @property
    def leaving(self) -> Decimal:
        """What it may yet leave: what fees had taken is no second exit's either."""
        return EXACT.add(EXACT.subtract(self.quantity, self.filled), self.fees)


class PartStep(msgspec.Struct, frozen=True):
    """What a step of an order has done."""

    part: Part
    more: Decimal
    """How much of the position it is, with what fees had taken; base currency, unsigned."""
    undone: Decimal | None
    """What was decided and will never be; None while it may still fill."""


class OpenParts:
    """One account's."""

    def __init__(self) -> None:
        self._held: dict[StrategySymbol, Decimal] = {}
        self._open: dict[OrderKey, Part] = {}

    def load(
        self, exposure: Mapping[StrategySymbol, Decimal], open_orders: Iterable[KnownOrder]
    ) -> None:
        """Begin with what a ledger holds; `exposure` is what is filled or may yet be."""
        self._held = dict(exposure)
        for order in open_orders:
            self._open[order.order_key] = part = Part(
                (order.strategy_id, order.symbol),
                order.side,
                order.quantity,
                order.filled_quantity,
                order.decided_quantity or order.quantity,
                NOTHING if order.decided_quantity is None else fees_in(order.reason),
                is_part(order.reason),
            )
            self._hold(part, part.leaving.copy_negate())

    def claimed(self, intent: OrderIntent, decided: Decimal | None) -> None:
        """Take in an order that is about to be claimed; `decided`: where less is sent."""
        self._open[intent.order_key] = Part(
            (intent.strategy_id, intent.symbol),
            intent.side,
            intent.quantity,
            NOTHING,
            decided or intent.quantity,
            NOTHING if decided is None else fees_in(intent.reason),
            is_part(intent.reason),
        )

    def moved_to(self, key: OrderKey, filled: Decimal, state: OrderState) -> PartStep | None:
        """Follow a step of an order; None of one that is not open. Safe to repeat."""
        part = self._open.get(key)
        if part is None:
            return None
        gone = part.fees if state is OrderState.FILLED else NOTHING
        more = EXACT.add(EXACT.subtract(filled, part.filled), gone)
        part.filled = filled
        self._hold(part, more)
        if state not in FINAL_STATES:
            return PartStep(part, more, None)
        del self._open[key]
        return PartStep(part, more, EXACT.subtract(part.decided, EXACT.add(filled, gone)))

    def _hold(self, part: Part, more: Decimal) -> None:
        before = self._held.get(part.place, NOTHING)
        self._held[part.place] = EXACT.add(before, part.side.signed(more))

    def __contains__(self, key: OrderKey) -> bool:
        """Whether an order may still fill."""
        return key in self._open

    def among(self, keys: Iterable[OrderKey]) -> Iterator[Part]:
        """Give those of these orders that may still fill."""
        return (self._open[key] for key in keys if key in self._open)

    def held(self, place: StrategySymbol, side: Side) -> Decimal:
        """Give what is held by such orders as these; below 0 where it is the other way."""
        return side.signed(self._held.get(place, NOTHING))

    def free(self, place: StrategySymbol, side: Side) -> Decimal:
        """Give what of that is in no open order against it."""
        against = (
            part.leaving
            for part in self._open.values()
            if part.place == place and part.side is not side
        )
        return EXACT.subtract(self.held(place, side), sum(against, start=NOTHING))
