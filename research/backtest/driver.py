"""One strategy as the loop drives it, through one block of its market after another."""

from collections import deque
from collections.abc import Sequence
from operator import index
from typing import cast

from decisions.strategy import (
    StrategyLike,
    StrategyRun,
    close_handler,
    fast_door,
    new_memory,
)
from decisions.strategy_wide import wants_of
from exchanges.event_blocks import Block
from messages.errors import ConfigError, said_by
from messages.ids import AccountId, ActorPath, Symbol, TimestampNs
from messages.market import MarketBatch, MarketEvent
from messages.orders import Intent, OrderIntent, OrderUpdate
from messages.stops import StopActed
from research.backtest.plan import StrategyPlan
from research.texts import event_text
from strategies.protocol import Strategy

_RAISED = (Exception, SystemExit)
"""What a user's code may raise: anything, and it may call sys.exit."""


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
        self.manages_orders = memory.managed is not None
        has_door = fast_doors and is_plain and not (self.uses_stops or self.manages_orders)
        self._door = fast_door(self.strategy) if has_door else None
        self.learns = learns(self.strategy) or self.manages_orders or self.uses_stops
        """Whether it wants to know what became of its orders."""
        has_handler = self._door is not None and close_handler(self.strategy) is not None
        self.by_closes = has_handler and not self.learns
        """Whether what it decides hangs on closes alone: then it decides a block ahead."""
        self.found: deque[tuple[int, Sequence[OrderIntent] | ConfigError]] = deque()
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
        found, take, close_of, size = self.found, self._run.take_close, block.close_of, len(closes)
        times_ns = cast("Sequence[TimestampNs]", block.times_ns)
        at, error = 0, None
        try:
            while at < size and (at := self._passed(closes, at)) < size:
                intents = take(close_of(at), times_ns[at])
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
        _, what = self.found.popleft()
        self.at = self.found[0][0] if self.found else self._size
        if isinstance(what, ConfigError):
            raise what
        return what

    def show(self, event: MarketEvent) -> Sequence[Intent]:
        """Show the event at its place, and give what it decides.

        Raises:
            ConfigError: the strategy raised.
        """
        if self.found:
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
            reached = index(door(closes, at))
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

    @property
    def small_targets(self) -> dict[Symbol, int]:
        """How many targets were smaller than the venue takes."""
        return self._run.memory.small_targets

    def stop_acted(self, acted: StopActed) -> None:
        """Count what a stop has left of its position."""
        self._run.stop_acted(acted)

    def _failed(self, where: str, error: BaseException) -> ConfigError:
        line = self._run.line_of(error)
        said = f"{f' ({line})' if line else ''}: {type(error).__name__}: {said_by(error)}"
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

    def show(self, event: MarketEvent) -> Sequence[Intent]:
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


def sees_plain_events(strategy: StrategyLike) -> bool:
    """Whether it asks for no bars of other lengths and no timer, which no door knows of."""
    wants = wants_of(strategy)
    return not wants.bars and not wants.timer_ns


def learns(strategy: StrategyLike) -> bool:
    """Whether a strategy has a handler of its own for what becomes of its orders."""
    handlers = ("on_update", "on_fill")
    return any(getattr(type(strategy), n, None) is not getattr(Strategy, n) for n in handlers)


def _on(event: MarketEvent) -> str:
    return f"on {event_text(event)}"
