"""One strategy through the journal: what it was shown is shown again, what it gave is compared.

A message is looked at when it is known what came after it: only then it is known how far the
strategy came with it. One that a crash, a hang or the end of the process cut short is shown as
far as it surely came, and what its strategy may have been stuck in is not shown at all.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from decisions.strategy import MOST_TRIES, StrategyMemory, StrategyRun
from decisions.strategy_record import memory_in
from messages.errors import CodecError, ConfigError, said_by
from messages.ids import TimestampNs
from messages.market import Candle, MarketBatch, MarketEvent, Tick, Trade
from messages.orders import CancelIntent, Intent, MarketRules, OrderIntent, OrderUpdate
from messages.patience import Hung
from messages.recorded import StrategyEnded, StrategyStands
from messages.stops import StopActed
from research.replay.found import Compared, Divergence, Findings
from research.replay.life import Life, LineSettings
from research.replay.reading import Place
from research.replay.showing import (
    ALL,
    Odd,
    Showing,
    Taken,
    divergence_of,
    event_of,
    on_text,
    pieces,
)

BEHIND_A_HANG = "behind the event that its strategy hung in"
UNKNOWN_EVENT = "of an event that is missing"
UNKNOWN_BEGINNING = "of before the journal says how its strategy stood"

_TOLD_OF = (OrderUpdate, StopActed, MarketRules)
"""What is not decided on."""
_NOTED_BEHIND = (Candle, Trade, Tick, OrderUpdate, StopActed)
"""What a strategy notes itself, as it handles it."""
_RAISED = (Exception, SystemExit)
"""What a user's code may raise: anything, and it may call sys.exit."""


