"""The branch that trades: the executor, and the strategies below a supervisor of their own."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from actors.account_desk import AccountSettings, AccountView
from actors.address import Address
from actors.children import ChildSpec, SupervisorSpec
from actors.executor import ExecutorActor, ExecutorKept
from actors.gateway import Gateway
from actors.strategy import Kept, StrategyActor
from decisions.strategy import StrategyRun
from decisions.supervisor import Intensity, OnExhausted, Restart, Strategy
from messages.ids import NS_PER_MS, NS_PER_S, PAPER_ACCOUNT, AccountId, ActorPath, StrategyId
from messages.values import plain_instrument
from ops.config import Config, OnDifference, StrategyConfig, VenueType
from ops.config_risk import risk_limits
from ops.wiring_strategies import Asked, ask_strategy, maker
from ops.wiring_tree import Addresses, backoff, progress_ms, supervisor_spec
from persistence.ledger import Ledger

if TYPE_CHECKING:
    from ops.live_venue import LiveVenue

FATAL = frozenset(
    {"LedgerConflict", "LedgerFenced", "LedgerUnavailable", "IllegalTransition", "VenueFailed"}
)
PASSING = frozenset({"StillWriting"})
"""The disk that a commit hangs on may take it yet: then all is as before."""


def account_of(config: Config, *, is_live: bool) -> AccountId:
    """Name the account that is traded, as decisions are keyed by it."""
    return AccountId(config.venue.exchange) if is_live else PAPER_ACCOUNT


def strategy_alone(settings: StrategyConfig, config: Config) -> StrategyRun:
    """Make one strategy that no feed and no executor knows: to be shown events, and no more."""
    return StrategyRun(
        maker(settings),
        ask_strategy(settings, config).kept.memory,
        account_of(config, is_live=config.venue.type is VenueType.CCXT),
        StrategyId(settings.id),
        settings.symbol,
        symbols=settings.symbols,
    )


def execution_branch(
    config: Config,
    open_ledger: Callable[[], Ledger],
    addresses: Addresses,
    gateway: Gateway,
    kept: ExecutorKept,
    asked: Mapping[StrategyId, Asked],
    live: "LiveVenue | None",
    account: AccountView,
    *,
    replayed: bool,
) -> ChildSpec:
    """Give the branch; `replayed`: the market begins anew each time, on a clock that waits."""
    feeds = {addresses.feed.path: addresses.feed}
    risk = config.risk
    executor_spec = ChildSpec(
        name="executor",
        actor_class=ExecutorActor,
        arguments={
            "open_ledger": open_ledger,
            "gateway": gateway,
            "limits": risk_limits(risk, replayed=replayed, live=live is not None),
            "max_decision_age_ns": None if replayed else risk.max_decision_age_ms * NS_PER_MS,
            "kept": kept,
            "metrics": addresses.metrics,
            "strategies": addresses.strategies,
            "feeds": feeds,
            "account": None if live is None else (_account_settings(config), account),
            "steps_with_market": any(one.steps for one in asked.values()),
            "traded": frozenset(
                (StrategyId(one.id), symbol)
                for one in (() if live is None else config.strategies)
                for symbol in one.symbols
            ),
            "managed": frozenset(
                one for one, of in asked.items() if of.kept.memory.managed is not None
            ),
        },
        drain=True,
        start_timeout_ms=45_000,  # it opens a ledger, over a network perhaps, and reads all of it
        shutdown_ms=30_000,
        progress_ms=progress_ms(config),
        capacity=8192,
        hang_after_ms=config.supervision.hang_after_s * 1000,
    )
    strategies_spec = SupervisorSpec(
        children=tuple(
            _strategy(
                s,
                config,
                asked[StrategyId(s.id)].kept,
                addresses.executor,
                feeds,
                live,
                replayed=replayed,
            )
            for s in config.strategies
        ),
        intensity=Intensity(
            max_restarts=config.supervision.strategy_max_restarts,
            window_s=config.supervision.strategy_window_s,
        ),
        intensity_per_child=True,
        on_exhausted=OnExhausted.HALT,
        backoff=backoff(config),
        tolerant_start=True,
    )
    execution = SupervisorSpec(
        children=(executor_spec, supervisor_spec("strategies", strategies_spec, addresses.metrics)),
        strategy=Strategy.REST_FOR_ONE,
        intensity=Intensity(max_restarts=3, window_s=60),
        on_exhausted=OnExhausted.HALT,
        backoff=backoff(config),
        fatal_errors=FATAL,
        passing_errors=PASSING,
    )
    return supervisor_spec("execution", execution, addresses.metrics)


def _account_settings(config: Config) -> AccountSettings:
    return AccountSettings(
        symbols=config.traded_symbols,
        interval_ns=config.venue.account_interval_s * NS_PER_S,
        halts=config.risk.on_account_difference is OnDifference.HALT,
    )


def _strategy(
    settings: StrategyConfig,
    config: Config,
    kept: Kept,
    executor: Address[Any],
    feeds: dict[ActorPath, Address[Any]],
    live: "LiveVenue | None",
    *,
    replayed: bool,
) -> ChildSpec:
    account = account_of(config, is_live=live is not None)
    instrument_of = plain_instrument if live is None else live.instrument
    return ChildSpec(
        name=settings.id,
        actor_class=StrategyActor,
        arguments={
            "build": maker(settings, instrument_of),
            "kept": kept,
            "account": account,
            "strategy_id": StrategyId(settings.id),
            "symbol": settings.symbol,
            "symbols": settings.symbols,
            "instrument_of": instrument_of,
            "executor": executor,
            "feeds": feeds,
            "leaves_events": replayed,
        },
        restart=Restart.TRANSIENT,
        drain=True,
        progress_ms=progress_ms(config),
        start_timeout_ms=config.supervision.hang_after_s * 1000,
        capacity=8192,
        hang_after_ms=config.supervision.hang_after_s * 1000,
    )
