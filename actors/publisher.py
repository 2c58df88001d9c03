"""The shell around a connection to the bus: what its feed tells is handed on to be published.

The network is never waited for here. It follows the feed as a strategy does: an event is
acknowledged to the feed when the bus has stored it, so a feed that can wait never runs ahead of
the bus, and what a restart lost is told again. What the feed tells of itself goes to Metrics as
ever, and to the bots by the pulse.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from actors.actor import Actor
from actors.address import Address
from actors.log import logger
from actors.published_trades import PublishedTrades
from exchanges.writer_connection import WriterConnection
from exchanges.writer_state import WriterState
from messages.bus import BusNews
from messages.errors import WatchkeeperError
from messages.ids import NS_PER_MS
from messages.lifecycle import ActorState
from messages.market import (
    FeedEnded,
    FeedGap,
    FeedPhase,
    FeedReport,
    FeedState,
    MarketAck,
    MarketBatch,
    Tick,
)

DRAIN_S = 5.0
CLOSE_S = 3.0
"""How long an orderly stop waits until all is stored, and for the connection to end."""

_STATES = {FeedPhase.LIVE: ActorState.RUNNING, FeedPhase.CONNECTING: ActorState.STARTING}


def fate_of_unstored(*, is_recorded: bool) -> str:
    """Say what becomes of what was taken and not stored, once the process has ended."""
    if is_recorded:
        return "a next publisher tells them again"
    return "a next publisher asks for the candles again, and trades are lost, which shows as a gap"


class PublisherFenced(WatchkeeperError):
    """It may not publish any more: another process does, or the stream is another one's."""


class PublisherKept:
    """What is known of publishing over all incarnations: `health` reads it on any thread."""

    def __init__(self, trades: PublishedTrades | None = None) -> None:
        self.trades = trades or PublishedTrades()
        self.connection: WriterConnection | None = None
        self.published = 0
        """By the connections before this one."""
        self.has_ended = False
        """The feed has told its end."""
        self.feed_state: FeedState | None = None

    def replace(self, connection: WriterConnection) -> None:
        """Keep the connection of the present incarnation, and end that of an abandoned one."""
        before, self.connection = self.connection, connection
        if before is not None:
            self.published += before.state.published
            before.close(0)

    def summary(self) -> dict[str, Any]:
        """Say how it goes."""
        if self.connection is None:
            return {}
        state = self.connection.state
        told = msgspec.structs.asdict(state)
        return told | {
            "published": self.published + state.published,
            "phase": str(state.phase),
            "has_ended": self.has_ended,
        }


