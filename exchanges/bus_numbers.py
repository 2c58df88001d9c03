"""Numbers what is published, and knows what the stream has already. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from exchanges.bus_frames import channel_of, end_subject, subject_of
from messages.bus import BusFrame
from messages.ids import Symbol, TimestampNs
from messages.market import Candle, FeedEnded, FeedGap, MarketEvent, Tick, Trade

Publishable = MarketEvent | FeedGap | FeedEnded


class Reached(NamedTuple):
    """How far a stream has come: of each symbol of which it has one, the time of the newest."""

    closed_ns: dict[Symbol, int]
    """Where a candle closed."""
    traded_ns: dict[Symbol, int]
    """When a trade happened, or a gap between trades was over."""


def done_with(what: Publishable, index: int) -> int:
    """Give the last place in the feed that is done with once this is in the stream.

    A gap and the end stand before the event of their place, which is still to come.
    """
    return index - isinstance(what, FeedGap | FeedEnded)


def reaches_ns(what: Publishable) -> int:
    """Give the moment that is known up to where this is the newest; 0 where it has none."""
    match what:
        case FeedGap():
            return what.ts_to_ns
        case FeedEnded():
            return 0
        case _:
            return what.ts_event_ns


class Numbers:
    """Each subject has its own numbers, and they outlive publishers.

    `is_replayed`: the feed is shown from its beginning each time, so an event's place in it says
    whether the stream has it. Of a real market a candle's time says so, and the place only as
    long as it is the same process that numbers. Ticks are kept nowhere, so nobody can learn their
    numbers: those are the time, which goes on from one incarnation to the next.
    """

    def __init__(self, stream: str, writer: str, *, is_replayed: bool) -> None:
        self.repeated = 0
        """Events that the stream had already."""
        self.next_index = 0
        """Of the feed: everything below is in the stream."""
        self._stream, self._writer, self._is_replayed = stream, writer, is_replayed
        self._sequences: dict[str, int] = {}
        self._closed_ns: dict[str, int] = {}
        self._traded_ns: dict[str, int] = {}

    def learn(self, subject: str, frame: BusFrame) -> None:
        """Take the newest frame that the stream has of a subject."""
        self._sequences[subject] = frame.sequence
        match frame.what:
            case Candle():
                self._closed_ns[subject] = reaches_ns(frame.what)
            case Trade() | FeedGap():
                self._traded_ns[subject] = reaches_ns(frame.what)
        if self._is_replayed or frame.writer == self._writer:
            self.next_index = max(self.next_index, done_with(frame.what, frame.index) + 1)

    def reached(self, symbols: Iterable[Symbol]) -> Reached:
        """Say how far the stream had come when it was learnt."""
        closed, traded = {}, {}
        for symbol in symbols:
            if ns := self._closed_ns.get(subject_of(self._stream, "candles", symbol)):
                closed[symbol] = ns
            if ns := self._traded_ns.get(subject_of(self._stream, "trades", symbol)):
                traded[symbol] = ns
        return Reached(closed, traded)

    def frame(self, event: Publishable, index: int, now_ns: int) -> tuple[str, BusFrame] | None:
        """Give what is published for an event; None where the stream has it."""
        subject = self._subject(event)
        if self._has(subject, event, index):
            self.repeated += 1
            return None
        sequence = self._sequences.get(subject, 0) + 1
        if isinstance(event, Tick):
            sequence = max(sequence, now_ns)
        self._sequences[subject] = sequence
        if isinstance(event, Candle):
            self._closed_ns[subject] = event.ts_event_ns
        frame = BusFrame(
            writer=self._writer,
            sequence=sequence,
            index=index,
            ts_published_ns=TimestampNs(now_ns),
            what=event,
        )
        return subject, frame

    def _has(self, subject: str, event: Publishable, index: int) -> bool:
        if isinstance(event, Candle) and event.ts_event_ns <= self._closed_ns.get(subject, 0):
            return True
        return isinstance(event, Candle | Trade) and index < self.next_index

    def _subject(self, event: Publishable) -> str:
        if isinstance(event, FeedEnded):
            return end_subject(self._stream)
        return subject_of(self._stream, channel_of(event), event.symbol)
