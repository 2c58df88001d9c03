"""The shell around a recorded or generated market: paces it and lets nobody fall behind.

It sends numbered batches and keeps what is not acknowledged by all; whoever restarts is sent
again what it had not finished. Where it stands outlives its incarnations in a `FeedMemory`.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from actors.actor import Actor
from actors.address import Address
from actors.feed_rhythm import FeedRhythm
from actors.inheritance import copy_of
from decisions.market_feed import FlowControl, due_ns
from exchanges.source import GapSpan, MarketSource, SourceStats
from messages.ids import ActorPath, Symbol, TimestampNs
from messages.lifecycle import TimerFired
from messages.market import FeedEnded, FeedGap, FeedReport, MarketAck, MarketBatch, MarketEvent

DUE = TimerFired(name="due")


class FeedMemory(msgspec.Struct, kw_only=True):
    """What survives a restart of the feed's actor."""

    flow: FlowControl
    delivered: int = 0
    """Events that every follower has been sent."""
    gaps_told: Counter[Symbol] = msgspec.field(default_factory=Counter)
    first_ts: TimestampNs | None = None
    started_ns: int = 0


class FeedKept:
    """Holds what the next incarnation of a feed inherits."""

    def __init__(self, memory: FeedMemory) -> None:
        self.memory = memory

    def inherit(self) -> FeedMemory:
        """Give a copy for the next incarnation; an abandoned one may still change the old."""
        self.memory = copy_of(self.memory)
        return self.memory


