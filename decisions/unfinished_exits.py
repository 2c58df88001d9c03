"""What exits of one process have still to do, as its ledger keeps it for the next one. Pure.

A process that is killed says nothing. The next one's strategies begin with what they hold and may
yet hold, so nothing of this is sent any more: each decision is refused, or told, and made anew.
"""

from decimal import Decimal

import msgspec

from decisions.risk_limits import Refusal
from messages.ids import OrderKey, StrategyId, Symbol
from messages.orders import OrderIntent
from messages.values import Side

LEAVING = "leaving"
"""The note under which it lies."""

PROCESS_ENDED = "process_ended"
"""The code of an exit that waited when its process ended."""


class Following(msgspec.Struct, frozen=True, kw_only=True):
    """What was to follow an exit, and is in no order yet: unsigned, in base currency."""

    order_key: OrderKey
    """The exit's."""
    strategy_id: StrategyId
    symbol: Symbol
    side: Side
    quantity: Decimal


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions without a row, and the rests of those with one."""

    waiting: tuple[OrderIntent, ...] = ()
    following: tuple[Following, ...] = ()


NOTHING_LEFT = Unfinished()
_DECODER = msgspec.json.Decoder(Unfinished)


def unfinished_in(note: str | None) -> Unfinished:
    """Read the note.

    Raises:
        msgspec.MsgspecError: it is of another version, or damaged.
    """
    return _DECODER.decode(note) if note else NOTHING_LEFT


def waiting_in(note: str | None) -> tuple[OrderIntent, ...]:
    """Give the exits that wait, and are in no row; none where the note cannot be read.

    The executor tells of that.
    """
    try:
        return unfinished_in(note).waiting
    except msgspec.MsgspecError:
        return ()


def note_of(unfinished: Unfinished) -> str:
    """Give what `unfinished_in` reads: empty where nothing is left to do."""
    return "" if unfinished == NOTHING_LEFT else msgspec.json.encode(unfinished).decode()


def process_ended() -> Refusal:
    """Refuse an exit that waited when its process ended."""
    text = (
        "its process ended while it waited for its entry, and its strategy begins with what it"
        " holds: decide anew"
    )
    return Refusal(code=PROCESS_ENDED, text=text)
