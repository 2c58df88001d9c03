"""Which config a start uses: the file with the flags over it, or the demo."""

import time
from pathlib import Path

import strategies
from ops.config import Config, demo_config, load
from ops.options import StartOptions


def config_for(options: StartOptions) -> Config:
    """Give the config of a start.

    Without a file: the demo, in a run directory of its own each time, because its market
    begins anew and an old ledger would rightly refuse to decide it twice.

    Raises:
        ConfigError: every mistake in the file and the flags.
    """
    given = options.overrides()
    if options.config_path is None:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        given.setdefault("run_dir", str(Path("runs") / f"demo-{stamp}"))
        return demo_config(given, strategies.check_params)
    return load(options.config_path, given, strategies.check_params)
