"""Two orders at a venue for one decision, told from a second answer about the same one. Pure.

Each request is sent once. But a network, or a venue, may take one request twice: most venues want
an id to be unique among open orders only, so the second is an order of its own once the first has
filled. It is in no ledger, and what it executes belongs to no decision: never is it counted as the
first one's.
"""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from messages.ids import OrderKey, Symbol, VenueOrderId
from messages.learning import learn
from messages.orders import OrderReport
from messages.values import Side


class KnownAtVenue(Protocol):
    """An order as the ledger has it."""

    @property
    def order_key(self) -> OrderKey:
        """Of its decision."""

    @property
    def symbol(self) -> Symbol:
        """What it trades."""

    @property
    def side(self) -> Side:
        """Which way."""

    @property
    def venue_order_id(self) -> VenueOrderId | None:
        """What the venue calls it; None: it has not said."""


class Doubled(msgspec.Struct, frozen=True, kw_only=True):
    """An order of ours, and what bears its id besides."""

    order_key: OrderKey
    symbol: Symbol
    is_buy: bool
    venue_order_id: VenueOrderId
    others: tuple[VenueOrderId, ...]
    is_accepted: bool = False
    """Whether a person knows of it: then it is told again only where yet another appears."""


learn(Doubled)


def is_another(entry: KnownAtVenue, report: OrderReport) -> bool:
    """Whether a report is about another order than the one that the ledger follows."""
    ours, told = entry.venue_order_id, report.venue_order_id
    return told is not None and ours is not None and told != ours


def doubled(entry: KnownAtVenue, report: OrderReport) -> Doubled | None:
    """Give what a report shows besides the one order of a decision; None where there is nothing."""
    ours = entry.venue_order_id or report.venue_order_id
    if ours is None:
        return None
    told = {ours if report.venue_order_id is None else report.venue_order_id}
    others = {*told, *report.namesakes} - {ours}
    if not others:
        return None
    return Doubled(
        order_key=entry.order_key,
        symbol=entry.symbol,
        is_buy=entry.side is Side.BUY,
        venue_order_id=ours,
        others=tuple(sorted(others)),
    )


def together(before: Doubled | None, seen: Doubled) -> Doubled:
    """Give all that is known to bear the id of one order."""
    if before is None:
        return seen
    others = {*before.others, *seen.others, seen.venue_order_id} - {before.venue_order_id}
    is_known = before.is_accepted and others == {*before.others}
    return msgspec.structs.replace(before, others=tuple(sorted(others)), is_accepted=is_known)


def said_of(all_doubled: Iterable[Doubled]) -> str:
    """Say it in few words, the last first; empty where there is none."""
    found = [one for one in all_doubled if not one.is_accepted]
    if not found:
        return ""
    *more, last = found
    besides = f" (and {len(more)} more)" if more else ""
    return (
        f"order {last.order_key} is at the venue {len(last.others) + 1} times: as"
        f" {last.venue_order_id}, which is followed here, and as {', '.join(last.others)}{besides}"
    )
