"""What a search is asked for."""

from collections.abc import Callable
from typing import Any

import msgspec

from research.backtest.command import BacktestOptions

Params = dict[str, dict[str, Any]]


class OptimizeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration and the command line ask for."""

    backtest: BacktestOptions
    study: str | None
    storage: str | None
    storage_env: str | None
    params: tuple[str, ...]
    trials: int
    """For each window."""
    jobs: int | None
    """None is a worker for each core."""
    windows: int
    train: float
    """How long a window is, in unseen parts."""
    objective: str
    least_orders: int
    sampler: str
    pruner: str
    seed: int
    trial_limit_s: float | None
    event_limit_s: float
    """How long a strategy may take over one event."""
    ray: str | None
    """The address of a cluster, or ``local``."""
    as_json: bool
    write: Callable[[Params], object] | None
    """Is given the best values, by strategy."""
