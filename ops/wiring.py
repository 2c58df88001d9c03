"""The composition root: one config becomes one tree of actors, on either runtime."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from actors.account_desk import AccountView
from actors.address import Address
from actors.cell import Cell
from actors.children import ChildSpec, SupervisorSpec
from actors.executor import WORKER, ExecutorActor, ExecutorKept
from actors.gateway import Gateway
from actors.gathering import Gathering
from actors.metrics import MetricsActor
from actors.operator_board import OperatorBoard
from actors.paper_gateway import PaperGateway
from actors.runtime import Runtime
from actors.supervisor import Supervisor
from decisions.ledger_figures import LedgerFigures
from decisions.metrics import MetricsFold
from decisions.supervisor import (
    AutoShutdown,
    Intensity,
)
from exchanges.paper import PaperVenue
from messages.errors import ConfigError
from messages.ids import NS_PER_MS, StrategyId
from ops.config import Config
from ops.config_risk import risk_limits
from ops.describe import describer, measured
from ops.earlier import EarlierExecutions
from ops.earlier_positions import EarlierPositions
from ops.run_dir import RunDir
from ops.run_totals import with_run_totals
from ops.sources import paper_settings
from ops.wiring_execution import execution_branch
from ops.wiring_feeds import feeds_branch, path_of_feed
from ops.wiring_strategies import ask_strategies
from ops.wiring_tree import backoff
from persistence.ledger import Ledger, SqliteLedger
from persistence.lines import RotatingLines
from persistence.memory_ledger import MemoryLedger
from persistence.rotation import RESERVE_BYTES

if TYPE_CHECKING:
    from exchanges.feed_connection import FeedConnection
    from ops.live_venue import LiveVenue


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
    asked = ask_strategies(config, live)
    replayed = not (config.feed.is_live or as_live)
    begun_with = tuple(
        one
        for one in config.strategies
        if not replayed or asked[StrategyId(one.id)].kept.memory.managed is not None
    )
    if begun_with:
        max_age_ns = None if replayed else config.risk.max_decision_age_ms * NS_PER_MS
        memories = {name: one.kept for name, one in asked.items()}
        positions = EarlierPositions(
            run_dir.ledger, memories, begun_with, runtime.clock.utc_ns, max_age_ns
        )
        open_ledger = positions.opening(open_ledger)
    totals = with_run_totals(describer(runtime, run_dir.ledger, figures), run_dir.ledger)

    def describe() -> dict[str, Any]:
        return {**totals(), **more()}

    tree = SupervisorSpec(
        children=(
            _metrics(config, run_dir, fold, describe, observe, gathering, earlier),
            execution_branch(
                config,
                open_ledger,
                runtime,
                gateway,
                kept,
                addresses,
                asked,
                feed_path,
                live,
                account,
                replayed=replayed,
            ),
            feeds_branch(
                config,
                feed_path,
                [*addresses.values(), executor],
                metrics,
                max_events,
                opened,
                asked.values(),
            ),
        ),
        intensity=Intensity(max_restarts=1, window_s=300),
        backoff=backoff(config),
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
        gateway.name_of = live.name_of
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


# ---------------------------------------------------------------- metrics


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


# ---------------------------------------------------------------- small parts


def _ledger_opener(config: Config, run_dir: RunDir) -> Callable[[], Ledger]:
    if config.idempotency.backend == "memory":
        return MemoryLedger().reopened
    if config.idempotency.backend == "postgres":
        raise ConfigError(["idempotency.backend: a ledger in PostgreSQL is opened with its lease"])
    return partial(SqliteLedger, Path(run_dir.path) / "ledger.db")
