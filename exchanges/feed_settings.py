"""What a live feed is asked for, how patient it is, and what it finds at its gate."""

from enum import StrEnum

import msgspec

from messages.ids import ActorPath, Symbol
from messages.market import FeedEnded, FeedGap, FeedHistory, FeedState, MarketEvent

FeedItem = MarketEvent | FeedHistory | FeedGap | FeedState | FeedEnded
"""What a live feed tells."""


class Channel(StrEnum):
    """What of a market is told."""

    CANDLES = "candles"
    TRADES = "trades"
    TICKS = "ticks"
    """The best bid and ask."""


class FeedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which market. `path` is what the feed is called in what it tells."""

    path: ActorPath
    symbols: tuple[Symbol, ...]
    timeframe: str
    timeframe_ns: int
    channels: frozenset[Channel] = frozenset({Channel.CANDLES})
    history: int = 0
    """How many closed candles of each symbol are told before the first live one."""


class FeedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How patient it is."""

    quiet_ms: int = 20_000
    """A stream that has told nothing for so long is compared with REST."""
    grace_ms: int = 2_000
    """How much later than REST the stream may tell a thing, and how long after its end a bar
    is taken for over when no later one has begun."""
    ask_after_ms: int = 250
    """How long after its end, by the exchange's clock, a bar is first asked for."""
    confirm_ms: int = 10_000
    """How long REST may take to confirm a bar before it is given as the stream told it."""
    ask_again_ms: int = 250
    """After an answer without the bar that is due; doubles up to `poll_ms`."""
    poll_ms: int = 5_000
    """Between questions where the exchange has no stream."""
    connect_ms: int = 15_000
    stable_ms: int = 30_000
    """After so long in phase live the backoff begins anew."""
    backoff_ms: int = 500
    backoff_max_ms: int = 60_000
    skew_every_ms: int = 300_000


class FeedFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate found."""

    exchange: str
    skew_ms: int | None
    """The exchange's clock minus ours; None where it tells no time."""
    streams: frozenset[Channel]
    """Those that are streamed; the others are polled."""
