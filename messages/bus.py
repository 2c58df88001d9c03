"""What goes over the bus that a fleet shares its market on: from one publisher to many bots."""

from typing import ClassVar

from messages.base import Delivery, Message, OnRestart, Overflow
from messages.ids import Epoch, TimestampNs
from messages.market import Candle, FeedEnded, FeedGap, FeedPhase, Tick, Trade


class BusFrame(Message, kw_only=True, frozen=True):
    """One market event on the bus, numbered so that whoever reads it sees loss and disorder.

    A publisher -> the feeds of bots, over the bus. May be lost, doubled or forged: a reader holds
    it against the frames before it.
    """

    writer: str
    """Which process published it; another one after each start."""
    sequence: int
    """Its place on its subject, from 1; it goes on where the publisher before had stopped.

    Of a tick, which no stream keeps, any number larger than that of the one before.
    """
    index: int
    """Its place among all events of the publisher's feed."""
    ts_published_ns: TimestampNs
    what: Candle | Trade | Tick | FeedGap | FeedEnded


class BusPulse(Message, kw_only=True, frozen=True):
    """The publisher is alive, and how its own feed is.

    A publisher -> the feeds of bots, over the bus, about once a second. May be lost: the next one
    says the same.
    """

    writer: str
    who: str
    """Host and process, for a person."""
    ts_ns: TimestampNs
    phase: FeedPhase
    reason: str
    skew_ms: int | None
    """The exchange's clock minus the publisher's; None where there is none."""
    last: int
    """The place in the stream of the last event that was stored."""


class BusNews(Message, kw_only=True, frozen=True):
    """What the publisher's connection to the bus has to tell, from its own thread.

    A publisher's connection -> Publisher. Lost at a restart: the next connection tells anew.
    """

    delivery: ClassVar[Delivery] = Delivery(on_restart=OnRestart.DROP, overflow=Overflow.GROW)

    epoch: Epoch
    phase: FeedPhase
    reason: str
    attempt: int
    retry_in_ms: int
    next_index: int
    """Every event below is in the stream."""
