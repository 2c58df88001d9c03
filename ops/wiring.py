"""The composition root: one config becomes one tree of actors, on either runtime."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from actors.account_desk import AccountView
from actors.address import Address
from actors.cell import Cell
from actors.children import ChildSpec, SupervisorSpec
from actors.executor import WORKER, ExecutorActor, ExecutorKept
from actors.gateway import Gateway
from actors.gathering import Gathering
from actors.operator_board import OperatorBoard
from actors.paper_gateway import PaperGateway
from actors.runtime import Runtime
from actors.supervisor import Supervisor
from decisions.ledger_figures import LedgerFigures
from decisions.metrics import MetricsFold
from decisions.supervisor import AutoShutdown, Intensity
from exchanges.paper import PaperVenue
from messages.ids import EXECUTOR, StrategyId
from ops.config import Config
from ops.config_risk import risk_limits
from ops.describe import describer, measured
from ops.earlier import EarlierExecutions
from ops.run_dir import RunDir
from ops.run_totals import with_run_totals
from ops.sources import paper_settings
from ops.wiring_execution import execution_branch
from ops.wiring_feeds import feeds_branch, path_of_feed
from ops.wiring_ledger import ledger_opener, telling_positions
from ops.wiring_metrics import metrics_child
from ops.wiring_strategies import ask_strategies
from ops.wiring_tree import Addresses, backoff
from persistence.ledger import Ledger

if TYPE_CHECKING:
    from exchanges.feed_connection import FeedConnection
    from ops.live_venue import LiveVenue


class System(msgspec.Struct, kw_only=True):
    """A wired system that has not started. `root` is started and stopped by the runtime."""

    runtime: Runtime
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
    replayed = not (config.feed.is_live or as_live)
    shared = _shared(config, run_dir, runtime, live)
    addresses, gateway, kept = shared.addresses, shared.gateway, shared.kept
    opener = open_ledger or ledger_opener(config, run_dir, runtime.clock.utc_ns)
    figures = None
    if config.metrics.enabled:
        figures = LedgerFigures()
        opener = measured(opener, figures, runtime.clock.monotonic_ns)
    earlier = EarlierExecutions(run_dir.ledger, runtime, shared.fold.money)
    opener = earlier.opening(opener)
    asked = ask_strategies(config, live)
    opener = telling_positions(opener, config, run_dir, runtime, asked, replayed=replayed)
    describe = _describer(run_dir, runtime, figures, more)
    children = (
        metrics_child(
            config, run_dir, shared.fold, describe, observe, shared.gathering, earlier.settle
        ),
        execution_branch(
            config, opener, addresses, gateway, kept, asked, live, shared.account, replayed=replayed
        ),
        feeds_branch(config, addresses, max_events, opened, asked.values()),
    )
    return System(
        runtime=runtime,
        root=_root(config, runtime, children, addresses.metrics),
        fold=shared.fold,
        feed=addresses.feed,
        executor=addresses.executor,
        metrics=addresses.metrics,
        strategies=addresses.strategies,
        gateway=gateway,
        board=kept.board,
        describe=describe,
        account=shared.account,
        ledger_figures=figures,
    )


class _Shared(msgspec.Struct, kw_only=True):
    """What several actors are given, and what outlives their incarnations."""

    addresses: Addresses
    gateway: Gateway
    kept: ExecutorKept
    fold: MetricsFold
    account: AccountView
    gathering: Gathering | None = None
    """What messages and orders go through; None with metrics off."""


def _shared(config: Config, run_dir: RunDir, runtime: Runtime, live: "LiveVenue | None") -> _Shared:
    # Before the first address: whoever is addressed has a cell.
    stages = runtime.note_hops(config.metrics.sample_every) if config.metrics.enabled else None
    addresses = _addresses(config, runtime)
    shared = _Shared(
        addresses=addresses,
        gateway=_gateway(config, run_dir, runtime, addresses.executor, live),
        kept=ExecutorKept(),
        fold=MetricsFold(),
        account=AccountView(),
    )
    if stages is not None:
        shared.gateway.leaving, shared.fold.stages = stages.leaving, stages.fold
        shared.gathering = Gathering(runtime.cells, stages)
    return shared


def _addresses(config: Config, runtime: Runtime) -> Addresses:
    return Addresses(
        executor=runtime.address(EXECUTOR),
        metrics=runtime.address("metrics"),
        feed=runtime.address(path_of_feed(config)),
        strategies={
            StrategyId(s.id): runtime.address(f"execution/strategies/{s.id}")
            for s in config.strategies
        },
    )


def _describer(
    run_dir: RunDir,
    runtime: Runtime,
    figures: LedgerFigures | None,
    more: Callable[[], dict[str, Any]],
) -> Callable[[], dict[str, Any]]:
    totals = with_run_totals(describer(runtime, run_dir.ledger, figures), run_dir.ledger)
    return lambda: {**totals(), **more()}


def _root(
    config: Config, runtime: Runtime, children: tuple[ChildSpec, ...], metrics: Address[Any]
) -> Cell:
    tree = SupervisorSpec(
        children=children,
        intensity=Intensity(max_restarts=1, window_s=300),
        backoff=backoff(config),
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
    )
    return runtime.populate("root", Supervisor, {"spec": tree, "on_event": metrics.tell})


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
            partial(
                PaperVenue,
                run_dir.path / "paper.db",
                paper_settings(config),
                strategies=[StrategyId(one.id) for one in config.strategies],
            ),
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
    executor, kept = runtime.address(EXECUTOR), ExecutorKept()
    arguments = {
        "open_ledger": open_ledger or ledger_opener(config, run_dir, runtime.clock.utc_ns),
        "gateway": _gateway(config, run_dir, runtime, executor, live),
        "limits": risk_limits(config.risk, replayed=True),
        "max_decision_age_ns": None,
        "kept": kept,
        "metrics": runtime.address("metrics"),
        "strategies": {},
        "feeds": {},
    }
    return runtime.populate(executor.path, ExecutorActor, arguments, 8192), kept.board
