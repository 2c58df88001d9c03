"""What the crash rehearsal protects: one entry with a stop, in a market that falls through it."""

import csv
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from actors.address import Address
from actors.operator_board import TRADING, OperatorBoard
from decisions.drill_stop import StopPoint
from decisions.halting import HaltState
from decisions.order_keys import client_order_id, exit_key, order_key
from messages.halting import ResumeTrading
from messages.ids import (
    NS_PER_MS,
    NS_PER_S,
    AccountId,
    ClientOrderId,
    OrderKey,
    StrategyId,
    TimestampNs,
)
from messages.lifecycle import HaltTrading
from messages.market import Candle, MarketBatch, MarketEvent
from messages.order_states import FINAL_STATES
from messages.stops import Stop, StopState
from messages.values import OrderState, OrderType, Side, TimeInForce
from ops.config import Config, FeedType, demo_config
from ops.drill_traps import EXCHANGE, HALT_REASON, DrillLedger, DrillRuntime, Target, Trap
from persistence.entries import NO_NOTES, NO_STOPS
from persistence.ledger import Claim, LedgerEntry, Step
from strategies.protocol import Decision, Strategy

_PRICES = (60_000, 60_100, 57_000, 56_900, 56_800, 56_700, 56_600, 56_500, 56_400, 56_300)
CANDLES = len(_PRICES)
HOLDS = (2, 5)
"""Where the market waits until every order has ended: the entry, before the fall; the exit, two
candles after the one that it is decided on. A decision that doubles it is made in these."""
FALL = HOLDS[0]
"""The first candle that reaches the stop."""
MINUTE_NS = 60 * NS_PER_S
_STOP = Decimal(59_000)
_PLENTY = Decimal(1_000_000)
AGAIN_S = 1.0
"""After so long without an answer a halt or a resume is ordered again."""
_HOUR_MS = 3_600_000
"""The market is ahead of our clock, by less."""
_COLLAR_BPS = Decimal(5_000)


class Stopped(Strategy):
    """Buys once, and leaves the way out to its stop."""

    uses_stops = True

    def __init__(self, *_: Any) -> None:
        """Take whatever parameters there are."""

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Decision]:  # noqa: ARG002
        """Decide on the first, whoever is shown it, and on no other."""
        if candle.close != _PRICES[0]:
            return ()
        return (
            Decision(
                side=Side.BUY,
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.GTC,
                quantity=Decimal("0.001"),
                limit_price=None,
                reason="to be protected",
                stop_loss=_STOP,
            ),
        )


def stopped_config() -> Config:
    """Give the demo's config with that strategy, and limits that let its orders pass."""
    replace, config = msgspec.structs.replace, demo_config()
    (strategy,) = config.strategies
    uses = f"{Path(__file__)}:{Stopped.__name__}"
    return replace(
        config,
        strategies=(replace(strategy, id="stopped", uses=uses, params={}),),
        risk=replace(
            config.risk,
            price_collar_bps=_COLLAR_BPS,
            max_position_notional=_PLENTY,
            max_market_age_ms=_HOUR_MS,
        ),
    )


def shown_from(path: Path, begins_ms: int, config: Config) -> Config:
    """Write the market to a file, and give the config that shows it from there."""
    minute_ms = MINUTE_NS // NS_PER_MS
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("ts", "open", "high", "low", "close", "volume"))
        for place, price in enumerate(_PRICES):
            lines.writerow((begins_ms + place * minute_ms, *[price] * 4, "10"))
    paths = dict.fromkeys(config.feed.symbols, path)
    feed = msgspec.structs.replace(config.feed, type=FeedType.REPLAY, paths=paths)
    return msgspec.structs.replace(config, feed=feed)


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What a case's orders are called, whichever life decides them."""

    entry: Target
    exits: tuple[ClientOrderId, ...]
    """The first exit's, decided on each candle that it may be decided on."""


def names_of(config: Config, begins_ms: int) -> Names:
    """Give them: keys are functions of the decisions."""
    (strategy,) = config.strategies
    at = [TimestampNs(begins_ms * NS_PER_MS + (place + 1) * MINUTE_NS) for place in range(CANDLES)]
    entry = order_key(AccountId(EXCHANGE), StrategyId(strategy.id), strategy.symbol, at[0], 0)
    return Names(
        entry=Target(order_key=entry, client_order_id=client_order_id(entry)),
        exits=tuple(client_order_id(exit_key(entry, 0, moment)) for moment in at[FALL:]),
    )


