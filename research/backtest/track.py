"""One symbol's market as the loop goes through it, and the strategies that trade it."""

from collections import deque
from collections.abc import Collection, Sequence
from decimal import Decimal, localcontext

from decisions.exact import EXACT
from decisions.strategy import (
    StrategyLike,
    StrategyRun,
    close_handler,
    fast_door,
    new_memory,
    reference_price,
)
from decisions.strategy_wide import wants_of
from exchanges.event_blocks import Block, EventBlock
from messages.errors import ConfigError
from messages.ids import AccountId, ActorPath, TimestampNs
from messages.market import Candle, MarketBatch, MarketEvent, Tick, Trade
from messages.orders import OrderIntent, OrderUpdate
from messages.stops import StopActed
from messages.values import BUY, Side
from research.backtest.desk import Execution
from research.backtest.equity import EquityMeter
from research.backtest.plan import MarketPlan, StrategyPlan
from strategies.protocol import Strategy

_RAISED = (Exception, SystemExit)
"""What a user's code may raise: anything, and it may call sys.exit."""
_HANDLERS: tuple[tuple[str, type[MarketEvent]], ...] = (
    ("on_candle", Candle),
    ("on_bar", Candle),
    ("on_trade", Trade),
    ("on_book", Tick),
    ("on_tick", Tick),
)


class Driver:
    """One strategy, and how far in the present block it has been shown the market."""

    def __init__(self, plan: StrategyPlan, account: AccountId, *, fast_doors: bool) -> None:
        built: list[StrategyLike] = []

        def build() -> StrategyLike:
            built.append(plan.build())
            return built[-1]

        self.id = plan.id
        self.at = 0
        # It is never built anew, so no event need be kept for a warm-up.
        memory = new_memory(0)
        memory.decided_until_ns = plan.decided_until_ns
        self._run = StrategyRun(build, memory, account, plan.id, plan.symbol, symbols=plan.traded)
        self.strategy = built[-1]
        self.uses_stops = bool(getattr(self.strategy, "uses_stops", False))
        """Whether its position may change without its doing: then it is shown every event."""
        is_plain = len(plan.traded) == 1 and sees_plain_events(self.strategy)
        has_door = fast_doors and is_plain and not self.uses_stops
        self._door = fast_door(self.strategy) if has_door else None
        self.learns = learns(self.strategy)
        """Whether it wants to know what became of its orders."""
        has_handler = self._door is not None and close_handler(self.strategy) is not None
        self.by_closes = has_handler and not self.learns
        """Whether what it decides hangs on closes alone: then it decides a block ahead."""
        self._found: deque[tuple[int, Sequence[OrderIntent] | ConfigError]] = deque()
        """What it has decided ahead, by place; or why it could not."""
        self._size = 0

    def begin(self, block: Block) -> None:
        """Begin a block: one that decides by closes does it all here, and `show` gives it later.

        So what it decides on is not looked at again, and all that is needed for it stays near.
        """
        self.at, self._size, closes = 0, len(block.times_ns), block.closes
        if self.by_closes and closes is not None:
            self._decide_ahead(block, closes)

    def _decide_ahead(self, block: Block, closes: list[float]) -> None:
        found, take, times_ns, size = self._found, self._run.take_close, block.times_ns, len(closes)
        at, error = 0, None
        try:
            while at < size and (at := self._passed(closes, at)) < size:
                intents = take(block.close_of(at), TimestampNs(times_ns[at]))
                if intents:
                    found.append((at, intents))
                at += 1
        except ConfigError as own:
            error = own
        except _RAISED as raised:
            where = f"on the candle of {self._run.symbol} at {times_ns[at]} ns"
            error = self._failed(where, raised)
            error.__cause__ = raised
        if error is not None:
            found.append((at, error))
        self.at = found[0][0] if found else size

    def decided(self) -> Sequence[OrderIntent]:
        """Give what it has decided ahead at its place, and go on to the next where it has.

        Raises:
            ConfigError: the strategy raised there.
        """
        _, what = self._found.popleft()
        self.at = self._found[0][0] if self._found else self._size
        if isinstance(what, ConfigError):
            raise what
        return what

    def show(self, event: MarketEvent) -> Sequence[OrderIntent]:
        """Show the event at its place, and give what it decides.

        Raises:
            ConfigError: the strategy raised.
        """
        if self._found:
            return self.decided()
        self.at += 1
        run = self._run
        try:
            intents = run.take(event, event.ts_event_ns)
            if run.problem is not None:
                raise run.problem
        except _RAISED as error:
            raise self._failed(_on(event), error) from error
        return intents

    def warm(self, event: MarketEvent) -> None:
        """Show an event that nothing is decided on, as history is shown before a live market.

        Raises:
            ConfigError: the strategy raised.
        """
        index = self._run.memory.next_index
        batch = MarketBatch(feed=ActorPath(""), first_index=index, events=(event,), is_history=True)
        try:
            deque(self._run.take_batch(batch, lambda: event.ts_event_ns), maxlen=0)
        except _RAISED as error:
            raise self._failed(_on(event), error) from error

    def pass_by(self, closes: list[float] | None) -> None:
        """Go as far as nothing is decided, if the strategy has a fast door."""
        if self._door is not None and closes is not None and not self.by_closes:
            self.at = self._passed(closes, self.at)

    def _passed(self, closes: list[float], at: int) -> int:
        door = self._door
        if door is None or at >= len(closes):
            return at
        try:
            reached = door(closes, at)
        except _RAISED as error:
            raise self._failed("in pass_closes", error) from error
        if not at <= reached <= len(closes):
            text = f"strategy {self.id}: pass_closes went from {at} to {reached}"
            raise ConfigError([f"{text}, which is no place in a block of {len(closes)} closes"])
        return reached

    def learn(self, update: OrderUpdate) -> None:
        """Tell it what became of an order.

        Raises:
            ConfigError: the strategy raised.
        """
        try:
            self._run.update(update)
        except _RAISED as error:
            where = f"when told that an order of {update.symbol} is {update.state}"
            raise self._failed(where, error) from error

    def stop_acted(self, acted: StopActed) -> None:
        """Count what a stop has left of its position."""
        self._run.stop_acted(acted)

    def _failed(self, where: str, error: BaseException) -> ConfigError:
        line = self._run.line_of(error)
        said = f"{f' ({line})' if line else ''}: {type(error).__name__}: {error}"
        return ConfigError([f"strategy {self.id} failed {where}{said}"])


