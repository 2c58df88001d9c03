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
from actors.exit_desk import ExitDesk
from actors.gateway import Gateway
from actors.judgement import Judge
from actors.market_desk import MarketDesk
from actors.noted_wishes import NotedWishes
from actors.operator_desk import OperatorDesk
from actors.order_desk import OrderDesk
from actors.orphans import Orphans
from actors.replacements import Replacements
from actors.settling import Settling
from actors.stop_desk import StopDesk
from actors.telling import Telling, ToMetrics, ToStrategy
from actors.venue_desk import VenueDesk
from decisions.risk import Refusal, RiskLimits, RiskState
from messages.ids import ActorPath, StrategyId, Symbol
from messages.market import MarketAck
from messages.orders import Intent, OrderIntent
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
    managed: frozenset[StrategyId] = frozenset()
    """Strategies that manage their orders."""
    traded: frozenset[tuple[StrategyId, Symbol]] = frozenset()
    """What the strategies of this config trade, where it is money."""

    @property
    def replayed(self) -> bool:
        """Whether the market's clock is not the wall's."""
        return self.max_age_ns is None


class ExecutorDesks:
    """`decide` judges decisions and, before returning, claims and sends each or notes its refusal.

    `is_away()` says whether the ledger cannot be written. None of the desks is called before all
    are made.
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
        self._ctx, self._ledger, self._around = ctx, ledger, around
        self._decide, self._is_away = decide, is_away
        self._stages = ExecutorStages(ctx)
        # Each desk receives those built before it; links to later ones are resolved when called.
        self.risk = self._make_risk()
        self.stops = self._make_stops()
        self.exits = self._make_exits()
        self.telling = self._make_telling()
        self.orders = self._make_orders()
        self.orders.noting.append(self.exits)
        protects = self.stops.shown_to_people.leaves
        self.orphans = Orphans(ledger, self.risk, around.traded, self.orders.keep, protects)
        self.wishes = NotedWishes(ledger, self.orders.differs)
        self.orders.noting.append(self.wishes)
        self.replacements = self._make_replacements()
        self.cancels = self._make_cancels()
        self.judge = self._make_judge()
        self.operator = self._make_operator()
        self.telling.followers = (self.operator.saw, self.cancels.saw, self.exits.saw)
        self.venue = self._make_venue()
        self.health = self._make_health()
        self.orders.late.on_new = self.orders.doubled.on_new = self.health.show
        self.settling = self._make_settling()
        self.market = self._make_market()

    def _make_risk(self) -> RiskState:
        return RiskState(
            exposure=self._ledger.exposure(),
            held_by=self._ledger.strategy_exposure(),
            open_orders=None if self._around.replayed else {},
            instruments=self._around.kept.instruments,
        )

    def _make_stops(self) -> StopDesk:
        return StopDesk(
            ctx=self._ctx,
            ledger=self._ledger,
            shown_again=self._around.steps,
            replayed=self._around.replayed,
            kept=self._around.kept,
            strategies=self._around.strategies,
            symbols=self._around.gateway.symbols,
            claim=lambda intent: self._decide([intent]),
            keep=lambda: self.orders.keep({}),
            may_send=lambda: not self.orders.halt_reason,
        )

    def _make_exits(self) -> ExitDesk:
        return ExitDesk(
            ctx=self._ctx,
            ledger=self._ledger,
            risk=self.risk,
            kept=self._around.kept,
            managed=self._around.managed,
            stops=self.stops.book,
            decide=self._decide,
            show=lambda: self.health.show(),
            keep=lambda: self.orders.keep({}),
        )

    def _make_telling(self) -> Telling:
        return Telling(
            ctx=self._ctx,
            ledger=self._ledger,
            stages=self._stages,
            metrics=self._around.metrics,
            strategies=self._around.strategies,
            on_sent=self.stops.claimed,
        )

    def _make_orders(self) -> OrderDesk:
        limits = self._around.limits
        return OrderDesk(
            ctx=self._ctx,
            ledger=self._ledger,
            gateway=self._around.gateway,
            risk=self.risk,
            max_age_ns=self._around.max_age_ns,
            keeps_equity=bool(limits.max_daily_loss or limits.max_drawdown),
            on_claimed=self.telling.claimed,
            on_moved=self.telling.moved,
            stops=self.stops.book,
        )

    def _make_replacements(self) -> Replacements:
        return Replacements(
            ledger=self._ledger,
            noted=self.wishes,
            begun=self._around.kept.replacing,
            keep=self.orders.keep,
        )

    def _make_cancels(self) -> CancelDesk:
        return CancelDesk(
            ctx=self._ctx,
            ledger=self._ledger,
            gateway=self._around.gateway,
            desk=self.orders,
            noted=self.wishes,
            replacements=self.replacements,
            tell=self.telling.strategy,
            on_given_up=lambda: self.health.show(),
        )

    def _make_judge(self) -> Judge:
        return Judge(
            ctx=self._ctx,
            ledger=self._ledger,
            limits=self._around.limits,
            risk=self.risk,
            max_age_ns=self._around.max_age_ns,
            stages=self._stages,
            halt_reason=lambda: self.orders.halt_reason,
            not_replacing=self._not_replacing,
            bought_before=self.exits.bought_before,
            spoken_for=self.stops.book.told.spoken_for,
            seen=self._around.kept.seen,
        )

    def _not_replacing(self, intent: OrderIntent) -> Refusal | None:
        why = self.replacements.why_not(intent)
        return why or (self.exits.why_not(intent) if intent.leaves else None)

    def _make_operator(self) -> OperatorDesk:
        return OperatorDesk(
            ctx=self._ctx,
            ledger=self._ledger,
            gateway=self._around.gateway,
            desk=self.orders,
            board=self._around.kept.board,
            cancels=self.cancels,
            replacements=self.replacements,
            forgive=self._forgive_drawdown,
            on_resumed=lambda: self.settling.resumed(),
            replayed=self._around.replayed,
        )

    def _forgive_drawdown(self, write: Callable[[Mapping[str, str]], None]) -> bool:
        limits = self._around.limits
        return self.orders.books.forgive_drawdown(limits, write)

    def _make_venue(self) -> VenueDesk:
        return VenueDesk(
            ctx=self._ctx,
            ledger=self._ledger,
            gateway=self._around.gateway,
            desk=self.orders,
            risk=self.risk,
            instruments=self._around.kept.instruments,
            strategies=tuple(self._around.strategies.values()),
            compared=self._around.compared,
            show=lambda: self.health.show(),
            halt=self.operator.receive,
            on_accepted=(
                self.orders.doubled.accepted,
                self.orders.late.accepted,
                self.orphans.accepted,
            ),
        )

    def _make_health(self) -> ExecutorHealth:
        return ExecutorHealth(
            ctx=self._ctx,
            board=self._around.kept.board,
            desk=self.orders,
            stops=self.stops.shown_to_people,
            given_up=self.cancels.given_up,
            exits=self.exits,
            orphans=self.orphans,
            venue_text=self.venue.text,
            venue_matters=self.venue.matters,
        )

    def _make_settling(self) -> Settling:
        return Settling(
            ctx=self._ctx,
            desk=self.orders,
            cancels=self.cancels,
            replacements=self.replacements,
            operator=self.operator,
            health=self.health,
            decide=self._decide,
        )

    def _make_market(self) -> MarketDesk:
        return MarketDesk(
            ctx=self._ctx,
            gateway=self._around.gateway,
            stops=self.stops,
            settling=self.settling,
            metrics=self._around.metrics,
            feeds=self._around.feeds,
            saw=self.judge.saw,
            show=self.health.show,
            is_away=self._is_away,
            replayed=self._around.replayed,
            steps=self._around.steps,
        )