class MarketFeedActor(Actor):
    """`speed` 0 is as fast as the slowest follower; `max_events` 0 is all there is."""

    def __init__(
        self,
        *,
        open_source: Callable[[], MarketSource],
        followers: "Sequence[Address[MarketBatch]]",
        kept: FeedKept,
        metrics: "Address[FeedReport | FeedGap | FeedEnded]",
        speed: float = 0,
        batch: int = 256,
        max_events: int = 0,
    ) -> None:
        super().__init__()
        self._open_source = open_source
        self._followers = {address.path: address for address in followers}
        self._kept = kept
        self._metrics = metrics
        self._speed, self._batch = speed, batch if speed == 0 else 1
        self._max_events = max_events
        self._is_awaited = speed == 0 or bool(max_events)
        """Whether somebody waits for its end: it comes, too, once all who follow are halted."""
        self._buffer: deque[MarketEvent] = deque()
        self._exhausted = False
        self._waiting_due = False

    # ------------------------------------------------------------ life

    def started(self) -> None:
        """Open the source where the slowest follower stands."""
        self._memory = self._kept.inherit()
        self._flow = self._memory.flow
        self._source = self._open_source()
        self._go_to(self._flow.floor or 0)
        for path in self._followers:
            self._flow.rewind(path)
        self._observe()
        self._rhythm = FeedRhythm(self.ctx)
        self.ctx.after(0, DUE)

    def receive(self, message: Any) -> None:
        """Go on when somebody has room, when an event is due, or when somebody is back."""
        match message:
            case MarketAck():
                self._flow.on_ack(message.follower, message.next_index)
            case TimerFired(name="due"):
                self._waiting_due = False
            case TimerFired():
                self._rhythm.fired(message)
                self._observe()
        self._pump()
        if self._flow.is_behind(self._end):
            self._rhythm.check_soon()

    def stopping(self) -> None:
        """Say how far it came."""
        self._report(ended=self._exhausted)

    # ------------------------------------------------------------ sending

    def _pump(self) -> None:
        self._forget_finished()
        while self._fetch():
            if not self._send():
                break
        self._send()
        if self._rhythm.is_report_due():
            self._report(ended=False)
        is_given_up = self._is_awaited and self._flow.floor is None
        if is_given_up or (self._exhausted and self._flow.finished(self._end)):
            self._report(ended=True)
            self.ctx.tell(
                self._metrics, FeedEnded(feed=self.ctx.path, delivered=self._memory.delivered)
            )
            self.ctx.stop()

    def _send(self) -> bool:
        """Send every follower what it may have; False when nobody may have more."""
        spans = self._flow.sendable(self._end)
        for span in spans:
            for first in range(span.first, span.stop, self._batch):
                stop = min(first + self._batch, span.stop)
                batch = MarketBatch(
                    feed=self.ctx.path,
                    first_index=first,
                    events=tuple(islice(self._buffer, first - self._base, stop - self._base)),
                )
                self.ctx.tell(self._followers[span.follower], batch)
            self._flow.sent(span)
        if spans:
            self._memory.delivered = max(self._memory.delivered, max(s.stop for s in spans))
            self.ctx.progress()
        return bool(spans)

    def _fetch(self) -> bool:
        """Read up to one batch of events that are due; False when there is nothing to add."""
        floor = self._flow.floor
        if self._exhausted or floor is None or self._waiting_due:
            return False
        room = min(self._batch, self._flow.window - (self._end - floor))
        if self._max_events:
            room = min(room, self._max_events - self._end)
            self._exhausted = self._end >= self._max_events
        if room <= 0:
            return False
        added = list(islice(self._events, room))
        self._exhausted = len(added) < room
        self._buffer.extend(added)
        if added and self._speed:
            self._schedule(added[-1])
        return bool(added)

    def _schedule(self, event: MarketEvent) -> None:
        """On a paced market, wait as long as the market would until the next event's turn."""
        now_ns = self.ctx.monotonic_ns()
        memory = self._memory
        if memory.first_ts is None:
            memory.first_ts, memory.started_ns = event.ts_event_ns, now_ns
        step_ns = TimestampNs(event.ts_event_ns + self._bar_ns(event))
        at_ns = due_ns(step_ns, memory.first_ts, TimestampNs(memory.started_ns), self._speed)
        self._waiting_due = True
        self.ctx.after(max(at_ns - now_ns, 0), DUE)

    def _bar_ns(self, event: MarketEvent) -> int:
        opened = getattr(event, "ts_open_ns", None)
        return event.ts_event_ns - opened if opened is not None else 0

    # ------------------------------------------------------------ who follows

    def _observe(self) -> None:
        for path, address in self._followers.items():
            self._flow.observe(path, address.epoch, gone=address.is_out)
        floor = self._flow.floor
        if floor is not None and floor < self._base:
            self._go_to(floor)  # somebody who was out is back: read again from where it stood

    def _go_to(self, index: int) -> None:
        self._base = index
        self._buffer.clear()
        self._exhausted = False
        self._events: Iterator[MarketEvent] = self._source.events(index)

    def _forget_finished(self) -> None:
        floor = self._flow.floor
        if floor is None:
            return
        done = max(min(floor - self._base, len(self._buffer)), 0)
        for _ in range(done):
            self._buffer.popleft()
        self._base += done

    @property
    def _end(self) -> int:
        return self._base + len(self._buffer)

    # ------------------------------------------------------------ telling

    def _report(self, *, ended: bool) -> None:
        stats = self._source.stats
        report = _report(self.ctx.path, self._memory.delivered, stats, ended)
        self._rhythm.tell(self._metrics, report)
        for span in self._new_gaps(stats):
            self.ctx.tell(self._metrics, _gap(self.ctx.path, span))

    def _new_gaps(self, stats: SourceStats) -> Iterator[GapSpan]:
        """Give those that were not told; of each symbol apart, for each has its own order."""
        told, seen = self._memory.gaps_told, Counter[Symbol]()
        for span in stats.gap_spans:
            seen[span.symbol] += 1
            if seen[span.symbol] > told[span.symbol]:
                told[span.symbol] += 1
                yield span


def _report(feed: ActorPath, delivered: int, stats: SourceStats, ended: bool) -> FeedReport:
    return FeedReport(
        feed=feed,
        delivered=delivered,
        malformed=stats.malformed,
        duplicate=stats.duplicate,
        out_of_order=stats.out_of_order,
        gaps=stats.gaps,
        missing=stats.missing,
        first_problems=tuple(stats.problems),
        cut_off=tuple(stats.cut_off),
        ended=ended,
    )


def _gap(feed: ActorPath, span: GapSpan) -> FeedGap:
    return FeedGap(
        feed=feed,
        symbol=span.symbol,
        ts_from_ns=TimestampNs(span.ts_from_ns),
        ts_to_ns=TimestampNs(span.ts_to_ns),
        missing=span.missing,
        place=span.place,
    )
