"""What the market did, and how it travels from a feed to those who follow it."""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from messages.base import Delivery, Message, OnRestart, Overflow
from messages.ids import ActorPath, Epoch, Symbol, TimestampNs
from messages.values import Side


class Tick(Message, kw_only=True, frozen=True):
    """The best bid and ask changed.

    MarketFeed -> Strategy, Executor. May be conflated to the newest per symbol, and is
    dropped at a restart and after 2 s in a queue: a stale price is worse than none.
    """

    delivery: ClassVar[Delivery] = Delivery(
        on_restart=OnRestart.DROP, overflow=Overflow.CONFLATE, ttl_ms=2_000
    )

    symbol: Symbol
    bid_price: Decimal
    ask_price: Decimal
    ts_event_ns: TimestampNs
    ts_received_ns: TimestampNs

    def conflation_key(self) -> Symbol:
        """The newest tick of a symbol replaces the queued one."""
        return self.symbol


class Trade(Message, kw_only=True, frozen=True):
    """Somebody traded.

    MarketFeed -> Strategy, Executor. Lost only if a live mailbox is full (oldest first).
    """

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.DROP_OLDEST)

    symbol: Symbol
    price: Decimal
    quantity: Decimal
    aggressor_side: Side | None
    ts_event_ns: TimestampNs


class Candle(Message, kw_only=True, frozen=True):
    """A bar closed. Prices in quote currency, volume in base.

    MarketFeed -> Strategy, Executor. Lost only if a live mailbox is full (oldest first).
    `ts_event_ns` is its close: the first moment at which it can be known.
    """

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.DROP_OLDEST)

    symbol: Symbol
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    ts_open_ns: TimestampNs
    ts_event_ns: TimestampNs


MarketEvent = Tick | Trade | Candle


class MarketBatch(Message, kw_only=True, frozen=True):
    """Consecutive events of one market, numbered by their source.

    MarketFeed -> Strategy, Executor. Never lost: whoever follows says how far it came
    (`MarketAck`), the feed sends again what a restart lost and goes no further than a
    bounded window ahead of the slowest.
    """

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.GROW)

    feed: ActorPath
    first_index: int
    """Place of `events[0]` among the usable events of the source, from 0."""
    events: tuple[MarketEvent, ...]
    is_history: bool = False
    """They happened before the run, or too long ago to act on: they build a strategy's state
    and decide nothing."""
    lost: int = 0
    """How many events right before the first can't be had any more: go on without them."""


class MarketAck(Message, kw_only=True, frozen=True):
    """A follower has finished every event below `next_index`.

    Strategy, Executor -> MarketFeed. May be lost: the next one says more.
    """

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.GROW)

    follower: ActorPath
    next_index: int


class FeedReport(Message, kw_only=True, frozen=True):
    """How much of the source was usable so far; all numbers count from the run's start.

    MarketFeed -> Metrics. May be lost: the next one replaces it.
    """

    delivery: ClassVar[Delivery] = Delivery(overflow=Overflow.CONFLATE)

    feed: ActorPath
    delivered: int
    """Events that every follower may rely on having been sent."""
    malformed: int
    duplicate: int
    out_of_order: int
    gaps: int
    missing: int
    """Bars that the gaps left out."""
    first_problems: tuple[str, ...]
    """The first few, each with its file and line."""
    cut_off: tuple[str, ...] = ()
    """A sentence for each file whose end cannot be read; each is counted as malformed too."""
    ended: bool

    def conflation_key(self) -> ActorPath:
        """The newest report of a feed replaces the queued one."""
        return self.feed


class FeedGap(Message, kw_only=True, frozen=True):
    """Events are missing between two moments: indicators over it are not to be trusted.

    MarketFeed -> Metrics. Not lost while there is room.
    """

    feed: ActorPath
    symbol: Symbol
    ts_from_ns: TimestampNs
    ts_to_ns: TimestampNs
    missing: int
    place: str = ""
    """``file:line`` of the row after it; empty of a market that is no recording."""


class FeedEnded(Message, kw_only=True, frozen=True):
    """The recording is over and every follower has finished it.

    MarketFeed -> Metrics. Not lost while there is room.
    """

    feed: ActorPath
    delivered: int


class FeedPhase(StrEnum):
    """How far a live feed can be relied on."""

    CONNECTING = "connecting"
    BACKFILLING = "backfilling"
    """Subscribed; what happened meanwhile is being asked for."""
    LIVE = "live"
    STALE = "stale"
    """The exchange knew something that the stream had not told in time."""
    BACKOFF = "backoff"
    STOPPED = "stopped"


class FeedState(Message, kw_only=True, frozen=True):
    """The connection of a live feed changed its phase.

    MarketFeed -> Metrics. Not lost while there is room.
    """

    feed: ActorPath
    phase: FeedPhase
    reason: str
    attempt: int
    """Connection attempts since it was last live for a while."""
    retry_in_ms: int
    """Set while in backoff."""
    skew_ms: int | None
    """The exchange's clock minus ours; None where it tells no time."""
    ts_ns: TimestampNs


class FeedHistory(Message, kw_only=True, frozen=True):
    """The last candles that closed before a live feed began, oldest first.

    A feed's connection -> MarketFeed, inside a `FeedNews`. Lost with its incarnation.
    """

    symbol: Symbol
    candles: tuple[Candle, ...]
    missing: int = 0
    """How many more were asked for, and are not told by an exchange that may have them."""


class FeedNews(Message, kw_only=True, frozen=True):
    """What the connection of a live feed has to tell, from its own thread.

    A feed's connection -> MarketFeed. Lost at a restart: the next connection asks again.
    """

    delivery: ClassVar[Delivery] = Delivery(on_restart=OnRestart.DROP, overflow=Overflow.GROW)

    epoch: Epoch
    """Of the incarnation that made the connection; news of another one are void."""
    what: MarketEvent | FeedHistory | FeedGap | FeedState | FeedEnded
    place: int = 0
    """Where the source has it, if it can be asked to go on from there; 0 for nowhere."""
