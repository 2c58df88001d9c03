"""The composition root: one config becomes one tree of actors, on either runtime."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import strategies
from actors.account_desk import AccountSettings, AccountView
from actors.address import Address
from actors.cell import Cell
from actors.children import ChildSpec, SupervisorSpec
from actors.executor import WORKER, ExecutorActor, ExecutorKept
from actors.gateway import Gateway
from actors.gathering import Gathering
from actors.market_feed import FeedKept, FeedMemory, MarketFeedActor
from actors.metrics import MetricsActor
from actors.operator_board import OperatorBoard
from actors.paper_gateway import PaperGateway
from actors.runtime import Runtime
from actors.strategy import Kept, StrategyActor
from actors.supervisor import Supervisor
from decisions.ledger_figures import LedgerFigures
from decisions.market_feed import FlowControl
from decisions.metrics import MetricsFold
from decisions.strategy import StrategyLike, memory_of, warmup_candles
from decisions.supervisor import (
    AutoShutdown,
    Backoff,
    Intensity,
    OnExhausted,
    Restart,
    Strategy,
)
from decisions.wishes import plain_instrument
from exchanges.paper import PaperVenue
from exchanges.source import MarketSource
from messages.errors import ConfigError
from messages.ids import NS_PER_MS, NS_PER_S, AccountId, ActorPath, StrategyId, Symbol
from messages.values import Instrument
from ops.config import Config, FeedType, OnDifference, StrategyConfig
from ops.config_risk import risk_limits
from ops.describe import describer, measured
from ops.earlier import EarlierExecutions
from ops.earlier_positions import EarlierPositions
from ops.run_dir import RunDir
from ops.run_totals import with_run_totals
from ops.sources import open_source, paper_settings
from persistence.ledger import Ledger, SqliteLedger
from persistence.lines import RotatingLines
from persistence.memory_ledger import MemoryLedger
from persistence.rotation import RESERVE_BYTES

if TYPE_CHECKING:
    from exchanges.feed_connection import FeedConnection
    from ops.live_venue import LiveVenue

PAPER_ACCOUNT = AccountId("paper")
FATAL = frozenset({"LedgerConflict", "LedgerFenced", "LedgerUnavailable", "IllegalTransition"})


class System(msgspec.Struct, kw_only=True):
    """A wired system that has not started. `root` is started and stopped by the runtime."""

    runtime: Any
    root: Cell
    fold: MetricsFold
    feed: Address[Any]
    executor: Address[Any]
    strategies: dict[StrategyId, Address[Any]]
    metrics: Address[Any]
    gateway: Gateway
    board: OperatorBoard
    describe: Callable[[], dict[str, Any]]
    account: AccountView
    """Of a real venue: how its account compares."""
    ledger_figures: LedgerFigures | None = None
    """What the ledger shows of itself; None with metrics off."""


def build(
    config: Config,
    run_dir: RunDir,
    runtime: Runtime,
    *,
    max_events: int = 0,
    observe: Callable[[Any], object] | None = None,
    live: "LiveVenue | None" = None,
    opened: "FeedConnection | None" = None,
    open_ledger: Callable[[], Ledger] | None = None,
    more: Callable[[], dict[str, Any]] = dict,
    as_live: bool = False,
) -> System:
    """Wire everything and start nothing; `observe` sees all that Metrics sees, on its thread.

    `live` is the real venue, its gate passed; None plays one. `opened` is a connection that has
    passed the gate, for a live feed. `open_ledger` replaces the ledger that the config asks for:
    a rehearsal's. `more` goes into the summary. `as_live` treats a recorded market as one that is
    shown once, on our clock: a rehearsal's too.
    """
    stages = runtime.note_hops(config.metrics.sample_every) if config.metrics.enabled else None
    feed_path = path_of_feed(config)
    executor = runtime.address("execution/executor")
    metrics = runtime.address("metrics")
    feed = runtime.address(feed_path)
    addresses = {
        StrategyId(s.id): runtime.address(f"execution/strategies/{s.id}") for s in config.strategies
    }
    gateway, kept = _gateway(config, run_dir, runtime, executor, live), ExecutorKept()
    fold, account = MetricsFold(), AccountView()
    if stages is not None:
        gateway.leaving, fold.stages = stages.leaving, stages.fold
    gathering = None if stages is None else Gathering(runtime.cells, stages)
    open_ledger, figures = open_ledger or _ledger_opener(config, run_dir), None
    if stages is not None:
        figures = LedgerFigures()
        open_ledger = measured(open_ledger, figures, runtime.clock.monotonic_ns)
    earlier = EarlierExecutions(run_dir.ledger, runtime, fold.money)
    open_ledger = earlier.opening(open_ledger)
    memories = {StrategyId(s.id): _kept(s, config, live) for s in config.strategies}
    replayed = _is_replayed(config) and not as_live
    if not replayed:
        max_age_ns = config.risk.max_decision_age_ms * NS_PER_MS
        positions = EarlierPositions(
            run_dir.ledger, memories, config.strategies, runtime.clock.utc_ns, max_age_ns
        )
        open_ledger = positions.opening(open_ledger)
    totals = with_run_totals(describer(runtime, run_dir.ledger, figures), run_dir.ledger)

    def describe() -> dict[str, Any]:
        return {**totals(), **more()}

    tree = SupervisorSpec(
        children=(
            _metrics(config, run_dir, fold, describe, observe, gathering, earlier),
            _execution(
                config,
                open_ledger,
                runtime,
                gateway,
                kept,
                addresses,
                memories,
                feed_path,
                live,
                account,
                replayed=replayed,
            ),
            _feeds(config, feed_path, [*addresses.values(), executor], metrics, max_events, opened),
        ),
        intensity=Intensity(max_restarts=1, window_s=300),
        backoff=_backoff(config),
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
    )
    root = runtime.populate("root", Supervisor, {"spec": tree, "on_event": metrics.tell})
    return System(
        runtime=runtime,
        root=root,
        fold=fold,
        feed=feed,
        executor=executor,
        metrics=metrics,
        strategies=addresses,
        gateway=gateway,
        board=kept.board,
        describe=describe,
        account=account,
        ledger_figures=figures,
    )


def _gateway(
    config: Config,
    run_dir: RunDir,
    runtime: Runtime,
    executor: Address[Any],
    live: "LiveVenue | None",
) -> Gateway:
    gateway: Gateway
    if live is not None:
        from actors.live_gateway import LiveGateway  # asyncio, which a paper run can do without

        gateway = LiveGateway(live.venue, live.loop, executor, runtime.clock.utc_ns, live.may_send)
        gateway.clean = runtime.clean  # before it hears anything
        gateway.watch(tuple(live.facts.markets))
    else:
        gateway = PaperGateway(
            partial(PaperVenue, run_dir.path / "paper.db", paper_settings(config)),
            runtime.worker(WORKER),
            partial(runtime.flush, WORKER),
            executor,
            runtime.clock.utc_ns,
        )
        gateway.clean = runtime.clean
    gateway.symbols = config.traded_symbols
    return gateway


def executor_alone(
    config: Config,
    run_dir: RunDir,
    runtime: Runtime,
    live: "LiveVenue | None",
    open_ledger: Callable[[], Ledger] | None = None,
) -> tuple[Cell, OperatorBoard]:
    """Wire an executor that nobody tells a decision: to halt what a dead process left open.

    To be started only under a halt that is on disk: without one it would settle, and so
    perhaps send again, as any start does.
    """
    executor, kept = runtime.address("execution/executor"), ExecutorKept()
    arguments = {
        "open_ledger": open_ledger or _ledger_opener(config, run_dir),
        "gateway": _gateway(config, run_dir, runtime, executor, live),
        "limits": risk_limits(config.risk, replayed=True),
        "max_decision_age_ns": None,
        "kept": kept,
        "metrics": runtime.address("metrics"),
        "strategies": {},
        "feeds": {},
    }
    return runtime.populate(executor.path, ExecutorActor, arguments, 8192), kept.board


def account_of(config: Config, *, is_live: bool) -> AccountId:
    """Name the account that is traded, as decisions are keyed by it."""
    return AccountId(config.venue.exchange) if is_live else PAPER_ACCOUNT


def path_of_feed(config: Config) -> ActorPath:
    """Give where the feed stands in the tree."""
    return ActorPath(f"feeds/feed:{config.feed.type}")


def warmup_of(config: Config) -> int:
    """Give how many events the strategy that needs the most must see before it decides."""
    base_ns = config.feed.timeframe_ns
    counts = (warmup_candles(_maker(one)(), base_ns) for one in config.strategies)
    return max(counts, default=0)


# ---------------------------------------------------------------- one branch each


def _metrics(
    config: Config,
    run_dir: RunDir,
    fold: MetricsFold,
    describe: Callable[[], dict[str, Any]],
    observe: Callable[[Any], object] | None,
    gathering: Gathering | None,
    earlier: EarlierExecutions,
) -> ChildSpec:
    settings = config.metrics
    open_lines, write_summary = metric_writers(config, run_dir)
    return ChildSpec(
        name="metrics",
        actor_class=MetricsActor,
        arguments={
            "fold": fold,
            "open_lines": open_lines,
            "write_summary": write_summary,
            "describe": describe,
            "interval_s": settings.interval_s,
            "observe": observe,
            "gathering": gathering,
            "settle": earlier.settle,
        },
        drain=True,
        progress_ms=60_000 + 3_000 * settings.interval_s,
        capacity=100_000,
    )


def metric_writers(
    config: Config, run_dir: RunDir
) -> tuple[Callable[[], RotatingLines] | None, Callable[[bytes], None] | None]:
    """Give what opens the file of the lines, and what replaces the summary; None with metrics off.

    One thread at a time may use them.
    """
    settings = config.metrics
    if not settings.enabled:
        return None, None
    open_lines = partial(
        RotatingLines,
        run_dir.path / "metrics.ndjson",
        int(settings.rotate_max_mb * 1_000_000),
        settings.rotate_keep,
        run_dir.fence,
        max_lines=settings.rotate_max_lines,
        max_age_s=settings.rotate_max_age_s,
        reserve_bytes=RESERVE_BYTES,
    )
    return open_lines, partial(run_dir.atomic_write, "metrics_summary.json")


def _execution(
    config: Config,
    open_ledger: Callable[[], Ledger],
    runtime: Runtime,
    gateway: Gateway,
    kept: ExecutorKept,
    addresses: dict[StrategyId, Address[Any]],
    memories: dict[StrategyId, Kept],
    feed_path: ActorPath,
    live: "LiveVenue | None",
    account: AccountView,
    *,
    replayed: bool,
) -> ChildSpec:
    metrics, executor = runtime.address("metrics"), runtime.address("execution/executor")
    feeds = {feed_path: runtime.address(feed_path)}
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
            "metrics": metrics,
            "strategies": addresses,
            "feeds": feeds,
            "account": None if live is None else (_account_settings(config), account),
            "steps_with_market": _uses_stops(config),
        },
        drain=True,
        shutdown_ms=30_000,
        progress_ms=_progress_ms(config),
        capacity=8192,
        hang_after_ms=config.supervision.hang_after_s * 1000,
    )
    strategies_spec = SupervisorSpec(
        children=tuple(
            _strategy(s, config, memories[StrategyId(s.id)], executor, feeds, live)
            for s in config.strategies
        ),
        intensity=Intensity(
            max_restarts=config.supervision.strategy_max_restarts,
            window_s=config.supervision.strategy_window_s,
        ),
        intensity_per_child=True,
        on_exhausted=OnExhausted.HALT,
        backoff=_backoff(config),
        tolerant_start=True,
    )
    execution = SupervisorSpec(
        children=(executor_spec, _supervisor("strategies", strategies_spec, metrics)),
        strategy=Strategy.REST_FOR_ONE,
        intensity=Intensity(max_restarts=3, window_s=60),
        on_exhausted=OnExhausted.HALT,
        backoff=_backoff(config),
        fatal_errors=FATAL,
    )
    return _supervisor("execution", execution, metrics)


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
) -> ChildSpec:
    account = account_of(config, is_live=live is not None)
    instrument_of = plain_instrument if live is None else live.instrument
    return ChildSpec(
        name=settings.id,
        actor_class=StrategyActor,
        arguments={
            "build": _maker(settings, instrument_of),
            "kept": kept,
            "account": account,
            "strategy_id": StrategyId(settings.id),
            "symbol": settings.symbol,
            "symbols": settings.symbols,
            "instrument_of": instrument_of,
            "executor": executor,
            "feeds": feeds,
        },
        restart=Restart.TRANSIENT,
        drain=True,
        progress_ms=_progress_ms(config),
        start_timeout_ms=config.supervision.hang_after_s * 1000,
        capacity=8192,
        hang_after_ms=config.supervision.hang_after_s * 1000,
    )


def _is_replayed(config: Config) -> bool:
    """Whether the market is shown from its beginning, each time, on a clock that waits."""
    return config.feed.type in ("demo", "replay")


def _uses_stops(config: Config) -> bool:
    """Whether a strategy may attach stops; an object is asked, for it may depend on its params."""
    return any(getattr(_maker(one)(), "uses_stops", False) for one in config.strategies)


def _kept(settings: StrategyConfig, config: Config, live: "LiveVenue | None") -> Kept:
    made = _maker(settings, plain_instrument if live is None else live.instrument)()
    return Kept(memory_of(made, config.feed.timeframe_ns, settings.symbols))


def _maker(
    settings: StrategyConfig, instrument_of: Callable[[Symbol], Instrument] = plain_instrument
) -> Callable[[], StrategyLike]:
    """Give what makes a strategy; its instruments are asked each time, for rules may change."""

    def make() -> StrategyLike:
        first, *others = settings.symbols
        return strategies.build(
            settings.uses,
            settings.params,
            first,
            settings.order_notional,
            instrument_of(first),
            {symbol: instrument_of(symbol) for symbol in others},
        )

    return make


def _feeds(
    config: Config,
    feed_path: ActorPath,
    followers: list[Address[Any]],
    metrics: Address[Any],
    max_events: int,
    opened: "FeedConnection | None",
) -> ChildSpec:
    if config.feed.type is FeedType.CCXT:
        from ops.live_feed import live_feed

        feed = live_feed(
            config,
            feed_path,
            followers,
            metrics,
            history=warmup_of(config),
            max_events=max_events,
            opened=opened,
        )
    else:
        # With stops the executor is shown each event first, and nobody runs ahead of it.
        stops = _uses_stops(config)
        window, leaders = (1, followers[-1:]) if stops else (config.feed.window, [])
        flow = FlowControl([f.path for f in followers], window, [one.path for one in leaders])
        feed = ChildSpec(
            name=feed_path.rpartition("/")[2],
            actor_class=MarketFeedActor,
            arguments={
                "open_source": partial(_source, config),
                "followers": followers,
                "kept": FeedKept(FeedMemory(flow=flow)),
                "metrics": metrics,
                "speed": config.feed.speed,
                "batch": config.feed.batch,
                "max_events": max_events,
            },
        )
    feed = msgspec.structs.replace(
        feed,
        restart=Restart.TRANSIENT,
        significant=True,
        progress_ms=_progress_ms(config),
        hang_after_ms=config.supervision.hang_after_s * 1000,
    )
    spec = SupervisorSpec(
        children=(feed,),
        intensity=Intensity(max_restarts=5, window_s=60),
        backoff=_backoff(config),
        auto_shutdown=AutoShutdown.ALL_SIGNIFICANT,
    )
    child = _supervisor("feeds", spec, metrics)
    return msgspec.structs.replace(child, restart=Restart.TRANSIENT, significant=True)


def _supervisor(name: str, spec: SupervisorSpec, metrics: Address[Any]) -> ChildSpec:
    return ChildSpec(
        name=name,
        actor_class=Supervisor,
        arguments={"spec": spec, "on_event": metrics.tell},
        shutdown_ms=None,
        start_timeout_ms=60_000,
    )


# ---------------------------------------------------------------- small parts


def _progress_ms(config: Config) -> int:
    """How long no event may come: three bars of the market's pace, and a minute."""
    speed = config.feed.speed
    bars_ms = 3 * config.feed.timeframe_ns / NS_PER_MS / speed if speed else 0
    return 60_000 + int(bars_ms)


def _backoff(config: Config) -> Backoff:
    settings = config.supervision
    return Backoff(min_ms=settings.backoff_min_ms, max_ms=settings.backoff_max_ms)


def _ledger_opener(config: Config, run_dir: RunDir) -> Callable[[], Ledger]:
    if config.idempotency.backend == "memory":
        return MemoryLedger().reopened
    if config.idempotency.backend == "postgres":
        raise ConfigError(["idempotency.backend: a ledger in PostgreSQL is opened with its lease"])
    return partial(SqliteLedger, Path(run_dir.path) / "ledger.db")


def _source(config: Config) -> MarketSource:
    return open_source(config)
