"""Takes events for a strategy that wants more than plain ones: each at most twice, with snapshots.

`StrategyRun` drives a plain strategy itself, which is most of all that is ever driven, and leaves
any other to this.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from decisions.strategy_like import WideStrategy
from decisions.strategy_memory import MOST_TRIES, StrategyMemory
from decisions.strategy_wide import Wants, Wide, WideMemory, handles
from decisions.wishes import Desk
from messages.ids import Symbol, TimestampNs
from messages.market import MarketBatch, MarketEvent
from messages.orders import Intent

_SNAPSHOT_EVERY = 64
"""Events, where they come one by one; in batches, one is kept after each batch."""


class WideRun:
    """One incarnation's; `positions` are its own too, `on_problem` is told a snapshot's."""

    def __init__(
        self,
        strategy: WideStrategy,
        wants: Wants,
        desk: Desk,
        memory: StrategyMemory,
        positions: dict[Symbol, Decimal],
        on_problem: Callable[[Exception], None],
    ) -> None:
        self._kept = memory.wide = memory.wide or WideMemory()
        self._wide = Wide(strategy, wants, desk, positions, memory.is_decided)
        self._wants, self._symbols = wants, desk.symbols
        self._memory, self._positions, self._on_problem = memory, positions, on_problem
        managed = memory.managed
        self._inherited = [] if managed is None else managed.untold
        """What the incarnation before may not have told."""

    def show(self, event: MarketEvent) -> None:
        """Show an event of a warm-up; what is decided on it is thrown away."""
        self._wide.take(event, None)

    def begin(self) -> None:
        """Go on where the last incarnation came to, after the warm-up."""
        self._wide.begin(self._kept)

    def restore(self, shown: Callable[[], None], is_over: Callable[[], bool]) -> bool:
        """Go back to the snapshot instead, see what came after it, and go on; see `Wide.restore`.

        Raises:
            Exception: whatever the strategy raises; throw this object away.
        """
        is_whole = self._wide.restore(self._kept, shown, is_over)
        self._wide.begin(self._kept)
        return is_whole

    def take(self, event: MarketEvent, created_ns: Callable[[], TimestampNs]) -> list[Intent]:
        """See `StrategyRun.take`."""
        inherited = self.told()
        intents = self._decide(event, created_ns)
        if intents is None:
            return inherited
        self._advance(event, intents)
        kept = self._kept
        if kept.snapshot is None or len(kept.since) >= _SNAPSHOT_EVERY:
            self.keep_snapshot()
        if inherited and self._memory.managed is not None:
            intents = self._memory.managed.untold = [*inherited, *intents]
        return intents

    def told(self) -> list[Intent]:
        """Say that all of before has been told; give what the last incarnation has not, once."""
        inherited, self._inherited = self._inherited, []
        if self._memory.managed is not None:
            self._memory.managed.untold = inherited
        return inherited

    def take_batch(
        self,
        batch: MarketBatch,
        skip: int,
        created_ns: Callable[[], TimestampNs],
        is_over: Callable[[], bool],
    ) -> Iterator[Intent]:
        """See `StrategyRun.take_batch`; the first `skip` events of the batch are not new."""
        created = None if batch.is_history else created_ns
        if self._kept.snapshot is None:
            self.keep_snapshot()
        yield from self.told()
        is_managed = self._memory.managed is not None
        for event in batch.events[skip:]:
            if is_over():
                break
            intents = self._decide(event, created)
            if intents is None:
                continue
            if is_managed:  # asked once more it might decide otherwise
                self._advance(event, intents)
            yield from intents
            if not is_managed:
                self._advance(event, intents)
        self.told()
        self.keep_snapshot()

    def keep_snapshot(self) -> None:
        """Ask the strategy what it would go on from, if it can say so."""
        if not self._wants.snapshots:
            return
        try:
            self._wide.keep_snapshot(self._kept)
        except Exception as error:  # noqa: BLE001 - a user's code; it trades on without
            self._on_problem(error)

    def _decide(
        self, event: MarketEvent, created_ns: Callable[[], TimestampNs] | None
    ) -> list[Intent] | None:
        """Give None for an event that is left behind unseen."""
        memory = self._memory
        if event.symbol not in self._symbols:
            memory.next_index += 1
            return None
        if memory.trying != memory.next_index:
            memory.trying, memory.tries = memory.next_index, 1
        else:
            memory.tries += 1
            if memory.tries > MOST_TRIES:
                memory.next_index += 1
                memory.passed_over += 1
                self._wide.saw_price(event, self._kept)
                return None
        return self._wide.take(event, created_ns)

    def _advance(self, event: MarketEvent, intents: Sequence[Intent]) -> None:
        memory = self._memory
        memory.next_index += 1
        memory.decided_on(intents, self._positions)
        if memory.managed is not None:
            memory.managed.decided(intents)
            memory.managed.untold = list(intents)
        if handles(self._wants.kinds, event):
            memory.recent.append(event)
        memory.position = self._positions[self._symbols[0]]
        self._wide.commit(event, self._kept)