class PublisherActor(Actor):
    """`connect` is called by each incarnation and must not wait for the network.

    A feed that `is_recorded` says nothing of itself: it is live as long as we are.
    """

    def __init__(
        self,
        *,
        connect: Callable[[], WriterConnection],
        kept: PublisherKept,
        feed: "Address[MarketAck]",
        metrics: "Address[FeedReport | FeedGap | FeedEnded | FeedState]",
        is_recorded: bool,
    ) -> None:
        super().__init__()
        self._connect, self._kept = connect, kept
        self._feed, self._metrics, self._is_recorded = feed, metrics, is_recorded
        self._connection: WriterConnection | None = None
        self._next_index = 0
        self._stored = 0

    # ------------------------------------------------------------ life

    def started(self) -> None:
        """Connect; the feed sees a new incarnation, and tells again what was not stored."""
        connection = self._connection = self._connect()
        if self.ctx.fenced:  # it took too long: the connection that is kept is its successor's
            connection.close(0)
            return
        self._kept.replace(connection)
        self._kept.trades.begin_anew()
        put, epoch, clean = self._cell.mailbox.put, self.ctx.epoch, self._cell.clean

        def news(state: WriterState) -> None:
            put(_news(epoch, state, clean(state.reason)))

        def ended(reason: str) -> None:
            stopped = WriterState(phase=FeedPhase.STOPPED, reason=reason)
            put(_news(epoch, stopped, clean(reason)))

        connection.run(news, ended)
        if self._kept.feed_state is not None:
            self._pass_on(self._kept.feed_state)
        elif self._is_recorded:
            connection.feed_is(FeedPhase.LIVE, "", None)

    def receive(self, message: Any) -> None:
        """Publish what the feed tells; tell the feed what is stored."""
        match message:
            case MarketBatch():
                self._publish(message)
            case Tick():
                if self._connection is not None:
                    self._connection.tick(message)
            case BusNews():
                if message.epoch == self.ctx.epoch:
                    self._bus(message)
            case FeedReport() | FeedGap() | FeedEnded() | FeedState():
                self._of_the_feed(message)

    def stopping(self) -> None:
        """Wait until all is stored, say goodbye, and close the connection."""
        connection = self._connection
        if connection is None:
            return
        if not connection.drain(DRAIN_S):
            text = "{} events were not stored within {} s: {}"
            fate = fate_of_unstored(is_recorded=self._is_recorded)
            logger.bind(actor=self.ctx.path).error(text, connection.state.waiting, DRAIN_S, fate)
        if not connection.close(CLOSE_S):
            logger.bind(actor=self.ctx.path).warning("the connection did not end in {} s", CLOSE_S)

    def crashed(self) -> None:
        """Let the connection end by itself."""
        if self._connection is not None:
            self._connection.close(0)

    # ------------------------------------------------------------ what the feed tells

    def _publish(self, batch: MarketBatch) -> None:
        connection = self._connection
        assert connection is not None, "it has started"
        trades = self._kept.trades
        if batch.lost and batch.events and batch.first_index > self._next_index:
            for gap in trades.gaps(batch, self._venue_now_ns()):
                connection.put((gap,), batch.first_index)  # each stands before the same event
        known = max(0, self._next_index - batch.first_index)  # sent again, and under way
        events = batch.events[known:]
        connection.put(events, batch.first_index + known)
        self._next_index = max(self._next_index, batch.first_index + len(batch.events))
        trades.sent(events, self._next_index)

    def _venue_now_ns(self) -> int:
        state = self._kept.feed_state
        return self.ctx.utc_ns() + ((state and state.skew_ms) or 0) * NS_PER_MS

    def _of_the_feed(self, message: FeedReport | FeedGap | FeedEnded | FeedState) -> None:
        self.ctx.tell(self._metrics, message)
        match message:
            case FeedState():
                self._kept.feed_state = message
                self._pass_on(message)
            case FeedGap() if not self._is_recorded and self._connection is not None:
                self._connection.put((message,), self._next_index)
            case FeedEnded():
                self._kept.has_ended = True
                # Of a live market only what was asked for is over: bots wait for a next publisher.
                if self._is_recorded and self._connection is not None:
                    self._connection.put((message,), self._next_index)

    def _pass_on(self, state: FeedState) -> None:
        if self._connection is not None and state.phase is not FeedPhase.STOPPED:
            self._connection.feed_is(state.phase, state.reason, state.skew_ms)

    # ------------------------------------------------------------ what the bus tells

    def _bus(self, news: BusNews) -> None:
        """Show how the connection is doing; tell the feed what is stored.

        Raises:
            PublisherFenced: another process publishes.
        """
        if news.phase is FeedPhase.STOPPED:
            raise PublisherFenced(news.reason)
        problem = news.reason
        if news.phase is FeedPhase.BACKOFF:
            wait_s = news.retry_in_ms / 1000
            problem = f"{news.reason}; attempt {news.attempt + 1} in {wait_s:.1f} s"
            logger.bind(actor=self.ctx.path).warning("the bus is lost: {}", problem)
        shown = (_STATES.get(news.phase, ActorState.BACKOFF), problem)
        if shown != (self._cell.state, self._cell.problem):
            self.ctx.show_state(*shown)
        if news.next_index > self._stored:
            self._stored = news.next_index
            self._kept.trades.stored(news.next_index)
            ack = MarketAck(follower=self.ctx.path, next_index=news.next_index)
            self.ctx.tell(self._feed, ack)
            self.ctx.progress()


def _news(epoch: Any, state: WriterState, reason: str) -> BusNews:
    return BusNews(
        epoch=epoch,
        phase=state.phase,
        reason=reason,
        attempt=state.attempt,
        retry_in_ms=state.retry_in_ms,
        next_index=state.next_index,
    )