class StopTrap(Trap):
    """Springs at a point of the stop, or at one of its exit: of any order that is not the entry.

    Which candle the exit is decided on is not known before: a crash may lose one.
    """

    def is_entry(self, name: str) -> bool:
        """Whether an order key or a client order id is the entry's."""
        return super().is_target(name)

    def is_target(self, name: str) -> bool:
        """Whether it is of what the point is a point of."""
        return self.is_entry(name) is isinstance(self.point, StopPoint)


class StopLedger(DrillLedger):
    """Says also what becomes of the stop, and whether every order has ended."""

    _trap: StopTrap

    def _load(self) -> None:
        super()._load()
        self._look()

    def write(
        self,
        steps: Sequence[Step],
        claims: Sequence[Claim],
        now_ns: int,
        notes: Mapping[str, str] = NO_NOTES,
        stops: Sequence[Stop] = NO_STOPS,
    ) -> list[LedgerEntry]:
        """See `Ledger.write`."""
        passed = [*self._of_stops(steps, claims, stops)]
        for before, _, key in passed:
            self._trap.reach(before, key)
        after = super().write(steps, claims, now_ns, notes, stops)
        self._look()
        for _, behind, key in passed:
            self._trap.reach(behind, key)
        return after

    def _of_stops(
        self, steps: Sequence[Step], claims: Sequence[Claim], stops: Sequence[Stop]
    ) -> Iterator[tuple[StopPoint, StopPoint, OrderKey]]:
        """Give what a commit is of the stop's own life, by the key of its entry."""
        for claim in claims:
            if claim.sent and self._trap.is_entry(claim.intent.order_key):
                key = claim.intent.order_key
                yield StopPoint.BEFORE_DECLARED, StopPoint.AFTER_DECLARED, key
        for step in steps:
            if step.to is OrderState.FILLED and self._trap.is_entry(step.order_key):
                yield StopPoint.BEFORE_ARMED, StopPoint.AFTER_ARMED, step.order_key
        claimed = {claim.intent.order_key for claim in claims if claim.sent}
        for stop in stops:
            key = stop.entry_key
            if stop.state is StopState.ACTED and not stop.exits:
                yield StopPoint.BEFORE_ACTED, StopPoint.AFTER_ACTED, key
            if len(stop.exits) > 1 and stop.exits[-1] in claimed:
                yield StopPoint.BEFORE_RETRIED, StopPoint.AFTER_RETRIED, key
            if stop.state is StopState.DONE:
                yield StopPoint.BEFORE_ENDED, StopPoint.AFTER_ENDED, key

    def _look(self) -> None:
        runtime = self._trap.runtime
        assert isinstance(runtime, StopRuntime)
        runtime.is_quiet = all(entry.state in FINAL_STATES for entry in self.open_entries())


class StopRuntime(DrillRuntime):
    """Holds the market twice, until every order has ended; notices when the stop is touched."""

    trap: StopTrap
    is_quiet = False

    def __init__(self, trap: StopTrap, *, halts: bool) -> None:
        super().__init__(trap, HOLDS[0])
        self._halts = halts
        self._ordered_at = -AGAIN_S

    def go_on_when_quiet(self, events: int, executor: Address[Any], board: OperatorBoard) -> None:
        """Show more, if the executor waits and nothing is under way; on the main thread."""
        if self._kept_back is None or not self.is_quiet or self.hold_at >= events:
            return
        if self._is_as_wanted(executor, board):
            self.go_on(next((place for place in HOLDS if place > self.hold_at), events))

    def _is_as_wanted(self, executor: Address[Any], board: OperatorBoard) -> bool:
        """See to it that trading is halted while the market falls, where it is to be."""
        is_trading = board.halt.state == TRADING.state
        wants_halt = self._halts and self.hold_at == HOLDS[0]
        if (board.halt.state == HaltState.HALTED_PROVED) if wants_halt else is_trading:
            return True
        now = time.monotonic()
        if now - self._ordered_at >= AGAIN_S and wants_halt is is_trading:
            self._ordered_at = now
            if wants_halt:
                executor.tell(HaltTrading(reason=HALT_REASON, durable=True))
            else:
                executor.tell(ResumeTrading(request="", despite_open=False))
        return False

    def _to_executor(self, tell: Callable[[Any], bool], message: Any) -> bool:
        told = super()._to_executor(tell, message)
        if isinstance(message, MarketBatch) and any(_touches(event) for event in message.events):
            self.trap.reach(StopPoint.TOUCHED, None, holds=False)
        return told


def _touches(event: MarketEvent) -> bool:
    return isinstance(event, Candle) and event.close <= _STOP
