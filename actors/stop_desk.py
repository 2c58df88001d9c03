"""The stops at work: shown the market as the executor sees it, their exits claimed as any order.

What a stop is and when it acts is `decisions.stops`, how much it protects `decisions.stop_cover`.
One desk belongs to one incarnation and is used on its thread.

Where a market is shown again from its beginning, and a strategy uses stops, the feed shows an
event here first. It is acknowledged once the venue has had it, the stops have been shown it and
their exits have been answered. So a strategy always knows what its stops have done until then.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from actors.address import Address
from actors.context import Context
from actors.executor_kept import ExecutorKept
from actors.log import logger
from actors.stops_shown import StopsShown
from decisions.risk_exit import fees_in
from decisions.spoken import spoken_quantity
from decisions.stop_book import StopBook
from decisions.stop_exits import counted_at_first, told_changes
from decisions.stop_watch import AHEAD_NS
from decisions.stops import begun_anew
from messages.errors import ActorUnavailable, LedgerUnavailable
from messages.exact import EXACT, NOTHING
from messages.ids import NS_PER_S, ActorPath, OrderKey, StrategyId, Symbol, TimestampNs
from messages.lifecycle import TimerFired
from messages.market import MarketBatch, MarketEvent
from messages.orders import OrderIntent
from messages.stops import MarketShown, Stop, StopActed
from messages.values import OrderState
from persistence.ledger import Ledger, LedgerEntry

KEEP_STOPS = TimerFired(name="keep what stops have seen")
KEEP_EVERY_NS = 5 * NS_PER_S
"""How much of the market's course a trailing stop may forget when its process dies."""

MOST_TOLD = 4_096
"""How many exits are remembered as told of; with more, those of stops that are done go."""


class GoOn(Protocol):
    """What is called once a batch is done with."""

    def __call__(self, batch: MarketBatch, next_index: int, /, *, sent: bool) -> None:
        """`sent`: an exit is under way."""


