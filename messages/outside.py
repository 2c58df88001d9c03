"""Which messages came from outside: from the market, the venue, the clock, a person.

What an actor does follows from these alone, so they are what a journal keeps; and beside them what
actors say of themselves, without which nobody could tell what did follow.
"""

from enum import IntEnum

from messages.account import AcceptAccount, AccountRead
from messages.base import Message
from messages.halting import (
    CancelDone,
    CancelOrder,
    EndStop,
    OpenListed,
    ResolveOrder,
    ResumeTrading,
)
from messages.lifecycle import (
    DeleteChild,
    HaltTrading,
    InjectCrash,
    InjectHang,
    RestartChild,
    StartChild,
    TerminateChild,
)
from messages.market import FeedNews, MarketBatch
from messages.orders import (
    LookupDone,
    MarketReports,
    MarketRules,
    OrderReport,
    SubmitDone,
    VenueNotice,
    VenueStream,
)
from messages.stops import MarketShown


class Origin(IntEnum):
    """Where a message came from; the number stands in journals and never changes."""

    MARKET = 1
    VENUE = 2
    TIMER = 3
    COMMAND = 4
    INSIDE = 5
    """From nowhere outside: what an actor began with, was told by another, decided."""


_MARKET: tuple[type[Message], ...] = (FeedNews, MarketBatch)
_VENUE: tuple[type[Message], ...] = (
    SubmitDone,
    LookupDone,
    OrderReport,
    MarketReports,
    VenueStream,
    VenueNotice,
    MarketRules,
    AccountRead,
    CancelDone,
    OpenListed,
    MarketShown,
)
_COMMANDS: tuple[type[Message], ...] = (
    HaltTrading,
    ResumeTrading,
    CancelOrder,
    ResolveOrder,
    EndStop,
    AcceptAccount,
    InjectCrash,
    InjectHang,
    StartChild,
    RestartChild,
    TerminateChild,
    DeleteChild,
)
OUTSIDE: dict[type[Message], Origin] = {
    **dict.fromkeys(_MARKET, Origin.MARKET),
    **dict.fromkeys(_VENUE, Origin.VENUE),
    **dict.fromkeys(_COMMANDS, Origin.COMMAND),
}
"""By class. A timer is told by how it came, not by its class."""
