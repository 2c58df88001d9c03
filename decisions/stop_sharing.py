"""Whose coins a strategy's own exit is seen to leave, when it is claimed and after a restart. Pure.

How it is shared out then is `decisions.stop_shares`.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from decisions.order_like import NamedOrder
from decisions.stop_cover import StopCover
from decisions.stop_exits import FillsOf, KnownOrder, Lookup, bought_since, left_until
from decisions.stop_rows import has_acted
from decisions.stop_told import StopTold
from messages.exact import EXACT, NOTHING
from messages.ids import OrderKey
from messages.stops import Stop


class _Left(NamedTuple):
    """What a stop protects, and nobody else is leaving."""

    entry: OrderKey
    quantity: Decimal
    spoken_for: Decimal
    """How much of it its strategy counts as left already."""


def share_out(exit_: NamedOrder, quantity: Decimal, cover: StopCover, told: StopTold) -> None:
    """See whose coins an order leaves that is about to be claimed.

    What a stop has acted on comes late, and last what its strategy counts as left already.
    """
    if quantity <= NOTHING or not cover.rows.stops:
        return
    if mine := _against(exit_, cover):
        mine.sort(key=has_acted)
        left = [_Left(stop.entry_key, cover.left(stop), told.spoken_for_of(stop)) for stop in mine]
        _share_out(exit_, quantity, mine[0], left, cover)


def share_out_again(
    order: KnownOrder, cover: StopCover, told: StopTold, lookup: Lookup, fills_of: FillsOf
) -> None:
    """See whose coins an exit of before leaves: of what stops protected when it was decided.

    What that does not explain came before it was claimed: it waited for its entry to fill. (So it
    is where the exchange's clock is a little ahead of ours.)
    """
    at_ns, key = order.decided_at_ns, order.order_key
    mine = [stop for stop in _against(order, cover) if stop.placed_at_ns < at_ns]
    if not mine or key in cover.rows.entry_of:
        return
    mine.sort(key=lambda stop: _had_acted(stop, at_ns))
    left, later = [], []
    for stop in mine:
        quantity = _left_at(at_ns, stop, cover, lookup, fills_of)
        spoken_for = told.spoken_for_of(stop) if _had_acted(stop, at_ns) else NOTHING
        left += [_Left(stop.entry_key, quantity, min(spoken_for, quantity))]
        later += [_Left(stop.entry_key, EXACT.subtract(cover.left(stop), quantity), NOTHING)]
    (part,) = cover.parts.among([key])
    _share_out(order, part.leaving, mine[0], [*left, *later], cover)


def _against(exit_: NamedOrder, cover: StopCover) -> list[Stop]:
    """Give the stops of what an order may leave, oldest first."""
    place = exit_.strategy_id, exit_.symbol
    return [stop for stop in cover.rows.at(place) if stop.side is not exit_.side]


def _left_at(
    at_ns: int, stop: Stop, cover: StopCover, lookup: Lookup, fills_of: FillsOf
) -> Decimal:
    """Give what a stop protected at a moment and protects yet, and nobody else is leaving."""
    key = stop.entry_key
    by_itself = left_until(at_ns, lookup(stop.exits).values() if stop.exits else ())
    gone = EXACT.add(EXACT.add(stop.released, cover.shares.of(key)), by_itself)
    filled = EXACT.subtract(cover.filled[key], bought_since(at_ns, fills_of(key)))
    return min(EXACT.subtract(filled, gone), cover.left(stop))


def _share_out(
    exit_: NamedOrder,
    quantity: Decimal,
    of: Stop,
    left: Sequence[_Left],
    cover: StopCover,
) -> None:
    place = exit_.strategy_id, exit_.symbol
    there = EXACT.subtract(cover.parts.held(place, of.side), cover.protects(place))
    first = [(one.entry, EXACT.subtract(one.quantity, one.spoken_for)) for one in left]
    last = [(one.entry, one.spoken_for) for one in left]
    cover.shares.claimed(exit_.order_key, place, quantity, there, (*first, *last))


def _had_acted(stop: Stop, at_ns: int) -> bool:
    return has_acted(stop) and stop.acted_at_ns < at_ns
