"""Who hears of what became of decisions: metrics, their strategy, and the desks that follow orders.

One incarnation's, on the executor's thread. What is told of an order is durable already.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

from actors.address import Address
from actors.context import Context
from actors.executor_stages import ExecutorStages
from actors.order_records import claimed_update, struck_update, update_of
from decisions.executor import Duplicate
from messages.ids import OrderKey, StrategyId, TimestampNs
from messages.orders import (
    DuplicateFiltered,
    Fill,
    MarketRules,
    OrderIntent,
    OrderUpdate,
    PriceMark,
)
from messages.stops import StopActed
from messages.values import OrderState
from persistence.ledger import Claim, Ledger, LedgerEntry

ToMetrics = Address[OrderUpdate | DuplicateFiltered | PriceMark]
ToStrategy = Address[OrderUpdate | MarketRules | StopActed]


class Telling:
    """`on_sent` gets each claim that was sent and, if less was sent, the quantity decided."""

    def __init__(
        self,
        *,
        ctx: Context,
        ledger: Ledger,
        stages: ExecutorStages,
        metrics: ToMetrics,
        strategies: Mapping[StrategyId, ToStrategy],
        on_sent: Callable[[OrderIntent, Decimal | None], None],
    ) -> None:
        self._ctx, self._ledger, self._stages = ctx, ledger, stages
        self._metrics, self._strategies, self._on_sent = metrics, strategies, on_sent
        self.followers: tuple[Callable[[LedgerEntry], None], ...] = ()
        """Called with each step of an order, before anybody is told of it."""

    def claimed(self, claim: Claim, durable_ns: TimestampNs, durable_at_ns: int) -> None:
        """Tell of a claim or a refusal; when it was durable, by the wall's and our own clock."""
        self._stages.claimed(claim, durable_at_ns)
        update = claimed_update(claim, durable_ns)
        self._ctx.tell(self._metrics, update)
        if claim.refused:
            self.strategy(update)
        else:
            self._on_sent(claim.intent, claim.decided_quantity)

    def moved(self, entry: LedgerEntry, fills: Sequence[Fill], late: bool) -> None:
        """Tell of an order's step; `late`: only executions of it are new."""
        for follow in self.followers:
            follow(entry)
        if not late:
            self._stages.moved(entry)
        update = update_of(entry, fills, self._ctx.utc_ns(), late=late)
        self._ctx.tell(self._metrics, update)
        self.strategy(update)

    def again(self, keys: Collection[OrderKey]) -> None:
        """Tell of the last step of orders which an incarnation may not have survived to tell of.

        A strategy that manages its orders would for ever believe in what has ended.
        """
        for key, entry in self._ledger.lookup(list(keys)).items():
            self.strategy(update_of(entry, self._ledger.fills_of(key), self._ctx.utc_ns()))

    def struck(self, intent: OrderIntent) -> None:
        """Tell that nothing comes of the decision that brought an incarnation down.

        It is not taken again, and is a dead letter, unless it was durable already.
        """
        if intent.order_key not in self._ledger.lookup([intent.order_key]):
            self.strategy(struck_update(intent, self._ctx.utc_ns()))

    def strategy(self, update: OrderUpdate) -> None:
        """Tell the strategy that decided."""
        strategy = self._strategies.get(update.strategy_id)
        if strategy is not None:
            self._ctx.tell(strategy, update)

    def duplicate(self, verdict: Duplicate) -> None:
        """Tell of a decision that was taken before."""
        intent, entry = verdict.intent, verdict.entry
        self._ctx.tell(
            self._metrics,
            DuplicateFiltered(
                order_key=intent.order_key, strategy_id=intent.strategy_id, state=entry.state
            ),
        )
        if isinstance(entry, LedgerEntry) and entry.state is OrderState.REFUSED:
            # Who is shown a market again decides again, and hears again what was not allowed.
            self.strategy(update_of(entry, (), self._ctx.utc_ns()))
