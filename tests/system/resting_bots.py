"""Bots whose orders rest, at an exchange whose market moves."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from exchanges.local.server import RunningExchange, running_exchange
from ops.config_write import to_toml
from tests.exchanges.feed_run import public_config
from tests.system.live_bots import AHEAD_MS

PLUGIN = Path(__file__).with_name("halting_strategies.py")
SPEED = 60.0


@contextmanager
def moving_exchange(environment: pytest.MonkeyPatch) -> Iterator[RunningExchange]:
    """An exchange whose market moves, with its keys in the environment."""
    with running_exchange(seed=5, speed=SPEED) as running:
        keys = running.ccxt_config()
        environment.setenv("LOCAL_KEY", keys["apiKey"])
        environment.setenv("LOCAL_SECRET", keys["secret"])
        yield running


def moving_config(
    folder: Path, run: RunningExchange, strategy: str, risk: dict[str, Any], **venue: Any
) -> Path:
    """Write a config of one strategy, at that exchange."""
    document = {
        "name": "resting",
        "run_dir": str(folder / "run"),
        "mode": "live",
        "feed": {"type": "ccxt"},
        "venue": {
            "type": "ccxt",
            "exchange": "binance",
            "api_key_env": "LOCAL_KEY",
            "api_secret_env": "LOCAL_SECRET",
            **venue,
            "ccxt": public_config(run),
        },
        "strategy": [{"id": "r", "uses": strategy}],
        "risk": {"max_market_age_ms": AHEAD_MS, "price_collar_bps": "5000", **risk},
    }
    path = folder / "config.toml"
    path.write_text(to_toml(document))
    return path


def resting_config(folder: Path, run: RunningExchange, **venue: Any) -> Path:
    """Write a config whose one strategy sends orders that rest."""
    risk = {"max_position_notional": "100000"}
    return moving_config(folder, run, f"{PLUGIN}:Resting", risk, **venue)


def command(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=dict(os.environ),
    )