class Line:
    """`take` each of its messages in their order; `cut` where something is missing."""

    def __init__(
        self,
        settings: LineSettings,
        findings: Findings,
        report: Callable[[Divergence], object],
        before: "Line | None" = None,
    ) -> None:
        self._settings, self._findings, self._report = settings, findings, report
        self._tally = findings.strategies.setdefault(settings.id, Compared())
        self._life = Life(settings)
        self._pending: Taken | None = None
        self._told: list[Intent] = []
        self._matched: frozenset[str] = frozenset()
        """Keys that the last message gave: the run may tell of them once more, after a crash."""
        self.unknown: frozenset[str] = frozenset()
        """What recorded decisions do not say of themselves: fields of a later version."""
        self.left: StrategyMemory | None = None
        """What it remembered when its process ended."""
        self._has_hung: bool = before is not None and before._has_hung
        """It would again, perhaps at every event; nothing is shown to it any more."""
        self._has_ended = False
        """It leaves the batches that it takes, and is told of orders until it is gone."""
        goes_on = settings.is_what_if and not settings.is_replayed
        self._own = before.left if before is not None and goes_on else None

    # ------------------------------------------------------------ what the journal tells

    def take(self, message: Any, at_ns: int, place: Place) -> None:
        """Go on with the next message that stands under this strategy's name."""
        match message:
            case OrderIntent() | CancelIntent():
                self._told.append(message)
            case StrategyStands():
                self._stands(message)
            case (
                MarketBatch()
                | Candle()
                | Trade()
                | Tick()
                | OrderUpdate()
                | StopActed()
                | MarketRules()
            ):
                if not self._is_again(message):
                    self._settle(ALL)
                if not (self._has_ended and isinstance(message, MarketBatch)):
                    self._pending = Taken(message, at_ns, place)
            case StrategyEnded():
                self._end(message)
            case _:  # a blow, its end, what does not concern it: what it took before, it finished
                self._settle(ALL)

    def cut(self, *, is_end: bool) -> None:
        """Something is missing behind the last message, or may be: its process ended, perhaps."""
        self._settle(-1)
        self._has_ended = False
        memory = self._life.end()
        self.left = memory if is_end else None

    def _end(self, ended: StrategyEnded) -> None:
        """Be done with what it took, as far as it says that it came."""
        taken = self._pending
        is_batch = taken is not None and isinstance(taken.message, MarketBatch)
        self._settle(ended.next_index if is_batch else ALL)
        self._has_ended = True

    def _is_again(self, message: Any) -> bool:
        """Whether the last message was handed back unseen, and is taken once more."""
        last = self._pending.message if self._pending is not None else None
        return (
            isinstance(message, MarketBatch)
            and isinstance(last, MarketBatch)
            and not self._told
            and (last.first_index, last.events) == (message.first_index, message.events)
        )

    def _stands(self, standing: StrategyStands) -> None:
        """Begin with a memory as it is recorded, where nothing better is known."""
        self._has_ended = self._has_ended and not standing.has_begun
        if not standing.has_begun and self._life.is_known:
            return
        try:
            memory = memory_in(standing.memory)
        except CodecError as error:
            self.cut(is_end=False)
            self._findings.note(f"{self._settings.id}: {error}")
            return
        if standing.has_begun:
            self._settle(memory.next_index)
            if self._settings.is_what_if and self._life.is_known:
                return
        else:
            self._settle_before_standing()
            self._tally.is_warmed = True
        if self._settings.is_what_if and memory.wide is not None:
            memory.wide.snapshot, memory.wide.since = None, []  # of the code that ran
        self._life.begin(memory, standing.instruments)
        if standing.has_begun:
            self._begin_with_own(memory)

    def _settle_before_standing(self) -> None:
        """Be done with what came before a memory that was noted in the middle of a life.

        It is noted when a message is taken, before anything is decided on that: a batch stands
        in front of it, what is noted as it is handled behind it.
        """
        taken = self._pending
        if self._told or (taken is not None and isinstance(taken.message, _NOTED_BEHIND)):
            self._settle(ALL)

    def _begin_with_own(self, memory: StrategyMemory) -> None:
        """Let one that goes its own way begin with what its own decisions came to."""
        own, self._own = self._own, None
        if own is not None:
            first, *_ = symbols = self._settings.symbols
            memory.begin_with(symbols, own.positions(first), memory.decided_until)

    # ------------------------------------------------------------ showing and comparing

    def _settle(self, until: int) -> None:
        """Show what is pending: all events below `until`; more only while more was decided."""
        taken, told = self._pending, self._told
        self._pending, self._told = None, []
        if taken is None:
            if told:
                self._findings.not_compared[UNKNOWN_EVENT] += len(told)
            return
        if self._has_hung:
            self._not_behind_a_hang(len(told))
            return
        told = [intent for intent in told if intent.order_key not in self._matched]
        if not self._life.is_known:
            if told:
                self._findings.not_compared[UNKNOWN_BEGINNING] += len(told)
            return
        showing = Showing(told, self.unknown)
        self._patiently(showing, taken, until)
        if showing.told or showing.odd or not isinstance(taken.message, _TOLD_OF):
            self._count(showing, taken, until)

    def _patiently(self, showing: Showing, taken: Taken, until: int) -> None:
        settings = self._settings
        patience, who = settings.patience, f"strategy {settings.id}, {taken.place}"
        try:
            patience.over(
                lambda: self._go_through(showing, taken, until),
                self._life.next_index,
                lambda: f"{who}: {self._on(taken)}:",
            )
        except Hung as error:
            self._hung(showing, taken, error)

    def _go_through(self, showing: Showing, taken: Taken, until: int) -> None:
        if isinstance(taken.message, _TOLD_OF):
            self._tell(showing, taken, until)  # nobody decides on such a message
            return
        stood: tuple[int, int] | None = None
        before: tuple[int, int] | None
        while True:
            try:
                self._show(showing, taken, until)
            except _RAISED as error:
                before, stood = stood, self._life.stands()
                if stood == before:
                    raise  # it comes no further, so that it is not the strategy's own
                self._raised(showing, error)
                if isinstance(taken.message, MarketBatch):
                    continue  # which its feed would send again
            break

    def _tell(self, showing: Showing, taken: Taken, until: int) -> None:
        """Tell of an order, a stop or new rules; unless the strategy may have died of it."""
        if until != ALL and not (self._settings.is_what_if and until >= 0):
            return
        message = taken.message
        try:
            run = self._life.made()
            if isinstance(message, OrderUpdate):
                run.update(message)
            elif isinstance(message, StopActed):
                run.stop_acted(message)
            elif message.instrument.symbol in run.symbols:
                self._life.rules(message.instrument)
                run.warm_up()
        except _RAISED as error:
            self._raised(showing, error)
        self._tally.took(taken.at_ns, 0)

    def _show(self, showing: "Showing", taken: Taken, until: int) -> None:
        run, message = self._life.made(), taken.message
        if isinstance(message, Candle | Trade | Tick):
            showing.is_sure = until == ALL
            if showing.is_sure or showing.told:
                self._see(showing, message, run.take_aside(message, _NEVER), run)
                showing.behind(message, run.memory.next_index, self._life.state)
                showing.events += 1
            return
        before = max(run.memory.next_index, message.first_index)
        for piece, is_sure in pieces(message, showing, until, lambda: run.memory.next_index):
            showing.is_sure = is_sure
            try:
                self._see(showing, piece, run.take_batch(piece, _never), run)
            finally:
                showing.events += max(run.memory.next_index - before, 0)
                before = max(before, run.memory.next_index)
            last = piece.events[-1]
            showing.behind(last, run.memory.next_index - 1, self._life.state)

    def _see(
        self,
        showing: "Showing",
        shown: MarketBatch | MarketEvent,
        given: Iterator[Intent] | Sequence[Intent],
        run: StrategyRun,
    ) -> None:
        for intent in given:
            if isinstance(shown, MarketBatch):
                index = max(run.deciding_at, shown.first_index)
                event = shown.events[index - shown.first_index]
            else:
                index, event = run.memory.next_index, shown
            showing.gave(intent, index, event, self._life.state)

    def _raised(self, showing: "Showing", error: BaseException) -> None:
        """Do as its actor would: build it anew from what it has survived, and go on."""
        run = self._life.run
        if run is None:
            raise self._not_made(error)
        memory = run.memory
        where = run.line_of(error)
        text = f"{type(error).__name__}: {said_by(error)}" + (f" ({where})" if where else "")
        if showing.is_sure and memory.tries < MOST_TRIES:
            state = self._life.state()
            showing.odd.append(Odd(memory.next_index, None, None, None, text, state))
        self._life.restart()

    def _not_made(self, error: BaseException) -> BaseException:
        if isinstance(error, ConfigError):
            return error
        said = f"{type(error).__name__}: {said_by(error)}"
        return ConfigError([f"strategy {self._settings.id} could not be made: {said}"])

    def _hung(self, showing: Showing, taken: Taken, error: Hung) -> None:
        """Do not as its actor would, which takes its time once more for each event: leave it."""
        run, patience = self._life.run, self._settings.patience
        text = f"did not come back within {patience.limit_s:g} s"
        index, state = -1, dict[str, str]()
        if run is None:
            text += " while it was made and warmed up"
        else:
            index, where = run.memory.next_index, run.line_of(error)
            text += f" ({where})" if where else ""
            with suppress(Hung):  # its objects' texts are its code too
                what = f"strategy {self._settings.id}: what it holds"
                state = patience.over(self._life.state, lambda: None, lambda: what)
        event = event_of(taken, index)
        odd = Odd(index, event, None, None, text, state, has_hung=True)
        missing = showing.stop_at(odd)
        self._has_hung = True
        self._not_behind_a_hang(missing)

    def _not_behind_a_hang(self, count: int) -> None:
        if count:
            self._findings.not_compared[BEHIND_A_HANG] += count

    def _count(self, showing: "Showing", taken: Taken, until: int) -> None:
        tally = self._tally
        showing.close()
        if until == ALL or showing.events:
            tally.took(taken.at_ns, showing.events)
        tally.decisions += showing.count
        tally.replayed += showing.replayed
        tally.same += len(showing.same)
        tally.other_words += showing.other_words
        self._matched = frozenset(showing.same) if self._settings.is_what_if else frozenset()
        for odd in showing.odd:
            self._diverges(odd, taken)

    def _diverges(self, odd: Odd, taken: Taken) -> None:
        self._report(divergence_of(odd, taken, self._settings.id))

    def _on(self, taken: Taken) -> str:
        index = self._life.next_index()
        return on_text(taken, -1 if index is None else index)


_NEVER = TimestampNs(0)
"""When a replayed decision was made: nothing compares it."""


def _never() -> TimestampNs:
    return _NEVER
