"""What one life of the crash rehearsal is given to do."""

from pathlib import Path
from typing import Any

from exchanges.local.server import RunningExchange
from ops.drill_child import Job


def job_at(run: RunningExchange, run_dir: Path, **more: Any) -> Job:
    """Give a life of four candles at an exchange."""
    keys = run.ccxt_config()
    return Job(
        config=None,
        run_dir=str(run_dir),
        candles=4,
        seed=None,
        api_key=keys.pop("apiKey"),
        secret=keys.pop("secret"),
        ccxt=keys,
        **more,
    )
