"""The actor that counts, and what its lines and its summary are written with."""

from collections.abc import Callable
from functools import partial
from typing import Any

from actors.children import ChildSpec
from actors.gathering import Gathering
from actors.metrics import MetricsActor
from decisions.metrics import MetricsFold
from ops.config import Config
from ops.run_dir import RunDir
from persistence.lines import RotatingLines
from persistence.rotation import RESERVE_BYTES


def metrics_child(
    config: Config,
    run_dir: RunDir,
    fold: MetricsFold,
    describe: Callable[[], dict[str, Any]],
    observe: Callable[[Any], object] | None,
    gathering: Gathering | None = None,
    settle: Callable[[], object] | None = None,
) -> ChildSpec:
    """Give the actor; before its last summary it calls `settle`, which may wait a little."""
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
            "settle": settle,
        },
        drain=True,
        shutdown_ms=15_000,  # a full mailbox, and lines that a slow disk takes one by one
        hang_after_ms=config.supervision.hang_after_s * 1000,
        # It waits for a disk, if at all: so would a successor, and this one goes on when it may.
        replaces_hung=False,
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