class StopDesk:
    """`claim` judges an exit, and claims and sends it or records its refusal, before it returns.

    `shown_again`: the market begins anew with each process. `replayed`: its clock is not ours.
    `kept` outlives incarnations: what stops have seen, and what strategies were told. `symbols`:
    whose market is shown; empty where that is not known.
    """

    def __init__(
        self,
        *,
        ctx: Context,
        ledger: Ledger,
        shown_again: bool,
        replayed: bool,
        kept: ExecutorKept,
        strategies: Mapping[StrategyId, "Address[Any]"],
        symbols: Collection[Symbol],
        claim: Callable[[OrderIntent], object],
        keep: Callable[[], object],
        may_send: Callable[[], bool],
    ) -> None:
        self._ctx, self._ledger, self._replayed = ctx, ledger, replayed
        self._strategies = strategies
        self._claim, self._keep, self._may_send = claim, keep, may_send
        self._pending: dict[ActorPath, MarketBatch] = {}
        self._looked_to: dict[ActorPath, int] = {}
        """The place of the next event that is new: a feed may send one twice."""
        self._shown: MarketShown | None = None
        self._sent = False
        stops = ledger.stops()
        self.book = StopBook(kept.decided_last)
        self._looks, self._untold = kept.looks, kept.untold
        self.shown_to_people = StopsShown(
            book=self.book,
            symbols=symbols,
            instruments=kept.instruments,
            exits_of=self._exits_of,
            may_send=may_send,
        )
        self._told = kept.told = self._counted(stops, kept.told, shown_again=shown_again)
        self.book.load(
            [self._as_seen(stop, shown_again=shown_again) for stop in stops],
            self._exposure(),
            ledger.open_entries(),
            ledger.lookup,
            ledger.fills_of,
            self._told,
        )
        self._again = dict(self._told_before()) if shown_again else {}
        if not shown_again:
            self._tell_missed(stops)
        if not shown_again:
            ctx.every(KEEP_EVERY_NS, KEEP_STOPS)
        if stops:
            log = logger.bind(actor=ctx.path)
            log.info("{} stops are kept from before", len(stops))
            if blind := self.shown_to_people.unwatched():
                log.error("{}", blind)

    def _as_seen(self, stop: Stop, *, shown_again: bool) -> Stop:
        """Give a stop with what this process has seen of the market, or will be shown again."""
        seen = self._looks.get(stop.entry_key)
        if seen is not None:
            best, at_ns = seen.best_price, seen.looked_at_ns
            return msgspec.structs.replace(stop, best_price=best, looked_at_ns=at_ns)
        return begun_anew(stop) if shown_again else stop

    def _told_before(self) -> Iterator[tuple[tuple[Symbol, int], list[StopActed]]]:
        """Give what strategies were told at events that will be shown again."""
        told: dict[tuple[Symbol, int], list[StopActed]] = {}
        for stop in self._ledger.stops(done_too=True):
            for order, change in told_changes(stop, self._exits_of(stop)):
                acted = _acted(stop, order.order_key, change, order.decided_at_ns)
                told.setdefault((stop.symbol, order.decided_at_ns), []).append(acted)
        yield from told.items()

    def _exposure(self) -> dict[tuple[StrategyId, Symbol], Decimal]:
        """Give what strategies hold or may yet hold, less what fees have taken of exits."""
        held = self._ledger.strategy_exposure()
        fitted = self._ledger.fitted() if held and not self._replayed else ()
        for strategy, symbol, reason in fitted:
            before = held.get((strategy, symbol), NOTHING)
            held[strategy, symbol] = EXACT.subtract(before, fees_in(reason))
        return held

    def _counted(
        self, stops: Sequence[Stop], told: dict[OrderKey, Decimal] | None, *, shown_again: bool
    ) -> dict[OrderKey, Decimal]:
        """Give by exit how much of a position counts as left.

        On a live market a strategy begins with what the ledger holds; where it is shown the
        market again, it will be told all that it was told before.
        """
        counted = {} if told is None else told
        for stop in stops:
            exits = self._exits_of(stop)
            if shown_again:
                for order, change in told_changes(stop, exits):
                    counted.setdefault(order.order_key, abs(change))
            elif told is None:
                counted |= counted_at_first(exits)
        return counted

    def _tell_missed(self, stops: Sequence[Stop]) -> None:
        """Tell of exits that the previous incarnation claimed and did not live to tell of."""
        for stop in stops:
            for order in self._exits_of(stop):
                if order.order_key not in self._told and order.state is not OrderState.REFUSED:
                    change = self.book.told.take_position_change(order, order.decided_quantity)
                    acted = _acted(stop, order.order_key, change, order.decided_at_ns)
                    self._tell(self._after_what_was_taken(acted))

    def _exits_of(self, stop: Stop) -> list[LedgerEntry]:
        known = self._ledger.lookup(stop.exits) if stop.exits else {}
        return [known[key] for key in stop.exits if key in known]

    # ------------------------------------------------------------ the market

    def look(self, events: Sequence[MarketEvent]) -> bool:
        """Show stops what is new; whether one has acted, or left something, by it."""
        book, acted = self.book, False
        if self._untold and not self._ctx.fenced:
            self._tell_late()
        if not (book.stops or self._again):
            return False
        for event in events:
            for message in self._again.get((event.symbol, event.ts_event_ns), ()):
                self._tell(message)
            may_send, now_ns = self._may_send(), self._ctx.utc_ns()
            until_ns = None if self._replayed else now_ns + AHEAD_NS
            for intent in book.look(event, now_ns, may_send=may_send, until_ns=until_ns):
                self._claim(intent)
                acted = True
            if book.is_changed:  # acted, and nothing may be sent, or nothing is there to leave
                self._keep()
                self._say_waiting(may_send=may_send)
                acted = True
        self._remember()
        return acted

    def _remember(self) -> None:
        for key in [key for key in self._looks if key not in self.book.stops]:
            del self._looks[key]
        if not self._ctx.fenced:
            self._looks.update(self.book.stops)

    def claimed(self, intent: OrderIntent, decided: Decimal | None) -> None:
        """An order is claimed and on its way: if it is a stop's exit, tell of it."""
        stop = self.book.stop_of_exit(intent.order_key)
        if stop is None:
            return
        self._sent = True
        change = self.book.told.take_position_change(intent, decided)
        log = logger.bind(actor=self._ctx.path, order_key=intent.order_key)
        # It did what it is for: news, and no warning.
        what = f"{intent.side} {spoken_quantity(intent.quantity)} {intent.symbol}"
        log.info("a stop acted: {} for {}: {}", what, intent.strategy_id, stop.why)
        acted = _acted(stop, intent.order_key, change, intent.decided_at_ns)
        self._tell(self._after_what_was_taken(acted))

    def _after_what_was_taken(self, message: StopActed) -> StopActed:
        after = self.book.decided_last.of((message.strategy_id, message.symbol))
        return msgspec.structs.replace(message, after=after)

    def _tell(self, message: StopActed) -> None:
        if not self._ctx.fenced:
            self._tell_now(message)
        if self._ctx.fenced:
            return  # perhaps nobody was told: its successor tells of it, and twice counts once
        self._told[message.order_key] = abs(message.change)
        if len(self._told) > MOST_TOLD:
            for key in [key for key in self._told if key not in self.book.entry_of]:
                del self._told[key]

    def _tell_now(self, message: StopActed) -> None:
        """Tell it now, or once the strategy is back: else its position would be wrong for ever."""
        strategy = self._strategies.get(message.strategy_id)
        if strategy is None:
            return
        if strategy.is_out:
            self._untold.append(message)
        else:
            self._ctx.tell(strategy, message)

    def _tell_late(self) -> None:
        for message in self._untold[:]:
            strategy = self._strategies.get(message.strategy_id)
            if strategy is not None and strategy.is_out:
                continue
            if strategy is not None:
                self._ctx.tell(strategy, message)
            if self._ctx.fenced:
                return
            self._untold.remove(message)

    def _say_waiting(self, *, may_send: bool) -> None:
        if not may_send:
            logger.bind(actor=self._ctx.path).error(
                "a stop triggered while sending is barred; its exit is sent once trading resumes"
            )

    def keep_looks(self) -> None:
        """Write how far trailing stops have come."""
        if self.book.take_looks():
            self._keep()

    def end(self) -> None:
        """Write it once more in an orderly end; if that fails, it is as if the process had died."""
        try:
            self.keep_looks()
        except (LedgerUnavailable, ActorUnavailable) as error:
            log = logger.bind(actor=self._ctx.path)
            log.warning("what stops have seen last was not written: {}", error)

    # ------------------------------------------------------------ step by step

    def show_later(self, batch: MarketBatch) -> None:
        """Remember a batch until the venue has done its part of it."""
        self._pending[batch.feed] = batch

    def tell_shown(self, feed: ActorPath) -> Callable[[int], object]:
        """Give what tells the executor that the venue has done so; on any thread."""
        address: Address[Any] = self._ctx.runtime.address(self._ctx.path)
        return lambda index: address.tell(MarketShown(feed=feed, next_index=index))

    def shown(self, message: MarketShown) -> None:
        """Learn that the venue has done its part; `go_on` does the rest."""
        self._shown = message

    def go_on(self, go_on: GoOn) -> None:
        """Look at the stops, if the venue has done its part, and let the feed go on."""
        message, self._shown = self._shown, None
        batch = None if message is None else self._pending.get(message.feed)
        if message is None or batch is None:
            return
        end = batch.first_index + len(batch.events)
        if message.next_index < end:
            return  # of the batch before, which the feed had sent twice
        del self._pending[batch.feed]
        new = max(self._looked_to.get(batch.feed, 0) - batch.first_index, 0)
        self._looked_to[batch.feed] = max(end, self._looked_to.get(batch.feed, 0))
        self._sent = False
        self.look(batch.events[new:])
        go_on(batch, message.next_index, sent=self._sent)


def _acted(stop: Stop, key: OrderKey, change: Decimal, at_ns: TimestampNs) -> StopActed:
    return StopActed(
        order_key=key,
        entry_key=stop.entry_key,
        strategy_id=stop.strategy_id,
        symbol=stop.symbol,
        change=change,
        cause=stop.cause,
        why=stop.why,
        ts_event_ns=at_ns,
    )
