"""Names for things: one NewType per kind of id, so that mypy refuses to mix them.

Time is UTC integer nanoseconds. Who made an id, and how unique it is, is said beside it.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NewType

Symbol = NewType("Symbol", str)
"""A market in ccxt's unified form, base/quote: ``BTC/USDT``."""


@lru_cache(maxsize=4096)
def base_of(symbol: str) -> str:
    """Give the currency that is bought and sold: ``BTC`` of ``BTC/USDT``."""
    return symbol.partition("/")[0]


@lru_cache(maxsize=4096)
def quote_of(symbol: str) -> str:
    """Give the currency that is paid, and that profit is in: ``USDT`` of ``BTC/USDT:USDT``."""
    return symbol.partition("/")[2].partition(":")[0]


def currencies_of(symbols: Iterable[str]) -> dict[str, None]:
    """Give what is bought, sold and paid, each once, in their order."""
    return dict.fromkeys(c for symbol in symbols for c in (base_of(symbol), quote_of(symbol)))


AccountId = NewType("AccountId", str)
"""One balance at one venue; orders of one account never share an order key."""

PAPER_ACCOUNT = AccountId("paper")
"""That of every run without an exchange: part of the key of each of its orders."""

StrategyId = NewType("StrategyId", str)
"""The ``id`` of a ``[[strategy]]`` block; unique within a run."""
StrategySymbol = tuple[StrategyId, Symbol]
"""Whose, of what: by this what is held is told apart."""

OrderKey = NewType("OrderKey", str)
"""The name of one decision: 32 hex digits, of which the first 12 are its millisecond.

A pure function of the decision, so deciding the same again gives the same key.
"""

ClientOrderId = NewType("ClientOrderId", str)
"""What the venue knows the order by (FIX ClOrdID); a hash of the order key."""

VenueOrderId = NewType("VenueOrderId", str)
"""What the venue calls the order (FIX OrderID); unique per venue and symbol."""

TradeId = NewType("TradeId", str)
"""One execution (FIX ExecID); unique per venue and symbol; a repeated one is ignored."""

ActorPath = NewType("ActorPath", str)
"""Where an actor stands in the tree. Stable over restarts."""

EXECUTOR = ActorPath("execution/executor")
"""Whom decisions are sent to; so its journal calls it too."""

Epoch = NewType("Epoch", int)
"""Which incarnation of an actor: 1 for the first, one more at each restart."""

TimestampNs = NewType("TimestampNs", int)
"""A moment: nanoseconds since 1970-01-01 UTC."""

DurationNs = NewType("DurationNs", int)
"""A span on a monotonic clock, in nanoseconds."""

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
MINUTE_NS = 60 * NS_PER_S
DAY_NS = 86_400 * NS_PER_S
