"""The shell around one strategy: events in, intents to the Executor, acks to the feed."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from actors.actor import Actor
from actors.address import Address
from actors.log import logger
from actors.outbox import OFFER_AGAIN, Outbox
from decisions.stages import Cause
from decisions.strategy import StrategyLike, StrategyMemory, StrategyRun, never
from decisions.strategy_record import packed_memory
from messages.ids import AccountId, ActorPath, Epoch, StrategyId, Symbol
from messages.lifecycle import TimerFired
from messages.market import Candle, MarketAck, MarketBatch, Tick, Trade
from messages.orders import Intent, MarketRules, OrderIntent, OrderUpdate
from messages.recorded import StrategyEnded, StrategyStands
from messages.stops import StopActed
from messages.values import Instrument, plain_instrument

Accepts = MarketBatch | Candle | Trade | Tick | OrderUpdate | MarketRules | StopActed


_WARM_UP = TimerFired(name="show the strategy the events before now")
NO_FEED = ActorPath("")
"""Whose place is not told: events that come by themselves, not in a batch."""


class Kept:
    """Holds what the next incarnation of a strategy inherits."""

    def __init__(self, memory: StrategyMemory) -> None:
        self.memory = memory
        self.waiting: deque[Intent] = deque()
        """Decisions that the executor had no room for."""


class StrategyActor(Actor):
    """`build` makes a fresh strategy for each incarnation; `kept` is what they inherit."""

    def __init__(
        self,
        *,
        build: Callable[[], StrategyLike],
        kept: Kept,
        account: AccountId,
        strategy_id: StrategyId,
        symbol: Symbol,
        executor: "Address[Intent]",
        feeds: "Mapping[ActorPath, Address[MarketAck]]",
        symbols: Sequence[Symbol] = (),
        instrument_of: Callable[[Symbol], Instrument] = plain_instrument,
        leaves_events: bool = False,
    ) -> None:
        super().__init__()
        self._identity = (account, strategy_id, symbol)
        self._symbols, self._instrument_of = symbols, instrument_of
        self._build, self._kept = build, kept
        self._executor, self._feeds = executor, feeds
        self._is_over = self._leaves if leaves_events else never
        """Left are only events that are shown again: those of a recording."""
        self._run: StrategyRun | None = None
        self._outbox: Outbox | None = None
        self._is_warm = False
        self._stretch = 0
        """Which of the notes last said how this strategy stands."""
        self._has_ended = False
        """It has noted that it looks at no more events."""

    def started(self) -> None:
        """Make the strategy, and have it shown the events before now: first of all, but as mail.

        A start has a limit of its own, and its supervisor waits for it; each event has the limit of
        a message.
        """
        memory = self._kept.memory = self._kept.memory.inherited()
        self._outbox = Outbox(self.ctx, self._executor, self._kept.waiting)
        self._kept.waiting = self._outbox.waiting
        self._run = run = StrategyRun(
            self._build,
            memory,
            *self._identity,
            symbols=self._symbols,
            instrument_of=self._instrument_of,
        )
        self._cell.own_file = run.file
        self.ctx.life.place = lambda: run.place
        self._note_standing(run, has_begun=True)
        self.ctx.after(0, _WARM_UP)

    def stopping(self) -> None:
        """Say that all that was taken is done, and hand over what waits."""
        if self._outbox is not None:
            self._outbox.end()
        if self._run is not None:
            self._note_end(self._run)  # once more where it left events: it was told of orders since

    def receive(self, message: Any) -> None:
        """Show the strategy one message; send on what it decides.

        What it raises goes on with the strategy's own line beside it.
        """
        run, notes, outbox = self._run, self.ctx.notes, self._outbox
        assert run is not None
        assert outbox is not None
        if message == OFFER_AGAIN:
            outbox.go_on()
            return
        if notes is not None and notes.stretch != self._stretch and not self._has_ended:
            self._note_standing(run, has_begun=False)
        try:
            if self._is_warm or self._warms_up(run, message):
                self._receive(run, message, outbox)
        except BaseException as error:
            where = run.line_of(error)
            if where:
                error.add_note(where)
            raise
        if run.problem is not None:
            self._tell_problem(run)
        self.ctx.progress()

    def _warms_up(self, run: StrategyRun, message: Any) -> bool:
        """Show it the events before now; give whether the message is to be handled then.

        At an end it stops short of that where no event is left to be shown.
        """
        is_over = self._is_over
        if message == _WARM_UP and is_over is never:
            is_over = self._has_nothing_left
        self._is_warm = run.warm_up(is_over)
        return self._is_warm or isinstance(message, OrderUpdate | StopActed)

    def _has_nothing_left(self) -> bool:
        return self.ctx.ending and self._cell.mailbox.depth() <= 1  # its stop waits there, too

    def _receive(self, run: StrategyRun, message: Any, outbox: Outbox) -> None:
        match message:
            case MarketBatch():
                for intent in run.take_batch(message, self.ctx.utc_ns, self._is_over):
                    self.ctx.note(intent)
                    if self.ctx.stages is not None:
                        self._note_decision(intent, message.feed)
                    outbox.send(intent)
                    if self.ctx.fenced:
                        return  # its event is the successor's, who decides it again by one key
                self._acknowledge(message, run.memory.next_index)
            case Candle() | Trade() | Tick():
                if run.heeds(message):
                    self.ctx.note(message)
                for intent in run.take_aside(message, self.ctx.utc_ns()):
                    self.ctx.note(intent)
                    if self.ctx.stages is not None:
                        self._note_decision(intent, NO_FEED)
                    outbox.send(intent)
                    if self.ctx.fenced:
                        outbox.leave(intent)  # nobody is shown its event again
            case OrderUpdate():
                self.ctx.note(message)
                run.update(message)
            case StopActed():
                self.ctx.note(message)
                run.stop_acted(message)
            case MarketRules() if message.instrument.symbol in run.symbols:
                if not self._is_over():  # then there is nothing left to decide by them
                    run.warm_up()  # builds it anew, with the rules as they are now

    def _leaves(self) -> bool:
        """Whether events are left to the next incarnation or start, which sees them again."""
        if not self.ctx.ending:
            return False
        if not self._has_ended:
            self._has_ended = True
            assert self._run is not None
            self._note_end(self._run)
        return True

    def _note_end(self, run: StrategyRun) -> None:
        """Note how far it came."""
        if self.ctx.notes is not None:
            index = run.memory.next_index
            self.ctx.note(StrategyEnded(epoch=self.ctx.epoch, next_index=index))

    def _note_standing(self, run: StrategyRun, *, has_begun: bool) -> None:
        """Note all that an incarnation would inherit now: a replay can begin here."""
        notes = self.ctx.notes
        if notes is None:
            return
        self._stretch = notes.stretch
        memory = run.memory.inherited()
        grids = tuple(map(self._instrument_of, run.symbols))
        self.ctx.note(partial(_standing, self.ctx.epoch, has_begun, memory, grids))

    def _tell_problem(self, run: StrategyRun) -> None:
        """Show in health that a snapshot is of no use; the strategy trades on by warm-up."""
        error, run.problem = run.problem, None
        if error is None:
            return
        where = run.line_of(error)
        error.add_note("its snapshot is not used" + (f"; {where}" if where else ""))
        self._cell.remember_error(error)
        log = logger.bind(actor=self.ctx.path)
        log.warning("the snapshot of the strategy is not used: {}", self._cell.last_error)

    def inspect(self) -> dict[str, Any]:
        """Give the place in the feed, and what the strategy itself holds."""
        run = self._run
        if run is None:
            return {}
        memory = run.memory
        return {
            "symbol": run.symbol,
            "next_index": memory.next_index,
            "warmed": list(memory.warmed),
            "position": memory.position,
            "passed_over": memory.passed_over,
            **({"positions": memory.positions(run.symbol)} if len(run.symbols) > 1 else {}),
            "strategy": run.strategy_state(self.ctx.cell.clean),
        }

    def _note_decision(self, intent: Intent, feed: ActorPath) -> None:
        if not isinstance(intent, OrderIntent):
            return
        assert self.ctx.stages is not None
        assert self._run is not None
        run, cell = self._run, self.ctx.cell
        index = run.memory.next_index if feed == NO_FEED else run.deciding_at
        cause = Cause(feed, index, intent.decided_at_ns)
        self.ctx.stages.decided(intent, cause, cell.handling_enqueued_ns, cell.handling_since_ns)

    def _acknowledge(self, batch: MarketBatch, next_index: int) -> None:
        feed = self._feeds.get(batch.feed)
        if feed is not None:
            ack = MarketAck(follower=self.ctx.path, next_index=next_index)
            self.ctx.tell(feed, ack)


def _standing(
    epoch: Epoch, has_begun: bool, memory: StrategyMemory, grids: tuple[Instrument, ...]
) -> StrategyStands:
    return StrategyStands(
        epoch=epoch, has_begun=has_begun, memory=packed_memory(memory), instruments=grids
    )
