"""The shell around a live market: what its connection tells is numbered and handed on.

The network is never waited for here. The connection lives on a thread of its own and tells by
messages; those of an older incarnation are void, and its connection is closed. Followers are
served as by `MarketFeedActor`, but a live market can't be read again: what does not fit into a
bounded buffer is lost, and told as a gap. A connection that can wait is told how far we are.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from actors.actor import Actor
from actors.address import Address
from actors.feed_rhythm import FeedRhythm
from actors.late_events import LateEvents
from actors.live_memory import LiveKept
from actors.log import logger
from decisions.live_feed import Piece
from decisions.market_feed import Span
from exchanges.feed_connection import FeedConnection
from exchanges.source import GapSpan, total
from messages.errors import WatchkeeperError
from messages.ids import NS_PER_MS, NS_PER_S, ActorPath, TimestampNs
from messages.lifecycle import ActorState, TimerFired
from messages.market import (
    Candle,
    FeedEnded,
    FeedGap,
    FeedHistory,
    FeedNews,
    FeedPhase,
    FeedReport,
    FeedState,
    MarketAck,
    MarketBatch,
    MarketEvent,
    Tick,
    Trade,
)

CLOSE_S = 3.0
"""How long an orderly stop waits for the connection to end."""

_STATES = {
    FeedPhase.LIVE: ActorState.RUNNING,
    FeedPhase.CONNECTING: ActorState.STARTING,
    FeedPhase.BACKFILLING: ActorState.STARTING,
}


class FeedLost(WatchkeeperError):
    """The connection ended by a fault of its own code; the supervisor makes a new one."""


class LiveFeedActor(Actor):
    """`connect` is called by each incarnation and must not wait for the network.

    An event that happened more than `max_age_ns` ago, on the exchange's clock, is history: it
    comes too late to act on. With None the market has a clock of its own: nothing comes too late,
    and what the followers have not finished is not done with. `max_events` 0 is without end;
    history does not count.
    """

    def __init__(
        self,
        *,
        connect: Callable[[], FeedConnection],
        followers: "Sequence[Address[MarketBatch | Tick]]",
        kept: LiveKept,
        metrics: "Address[FeedReport | FeedGap | FeedEnded | FeedState]",
        max_age_ns: int | None,
        batch: int = 256,
        max_events: int = 0,
    ) -> None:
        super().__init__()
        self._connect = connect
        self._followers = {address.path: address for address in followers}
        self._kept, self._metrics = kept, metrics
        self._max_age_ns, self._batch, self._max_events = max_age_ns, batch, max_events
        self._connection: FeedConnection | None = None
        self._skew_ns = 0
        self._is_live = False
        self._state: tuple[ActorState, str] | None = None
        """How the connection is doing; None before it has said so."""
        self._shown = ""
        self._taken = 0

    # ------------------------------------------------------------ life

    def started(self) -> None:
        """Connect, and go on after the last candle that an earlier incarnation had."""
        memory = self._memory = self._kept.inherit()
        for path in self._followers:
            memory.flow.rewind(path)
        self._observe()
        self._rhythm = FeedRhythm(self.ctx)
        self._late = LateEvents(self.ctx.path)
        self._interrupted = {} if memory.place else dict(memory.traded_ns)
        connection = self._connection = self._connect()
        if self.ctx.fenced:  # it took too long: the connection that is kept is its successor's
            connection.close(0)
            return
        self._kept.replace(connection)
        put, epoch = self._cell.mailbox.put, self.ctx.epoch
        clean = self._cell.clean

        def take(item: MarketEvent | FeedHistory | FeedGap | FeedState | FeedEnded) -> None:
            if isinstance(item, FeedState) and item.reason:
                item = msgspec.structs.replace(item, reason=clean(item.reason))
            put(FeedNews(epoch=epoch, what=item, place=connection.place))

        connection.run(take, dict(memory.closed_ns), memory.place, dict(memory.traded_ns))

    def receive(self, message: Any) -> None:
        """Take in what the connection tells; serve whoever has room or is back."""
        match message:
            case FeedNews():
                if message.epoch == self.ctx.epoch:
                    self._news(message.what)
                    self._memory.place = message.place
                    self._taken += 1
            case MarketAck():
                self._memory.flow.on_ack(message.follower, message.next_index)
            case TimerFired():
                self._rhythm.fired(message)
                self._observe()
        self._pump()
        if self._memory.flow.is_behind(self._memory.buffer.end):
            self._rhythm.check_soon()

    def stopping(self) -> None:
        """Close the connection and say how far it came."""
        if self._connection is not None and not self._connection.close(CLOSE_S):
            logger.bind(actor=self.ctx.path).warning("the connection did not end in {} s", CLOSE_S)
        self._report(ended=False)

    def crashed(self) -> None:
        """Let the connection end by itself."""
        if self._connection is not None:
            self._connection.close(0)

    # ------------------------------------------------------------ what the connection tells

    def _news(self, what: MarketEvent | FeedHistory | FeedGap | FeedState | FeedEnded) -> None:
        memory = self._memory
        match what:
            case FeedEnded():
                self._hand_on_past()
                memory.is_over = True
            case FeedState():
                self._phase(what)
            case FeedGap():
                self._tell_gap(what)
            case FeedHistory():
                memory.past += what.candles
                if what.missing:
                    text = "{}: {} candles before now are there, {} older ones are not told"
                    log = logger.bind(actor=self.ctx.path)
                    log.warning(text, what.symbol, len(what.candles), what.missing)
                if what.candles:
                    memory.closed_ns[what.symbol] = what.candles[-1].ts_event_ns
                if self._is_live:
                    self._hand_on_past()
                self.ctx.progress()
            case Tick():
                for address in self._followers.values():
                    if not address.is_out:  # nobody misses it there
                        self.ctx.tell(address, what)
                self.ctx.progress()
            case Candle() | Trade():
                self._take(what)

    def _hand_on_past(self) -> None:
        """Each symbol's history is told alone; strategies are shown it as one market."""
        memory = self._memory
        memory.buffer.add_history(memory.past)
        memory.history += len(memory.past)
        memory.past = []

    def _take(self, event: Candle | Trade) -> None:
        memory = self._memory
        self._hand_on_past()
        if isinstance(event, Candle):
            memory.closed_ns[event.symbol] = event.ts_event_ns
        else:
            self._go_on(event)
        late_ns = self._venue_now_ns() - event.ts_event_ns
        if self._max_age_ns is not None and late_ns > self._max_age_ns:
            self._late.late(event, late_ns, is_live=self._is_live)
            self._show()
        elif self._max_age_ns is not None:
            self._late.in_time(event)
            self._show()
        if not self._is_enough():
            memory.buffer.add(event)
        self.ctx.progress()

    def _go_on(self, trade: Trade) -> None:
        """Tell what is missing before the first trade of a connection; how many, nobody knows."""
        symbol, memory = trade.symbol, self._memory
        since_ns = self._interrupted.pop(symbol, None)
        memory.traded_ns[symbol] = trade.ts_event_ns
        if since_ns is None or since_ns >= trade.ts_event_ns:
            return
        self._kept.between.note_gap(GapSpan(since_ns, trade.ts_event_ns, 0))
        self._tell_gap(
            FeedGap(
                feed=self.ctx.path,
                symbol=symbol,
                ts_from_ns=TimestampNs(since_ns),
                ts_to_ns=trade.ts_event_ns,
                missing=0,
            )
        )

    def _tell_gap(self, gap: FeedGap) -> None:
        self.ctx.tell(self._metrics, gap)
        if self._max_age_ns is None and self._memory.place:
            return  # a recording, whose holes are not of now
        what = f"{gap.missing} events" if gap.missing else "trades"
        length_s = (gap.ts_to_ns - gap.ts_from_ns) / NS_PER_S
        text = "{}: {} are missing over {:.1f} s of the market"
        logger.bind(actor=self.ctx.path).warning(text, gap.symbol, what, length_s)

    def _venue_now_ns(self) -> int:
        return self.ctx.utc_ns() + self._skew_ns

    def _is_enough(self) -> bool:
        taken = self._memory.buffer.end - self._memory.history
        return bool(self._max_events) and taken >= self._max_events

    def _tell_room(self) -> None:
        """Say how many items are done with: taken, or, where nothing comes too late, finished."""
        waiting, floor = 0, self._memory.flow.floor
        if self._max_age_ns is None and floor is not None:
            waiting = max(0, self._memory.buffer.end - floor)
        if self._connection is not None:
            self._connection.took(self._taken - min(waiting, self._taken))

    def _phase(self, state: FeedState) -> None:
        """Show how the connection is doing.

        Raises:
            FeedLost: it ended by a fault.
        """
        self._skew_ns = (state.skew_ms or 0) * NS_PER_MS
        self.ctx.tell(self._metrics, state)
        self._is_live = state.phase is FeedPhase.LIVE
        if self._is_live:
            self._hand_on_past()
        if state.phase is FeedPhase.STOPPED:
            if state.reason:
                raise FeedLost(state.reason)
            return
        self._state = _STATES.get(state.phase, ActorState.BACKOFF), _problem(state)
        self._shown = ""
        self._show()
        log = logger.bind(actor=self.ctx.path)
        if state.phase in (FeedPhase.STALE, FeedPhase.BACKOFF):
            log.warning("the market is not live: {}", _problem(state))
        elif state.phase is FeedPhase.LIVE and state.reason:
            log.warning("the market is live, but {}", state.reason)
        elif state.phase is FeedPhase.LIVE:
            log.info("the market is live; clock difference {} ms", state.skew_ms)

    def _show(self) -> None:
        """Show how the market is, and what of it decides nothing, where that is new."""
        if self._state is None:
            return
        state, problem = self._state
        problem = "; ".join(filter(None, (problem, self._late.problem)))
        if self._shown != (shown := f"{state}: {problem}"):
            self._shown = shown
            self.ctx.show_state(state, problem)

    # ------------------------------------------------------------ sending

    def _observe(self) -> None:
        for path, address in self._followers.items():
            self._memory.flow.observe(path, address.epoch, gone=address.is_out)

    def _pump(self) -> None:
        flow, buffer = self._memory.flow, self._memory.buffer
        floor = flow.floor
        if floor is not None:
            buffer.forget(floor)
        for span in flow.sendable(buffer.end):
            self._send(span)
        self._tell_room()
        if self._rhythm.is_report_due():
            self._report(ended=False)
        if (self._is_enough() or self._memory.is_over) and flow.finished(buffer.end):
            self._report(ended=True)
            ended = FeedEnded(feed=self.ctx.path, delivered=self._memory.delivered)
            self.ctx.tell(self._metrics, ended)
            self.ctx.stop()

    def _send(self, span: Span) -> None:
        memory = self._memory
        max_age_ns = self._max_age_ns
        oldest_ns = -1 if max_age_ns is None else self._venue_now_ns() - max_age_ns
        for piece in memory.buffer.pieces(span.first, span.stop, self._batch, oldest_ns):
            if piece.lost:
                self._tell_lost(span.follower, piece)
            batch = MarketBatch(
                feed=self.ctx.path,
                first_index=piece.first_index,
                events=piece.events,
                is_history=piece.is_history,
                lost=piece.lost,
            )
            self.ctx.tell(self._followers[span.follower], batch)
        memory.flow.sent(span)
        memory.delivered = max(memory.delivered, span.stop)

    def _tell_lost(self, follower: ActorPath, piece: Piece) -> None:
        """Some events fell out of the buffer before this follower had finished them."""
        buffer, first = self._memory.buffer, piece.events[0]
        since_ns = buffer.dropped_from_ns or first.ts_event_ns
        logger.bind(actor=self.ctx.path).error("{} missed {} events", follower, piece.lost)
        gap = FeedGap(
            feed=self.ctx.path,
            symbol=first.symbol,
            ts_from_ns=since_ns,
            ts_to_ns=first.ts_event_ns,
            missing=piece.lost,
        )
        self.ctx.tell(self._metrics, gap)

    # ------------------------------------------------------------ telling

    def _report(self, *, ended: bool) -> None:
        stats = total([*self._kept.stats, self._kept.between])
        report = FeedReport(
            feed=self.ctx.path,
            delivered=self._memory.delivered,
            malformed=stats.malformed,
            duplicate=stats.duplicate,
            out_of_order=stats.out_of_order,
            gaps=stats.gaps,
            missing=stats.missing,
            first_problems=tuple(stats.problems),
            ended=ended,
        )
        self._rhythm.tell(self._metrics, report)


def _problem(state: FeedState) -> str:
    """Say in one sentence why the market is not live, or not all of it; empty when it is."""
    match state.phase:
        case FeedPhase.LIVE:
            return state.reason
        case FeedPhase.BACKOFF:
            wait_s = state.retry_in_ms / 1000
            return f"{state.reason}; attempt {state.attempt + 1} in {wait_s:.1f} s"
        case FeedPhase.CONNECTING | FeedPhase.BACKFILLING:
            return f"{state.phase}, attempt {state.attempt}"
        case _:
            return f"{state.phase}: {state.reason}"
