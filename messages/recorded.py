"""What actors say of themselves for the journal, so that it can be replayed; told to nobody else.

What came from outside does not say with what a process began, what its strategies had in memory
when they did, or what the risk gate knew when it judged. These do, and what was decided.
"""

from decimal import Decimal

import msgspec

from messages.base import Message
from messages.ids import AccountId, Epoch, OrderKey, StrategyId, Symbol
from messages.orders import OrderIntent
from messages.values import Instrument


class StrategySettings(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy as the configuration of its process had it."""

    id: StrategyId
    uses: str
    params: str
    """As TOML."""
    symbols: tuple[Symbol, ...]
    order_notional: Decimal
    code: str
    """A hash of the file of its class; empty where that is in none."""


class RunBegun(Message, kw_only=True, frozen=True):
    """A process has begun, with these settings; again at the head of each segment.

    Process -> Journal. Lost where the disk refuses it.
    """

    process: str
    """Another one for each process."""
    version: str
    account: AccountId
    is_replayed: bool
    """Whether the market is shown from its beginning each time."""
    timeframe_ns: int
    """Of the feed's candles."""
    strategies: tuple[StrategySettings, ...]


class StrategyStands(Message, kw_only=True, frozen=True):
    """All that a strategy's driver remembers; `has_begun` when an incarnation begins with it.

    Strategy -> Journal. Lost where the disk refuses it.
    """

    epoch: Epoch
    has_begun: bool
    memory: bytes
    """See `decisions.strategy_record`."""
    instruments: tuple[Instrument, ...]
    """The grids of its symbols, as it knows them."""


class StrategyEnded(Message, kw_only=True, frozen=True):
    """A strategy's incarnation ends in order: of what it took it has finished all below a place.

    Batches that it takes after this word it leaves; then it says it once more at its very end.
    Strategy -> Journal. Lost where the disk refuses it.
    """

    epoch: Epoch
    next_index: int


class JudgedIntent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one decision."""

    order_key: OrderKey
    verdict: str
    """``claim``, ``refuse``, ``resend``, ``duplicate`` or ``conflict``."""
    code: str
    """Of a refusal; else empty."""
    quantity: Decimal
    """What is sent, base currency."""


class IntentsJudged(Message, kw_only=True, frozen=True):
    """The executor judged decisions one after another, and what it knew before the first.

    Executor -> Journal. Lost where the disk refuses it.
    """

    intents: tuple[OrderIntent, ...]
    seen: bytes
    """See `decisions.judgement`."""
    verdicts: tuple[JudgedIntent, ...]
