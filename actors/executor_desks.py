"""The desks of one incarnation of the executor, made on its thread and joined to each other."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from actors.account_desk import AccountSettings, AccountView
from actors.address import Address
from actors.cancel_desk import CancelDesk
from actors.context import Context
from actors.executor_health import ExecutorHealth
from actors.executor_kept import ExecutorKept
from actors.executor_stages import ExecutorStages
from actors.gateway import Gateway
from actors.judgement import Judge
from actors.market_desk import MarketDesk
from actors.operator_desk import OperatorDesk
from actors.order_desk import OrderDesk
from actors.settling import Settling
from actors.stop_desk import StopDesk
from actors.telling import Telling, ToMetrics, ToStrategy
from actors.venue_desk import VenueDesk
from decisions.risk import RiskLimits, RiskState
from messages.ids import ActorPath, StrategyId
from messages.market import MarketAck
from messages.orders import Intent
from persistence.ledger import Ledger


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What an executor deals with, and by which rules: the same for each incarnation."""

    gateway: Gateway
    limits: RiskLimits
    max_age_ns: int | None
    kept: ExecutorKept
    metrics: ToMetrics
    strategies: Mapping[StrategyId, ToStrategy]
    feeds: Mapping[ActorPath, Address[MarketAck]]
    compared: tuple[AccountSettings, AccountView] | None
    steps: bool

    @property
    def replayed(self) -> bool:
        """Whether the market's clock is not the wall's."""
        return self.max_age_ns is None


class ExecutorDesks:
    """`decide` judges decisions, and claims and sends them or records why not, before it returns.

    `is_away` says whether the ledger is. None of the desks is called before all are made.
    """

    def __init__(
        self,
        ctx: Context,
        ledger: Ledger,
        around: Surroundings,
        *,
        decide: Callable[[Sequence[Intent]], None],
        is_away: Callable[[], bool],
    ) -> None:
        gateway, kept, strategies = around.gateway, around.kept, around.strategies
        stages = ExecutorStages(ctx)
        self.risk = RiskState(
            exposure=ledger.exposure(),
            held_by=ledger.strategy_exposure(),
            open_orders=None if around.replayed else {},
            instruments=kept.instruments,
        )
        self.stops = StopDesk(
            ctx=ctx,
            ledger=ledger,
            shown_again=around.steps,
            replayed=around.replayed,
            kept=kept,
            strategies=strategies,
            symbols=gateway.symbols,
            claim=lambda intent: decide([intent]),
            keep=lambda: self.orders.keep({}),
            may_send=lambda: not self.orders.halt_reason,
        )
        self.telling = Telling(
            ctx=ctx,
            ledger=ledger,
            stages=stages,
            metrics=around.metrics,
            strategies=strategies,
            on_sent=self.stops.claimed,
        )
        limits = around.limits
        self.orders = OrderDesk(
            ctx=ctx,
            ledger=ledger,
            gateway=gateway,
            risk=self.risk,
            max_age_ns=around.max_age_ns,
            keeps_equity=bool(limits.max_daily_loss or limits.max_drawdown),
            on_claimed=self.telling.claimed,
            on_moved=self.telling.moved,
            stops=self.stops.book,
        )
        self.cancels = CancelDesk(
            ctx=ctx,
            ledger=ledger,
            gateway=gateway,
            desk=self.orders,
            replacing=kept.replacing,
            tell=self.telling.strategy,
            on_given_up=lambda: self.health.show(),
        )
        self.judge = Judge(
            ctx=ctx,
            ledger=ledger,
            limits=limits,
            risk=self.risk,
            max_age_ns=around.max_age_ns,
            stages=stages,
            halt_reason=lambda: self.orders.halt_reason,
            not_replacing=self.cancels.why_not,
            seen=kept.seen,
        )
        self.operator = OperatorDesk(
            ctx=ctx,
            ledger=ledger,
            gateway=gateway,
            desk=self.orders,
            board=kept.board,
            cancels=self.cancels,
            forgive=lambda: self.orders.books.forgive_drawdown(limits, ctx.utc_ns()),
            on_resumed=lambda: self.settling.resumed(),
        )
        self.telling.followers = (self.operator.saw, self.cancels.saw)
        self.venue = VenueDesk(
            ctx=ctx,
            ledger=ledger,
            gateway=gateway,
            desk=self.orders,
            risk=self.risk,
            instruments=kept.instruments,
            strategies=tuple(strategies.values()),
            compared=around.compared,
            show=lambda: self.health.show(),
            halt=self.operator.receive,
        )
        self.health = ExecutorHealth(
            ctx=ctx,
            board=kept.board,
            desk=self.orders,
            stops=self.stops.shown_to_people,
            cancels=self.cancels,
            venue_text=self.venue.text,
        )
        self.settling = Settling(
            ctx=ctx,
            desk=self.orders,
            stops=self.stops.shown_to_people,
            cancels=self.cancels,
            operator=self.operator,
            health=self.health,
            decide=decide,
        )
        self.market = MarketDesk(
            ctx=ctx,
            gateway=gateway,
            stops=self.stops,
            settling=self.settling,
            metrics=around.metrics,
            feeds=around.feeds,
            saw=self.judge.saw,
            show=self.health.show,
            is_away=is_away,
            replayed=around.replayed,
            steps=around.steps,
        )