class Seat:
    """A strategy of several symbols in the market of one of them: it is shown every event.

    It stands where a `Driver` stands among those that follow one market alone.
    """

    by_closes = False

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.id, self.learns = driver.id, driver.learns
        self.at = 0

    def show(self, event: MarketEvent) -> Sequence[OrderIntent]:
        """See `Driver.show`."""
        self.at += 1
        return self._driver.show(event)

    def begin(self, block: Block) -> None:  # noqa: ARG002 - it looks at none ahead
        """Stand before the first of its events."""
        self.at = 0

    def decided(self) -> Sequence[OrderIntent]:
        """Never asked: see `by_closes`."""
        raise NotImplementedError

    def pass_by(self, closes: list[float] | None) -> None:
        """Stay: what it does here may hang on the other markets."""


class Track:
    """The market of one symbol; `place` is its turn among the markets at one moment."""

    def __init__(
        self, place: int, market: MarketPlan, drivers: Sequence[Driver | Seat], meter: EquityMeter
    ) -> None:
        self.place, self.symbol, self.drivers = place, market.symbol, drivers
        self.by_closes = False
        """Whether the block is of candles, and each of them may be shown closes alone."""
        self._blocks, self._meter = market.blocks(), meter
        self.block: Block = EventBlock(())
        """The present block; `load` gives the first."""
        self.is_candles = True
        """Whether it is of candles alone."""
        self.kinds: set[type[MarketEvent]] = set()
        """Of what kinds the blocks so far were."""
        self.size = 0
        self.at = 0
        """The place in the block of the next event that somebody must see."""
        self.seen = 0
        """Events in the blocks before this one."""
        self.held_events = 0
        """So many of them ended with a position."""
        self.first_price = self.last_price = Decimal(0)
        self.quantity = self.cash = self.fees = self.turnover = Decimal(0)
        self._profits: list[float] = []
        self._trades: list[tuple[int, Side, Sequence[Execution]]] = []

    def load(self) -> bool:
        """Leave this block for the next one; False when there is none."""
        if self.size:
            self.settle()
            self._reckon(self.size)
            self._meter.take(self.place, self.block.times_ns, self._profits)
            self.last_price = reference_price(self.block.event(self.size - 1))
            self.seen += self.size
        block = next(self._blocks, None)
        if block is None:
            self._meter.end(self.place)
            return False
        if not self.seen:
            self.first_price = reference_price(block.event(0))
        self.block, self.is_candles = block, block.closes is not None
        self.size, self.at, self._profits = len(block.times_ns), 0, []
        self.by_closes = self.is_candles and all(driver.by_closes for driver in self.drivers)
        if self.is_candles:
            self.kinds.add(Candle)
        else:
            self.kinds.update(type(block.event(place)) for place in range(self.size))
        for driver in self.drivers:
            driver.begin(block)
        return True

    def next_shown(self) -> int:
        """Give the place of the next event that one of the strategies must be shown."""
        if len(self.drivers) == 1:
            return self.drivers[0].at
        return min((driver.at for driver in self.drivers), default=self.size)

    def shown_at(self, place: int) -> Sequence[Driver | Seat]:
        """Give the strategies that must be shown an event."""
        if len(self.drivers) == 1:
            return self.drivers if self.drivers[0].at == place else ()
        return [driver for driver in self.drivers if driver.at == place]

    def next_ns(self) -> int:
        """When the next event comes that somebody must see; where none does, the block's last."""
        return self.block.times_ns[min(self.at, self.size - 1)]

    def trade(self, side: Side, fills: Sequence[Execution]) -> None:
        """Note executions of the present event; `settle` counts them."""
        self._trades.append((self.at, side, fills))

    def settle(self) -> None:
        """Count what was executed since the last time: held from the close of its event on.

        Fees are in the quote. No digit is lost.
        """
        if not self._trades:
            return
        trades, self._trades = self._trades, []
        with localcontext(EXACT):
            for at, side, fills in trades:
                self._reckon(at)
                for fill in fills:
                    self._count(side, fill)

    def _count(self, side: Side, fill: Execution) -> None:
        quantity, fee = fill.quantity, fill.fee
        value = quantity * fill.price
        if side is BUY:
            self.quantity += quantity
            self.cash = self.cash - value - fee
        else:
            self.quantity -= quantity
            self.cash = self.cash + value - fee
        self.fees += fee
        self.turnover += value

    def _reckon(self, stop: int) -> None:
        """Reckon the profit at each event before `stop` that it is not reckoned for yet."""
        start = len(self._profits)
        if start >= stop:
            return
        cash = float(self.cash)
        if not self.quantity:
            self._profits += [cash] * (stop - start)
        else:
            quantity = float(self.quantity)
            self.held_events += stop - start
            self._profits += [cash + quantity * price for price in self._prices(start, stop)]

    def _prices(self, start: int, stop: int) -> Sequence[float]:
        closes = self.block.closes
        if closes is not None:
            return closes[start:stop]
        return [float(reference_price(self.block.event(place))) for place in range(start, stop)]


def sees_plain_events(strategy: StrategyLike) -> bool:
    """Whether it asks for no bars of other lengths and no timer, which no door knows of."""
    wants = wants_of(strategy)
    return not wants.bars and not wants.timer_ns


def never_called(strategy: StrategyLike, kinds: Collection[type[MarketEvent]]) -> tuple[str, ...]:
    """Give the market handlers of its own that a strategy has and events of these kinds miss."""
    own = {name: getattr(type(strategy), name, None) for name, _ in _HANDLERS}
    return tuple(
        name
        for name, kind in _HANDLERS
        if kind not in kinds and own[name] not in (None, getattr(Strategy, name))
    )


def learns(strategy: StrategyLike) -> bool:
    """Whether a strategy has a handler of its own for what becomes of its orders."""
    handlers = ("on_update", "on_fill")
    return any(getattr(type(strategy), n, None) is not getattr(Strategy, n) for n in handlers)


def _on(event: MarketEvent) -> str:
    what = "candle" if isinstance(event, Candle) else type(event).__name__.lower()
    return f"on the {what} of {event.symbol} at {event.ts_event_ns} ns"
