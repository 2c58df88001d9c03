"""How a run opens its ledger: by its config, measured, and with what earlier processes left.

What is wrapped around the opening acts in the executor's thread, before anything is decided.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from actors.runtime import Runtime
from messages.errors import ConfigError
from messages.ids import NS_PER_MS, StrategyId
from ops.config import Config, StrategyConfig
from ops.earlier_positions import EarlierPositions
from ops.run_dir import RunDir
from ops.wiring_strategies import Asked
from persistence.ledger import Ledger, SqliteLedger
from persistence.memory_ledger import MemoryLedger


def ledger_opener(
    config: Config, run_dir: RunDir, utc_ns: Callable[[], int]
) -> Callable[[], Ledger]:
    """Give what opens the ledger that the config asks for; `utc_ns` is the run's clock.

    Raises:
        ConfigError: it is one in PostgreSQL, which is opened with its lease and not here.
    """
    if config.idempotency.backend == "memory":
        return MemoryLedger().reopened
    if config.idempotency.backend == "postgres":
        raise ConfigError(["idempotency.backend: a ledger in PostgreSQL is opened with its lease"])
    return partial(SqliteLedger, Path(run_dir.path) / "ledger.db", utc_ns=utc_ns)


def telling_positions(
    open_ledger: Callable[[], Ledger],
    config: Config,
    run_dir: RunDir,
    runtime: Runtime,
    asked: Mapping[StrategyId, Asked],
    *,
    replayed: bool,
) -> Callable[[], Ledger]:
    """Have the strategies told what they hold when the ledger is opened first, if any needs it."""
    strategies = tuple(one for one in config.strategies if not replayed or _manages(one, asked))
    if not strategies:
        return open_ledger
    max_age_ns = None if replayed else config.risk.max_decision_age_ms * NS_PER_MS
    memories = {name: one.kept for name, one in asked.items()}
    positions = EarlierPositions(
        run_dir.ledger, memories, strategies, runtime.clock.utc_ns, max_age_ns
    )
    return positions.opening(open_ledger)


def _manages(one: StrategyConfig, asked: Mapping[StrategyId, Asked]) -> bool:
    return asked[StrategyId(one.id)].kept.memory.managed is not None
