"""Shows a strategy more than plain events: longer bars, timers, other symbols; snapshots of it.

A strategy that asks for none of these is never driven by this. One event of the feed may be
several showings, in this order: the timer that was due before it, the bars that it closes (the
longest first), the event itself, and the timer that is due at its very moment. They are one step:
all of it is done again by the next incarnation, or passed over, together.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from decisions.resample import Resampler
from decisions.strategy_like import StrategyLike, WideStrategy
from decisions.wishes import Decided, Desk, Given, Moment
from messages.exact import NOTHING
from messages.ids import NS_PER_S, Symbol, TimestampNs
from messages.market import Candle, MarketEvent, Tick, Trade
from messages.orders import Intent
from messages.timeframes import timeframe_ns

MOST_SINCE = 1024
"""Events after a snapshot that are kept to be shown again; with more, it is too old to keep."""


class Wants(msgspec.Struct, frozen=True):
    """What a strategy asks for beyond plain events of one symbol."""

    bars: tuple[tuple[str, int], ...] = ()
    """Timeframes with their lengths, the longest first."""
    timer_ns: int = 0
    snapshots: bool = False
    fills: bool = False
    kinds: frozenset[str] | None = None
    """The handlers that it has of its own; None when that is not known."""


def wants_of(strategy: StrategyLike) -> Wants:
    """Read what a strategy declares.

    Raises:
        ValueError: a timeframe or a timer is none.
    """
    kinds = getattr(strategy, "overrides", None)
    bars = [(name, timeframe_ns(name)) for name in getattr(strategy, "timeframes", ())]
    timer_s = getattr(strategy, "timer_s", 0)
    if not isinstance(timer_s, int) or timer_s < 0:
        raise ValueError(f"timer_s = {timer_s!r}: expected whole seconds, 0 for no timer")
    return Wants(
        bars=tuple(sorted(bars, key=lambda bar: -bar[1])),
        timer_ns=timer_s * NS_PER_S,
        snapshots=bool(kinds and {"snapshot", "restore"} <= kinds),
        fills=kinds is None or "on_fill" in kinds,
        kinds=kinds,
    )


class Snapshot(msgspec.Struct, frozen=True):
    """What a strategy said of itself, and how far its bars and its timer were then."""

    data: bytes
    bars: dict[tuple[Symbol, str], Resampler]
    timer_due_ns: int | None
    positions: dict[Symbol, Decimal]
    prices: dict[Symbol, Decimal]


class WideMemory(msgspec.Struct, kw_only=True):
    """What survives a restart, beyond the memory of a plain strategy."""

    others: dict[Symbol, Decimal] = {}
    """Positions in the symbols that are not the first."""
    prices: dict[Symbol, Decimal] = {}
    decided: Decided = {}
    timer_due_ns: int | None = None
    snapshot: Snapshot | None = None
    since: list[tuple[MarketEvent, bool]] = []
    """The events after the snapshot, each with whether what was decided on it counted."""
    restoring: bool = False
    """Still so after a hang in a restore."""

    def inherited(self) -> "WideMemory":
        """Give a copy that the abandoned incarnation cannot change."""
        return msgspec.structs.replace(
            self,
            others=self.others.copy(),
            prices=self.prices.copy(),
            decided=self.decided.copy(),
            since=self.since.copy(),
        )


class Wide:
    """One incarnation's; thrown away with it. `first` is the symbol that a plain one would have."""

    def __init__(
        self,
        strategy: WideStrategy,
        wants: Wants,
        desk: Desk,
        positions: dict[Symbol, Decimal],
        is_decided: Callable[[Symbol, TimestampNs], bool],
    ) -> None:
        self.positions = positions
        self.prices: dict[Symbol, Decimal] = {}
        self.decided: Decided = {}
        self.timer_due_ns: int | None = None
        self.bars: dict[tuple[Symbol, str], Resampler] = {
            (symbol, name): Resampler(length)
            for symbol in desk.symbols
            for name, length in wants.bars
        }
        self._strategy, self._wants, self._desk = strategy, wants, desk
        self._is_decided = is_decided
        self._created: Callable[[], TimestampNs] | None = None
        self._intents: list[Intent] = []

    def take(
        self, event: MarketEvent, created_ns: Callable[[], TimestampNs] | None
    ) -> list[Intent]:
        """Show all that belongs to one event. Without `created_ns` what is decided is thrown away.

        Raises:
            Exception: whatever the strategy raises, or `BadDecision`; throw this object away.
        """
        self._created, self._intents = created_ns, []
        self._desk.replaced.clear()
        ts_ns, period = event.ts_event_ns, self._wants.timer_ns
        if period:
            self._timer_before(ts_ns, period)
        symbol = event.symbol
        self.prices[symbol] = reference_price(event)
        if type(event) is Candle:
            for name, _ in self._wants.bars:
                self._show_bars(event, name)
        given = show(self._strategy, event, self.positions.get(symbol, NOTHING))
        if given:
            self._decided(given, symbol, ts_ns, handler_of(event))
        if period and self.timer_due_ns == ts_ns:
            self._fire(ts_ns)
            self.timer_due_ns = ts_ns + period
        return self._intents

    def _show_bars(self, candle: Candle, name: str) -> None:
        resampler = self.bars[candle.symbol, name]
        if candle.ts_event_ns - candle.ts_open_ns == resampler.length_ns:
            return  # the feed's own timeframe, which `on_candle` is shown
        for bar in resampler.add(candle):
            position = self.positions.get(bar.symbol, NOTHING)
            given = self._strategy.on_bar(bar, name, position)
            self._decided(given, bar.symbol, candle.ts_event_ns, "on_bar")

    def _timer_before(self, ts_ns: int, period: int) -> None:
        """Fire for the last due time before now, once, however many there were."""
        due = self.timer_due_ns
        if due is None:
            self.timer_due_ns = (ts_ns // period + 1) * period
        elif due < ts_ns:
            last = (ts_ns - 1) // period * period
            self._fire(last)
            self.timer_due_ns = last + period

    def _fire(self, due_ns: int) -> None:
        first = self._desk.symbols[0]
        due = TimestampNs(due_ns)
        given = self._strategy.on_timer(due, self.positions.get(first, NOTHING))
        self._decided(given, first, due, "on_timer")

    def _decided(self, given: Given, symbol: Symbol, at_ns: TimestampNs, handler: str) -> None:
        if not given or self._created is None:
            return
        if not self._is_decided(symbol, at_ns):
            moment = Moment(symbol, at_ns, self.prices, handler)
            created_ns = self._created()
            self._intents += self._desk.intents(
                given, moment, created_ns, self.positions, self.decided
            )

    # ------------------------------------------------------------ what outlives it

    def begin(self, memory: WideMemory) -> None:
        """Go on where the last incarnation came to, after the warm-up."""
        self.prices.update(memory.prices)
        self.decided = memory.decided.copy()
        if memory.timer_due_ns is not None:
            self.timer_due_ns = memory.timer_due_ns

    def saw_price(self, event: MarketEvent, memory: WideMemory) -> None:
        """Learn the price of an event that is passed over: the market did say it."""
        self.prices[event.symbol] = memory.prices[event.symbol] = reference_price(event)

    def commit(self, event: MarketEvent, memory: WideMemory) -> None:
        """Remember what an event has changed; the first symbol's position is not kept here."""
        memory.timer_due_ns = self.timer_due_ns
        memory.prices[event.symbol] = self.prices[event.symbol]
        if self._intents:
            memory.decided = self.decided.copy()
            others = self._desk.symbols[1:]
            memory.others = {symbol: self.positions.get(symbol, NOTHING) for symbol in others}
        if memory.snapshot is not None:
            if len(memory.since) < MOST_SINCE:
                memory.since.append((event, self._created is not None))
            else:
                memory.snapshot, memory.since = None, []

    def keep_snapshot(self, memory: WideMemory) -> None:
        """Ask the strategy what it would go on from; None keeps what it said last.

        Raises:
            Exception: whatever it raises; a TypeError when it gives no bytes.
        """
        data = self._strategy.snapshot()
        if data is None:
            return
        if not isinstance(data, bytes):
            raise TypeError(f"snapshot() gave a {type(data).__name__}, expected bytes or None")
        # The journal writes plain bytes down, and nothing that only passes for some.
        memory.snapshot, memory.since = self._snapshot(bytes(data)), []

    def _snapshot(self, data: bytes) -> Snapshot:
        return Snapshot(
            data=data,
            bars={key: resampler.copy() for key, resampler in self.bars.items()},
            timer_due_ns=self.timer_due_ns,
            positions=self.positions.copy(),
            prices=self.prices.copy(),
        )

    def restore(
        self, memory: WideMemory, shown: Callable[[], None], is_over: Callable[[], bool]
    ) -> bool:
        """Go back to the snapshot, and see again what came after it. Positions are as they are.

        Calls `shown` for each event. False where `is_over` before the last: throw this object away.

        Raises:
            Exception: whatever the strategy raises.
        """
        kept = memory.snapshot
        assert kept is not None, "asked only where there is one"
        self._strategy.restore(kept.data)
        self.bars = {key: resampler.copy() for key, resampler in kept.bars.items()}
        self.timer_due_ns, self.prices = kept.timer_due_ns, kept.prices.copy()
        now = self.positions.copy()
        self.positions.update(kept.positions)
        is_whole = True
        for event, counted in memory.since:  # what it decides moves the positions, as it did then
            if is_over():
                is_whole = False
                break
            shown()
            self.take(event, _never if counted else None)
        self.positions.update(now)
        self._intents = []
        return is_whole


def _never() -> TimestampNs:
    """The time of what is thrown away."""
    return TimestampNs(0)


def show(strategy: StrategyLike, event: MarketEvent, position: Decimal) -> Given:
    """Call the handler of an event's kind."""
    if isinstance(event, Candle):
        return strategy.on_candle(event, position)
    if isinstance(event, Trade):
        return strategy.on_trade(event, position)
    return strategy.on_tick(event, position)


def handler_of(event: MarketEvent) -> str:
    """Name the handler of an event's kind."""
    return _HANDLERS[type(event)]


_HANDLERS: Mapping[type[MarketEvent], str] = {
    Candle: "on_candle",
    Trade: "on_trade",
    Tick: "on_tick",
}


def reference_price(event: MarketEvent) -> Decimal:
    """Give the price that a decision on this event was made at: close, trade or middle."""
    if isinstance(event, Candle):
        return event.close
    if isinstance(event, Trade):
        return event.price
    return (event.bid_price + event.ask_price) / 2


def handles(kinds: frozenset[str] | None, event: MarketEvent) -> bool:
    """Whether a strategy has a handler of its own for such an event."""
    if kinds is None or isinstance(event, Candle):
        return True
    wanted: Sequence[str] = ("on_trade",) if isinstance(event, Trade) else ("on_tick", "on_book")
    return any(name in kinds for name in wanted)
