"""That an order is to end: what the ledger keeps of it, and the words by which it is told. Pure."""

import re
from collections.abc import Iterable

import msgspec

from messages.ids import OrderKey
from messages.orders import OrderIntent

UNWANTED = "unwanted:"
"""Prefix of the note saying why an order must not be resent."""

BY_A_PERSON = "a person canceled it"
"""What lies there of an order that a person wants gone: nothing takes its place any more."""

CANCELS = "cancels"
"""The note under which lies what strategies want ended, and has not ended yet."""

REPLACED = "replaced:"
"""Prefix of the note naming the order sent in its place."""

_STRATEGY = "its strategy ended it"
_SECOND = re.compile(rf"{_STRATEGY} for ([0-9a-f]{{32}}): ")
_FIRST = re.compile(r"in place of ([0-9a-f]{32}): ")


class Wish(msgspec.Struct, kw_only=True):
    """One order is to end."""

    order_key: OrderKey
    reason: str
    replacement: OrderIntent | None = None
    """What takes its place once it has: until the ledger says what became of that."""
    dropped: str = ""
    """Why that is wanted no more; empty while it is."""
    tries: int = 0
    is_over: bool = False
    """Whether it has ended, or is given up: what was to take its place is still to be judged."""


_WISHES = msgspec.json.Decoder(list[Wish])


def wishes_in(note: str | None) -> list[Wish]:
    """Read the note.

    Raises:
        msgspec.MsgspecError: it is of another version, or damaged.
    """
    return _WISHES.decode(note or "[]")


def note_of(wishes: Iterable[Wish]) -> str:
    """Give what `wishes_in` reads."""
    return msgspec.json.encode(list(wishes)).decode()


def why_ended(wish: Wish) -> str:
    """Say why an order is not sent again: what lies under `UNWANTED`."""
    if wish.replacement is None:
        return f"{_STRATEGY}: {wish.reason}"
    return f"{_STRATEGY} for {wish.replacement.order_key}: {wish.reason}"


def second_of(why: str) -> OrderKey | None:
    """Give what takes the place of an order that was ended for this reason, if anything does."""
    found = _SECOND.match(why)
    return None if found is None else OrderKey(found[1])


def without_second(why: str) -> str:
    """Give the reason alone, where what takes its place is told beside it."""
    return _SECOND.sub(f"{_STRATEGY}: ", why, count=1) if _SECOND.match(why) else why


def in_place_of(first: OrderKey, reason: str) -> str:
    """Say in an order's reason whose place it takes."""
    return f"in place of {first}: {reason}"


def first_of(reason: str) -> OrderKey | None:
    """Give whose place an order of this reason takes, if it takes one."""
    found = _FIRST.match(reason)
    return None if found is None else OrderKey(found[1])


def own_reason(reason: str) -> str:
    """Give an order's reason without whose place it takes."""
    return _FIRST.sub("", reason, count=1) if _FIRST.match(reason) else reason
