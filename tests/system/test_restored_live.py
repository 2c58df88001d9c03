"""A restored ledger against an exchange that knows more: what was sent after the copy was taken.

The bot is killed, its ledger is lost, and a copy of before takes its place.
"""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import RunningExchange, running_exchange
from ops.config_write import to_toml
from tests.exchanges.feed_run import public_config
from tests.system.bots import Bot
from tests.system.live_bots import AHEAD_MS

PLUGIN = Path(__file__).with_name("halting_strategies.py")
pytestmark = pytest.mark.slow


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=60.0) as running:
        keys = running.ccxt_config()
        monkeypatch.setenv("LOCAL_KEY", keys["apiKey"])
        monkeypatch.setenv("LOCAL_SECRET", keys["secret"])
        yield running


@pytest.fixture
def start() -> Iterator[Callable[..., Bot]]:
    bots: list[Bot] = []

    def make(*arguments: Any) -> Bot:
        bots.append(Bot(*map(str, arguments)))
        return bots[-1]

    yield make
    for bot in bots:
        bot.kill()


def config_file(folder: Path, run: RunningExchange) -> Path:
    folder.mkdir(exist_ok=True)
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
            "lease_dir": str(folder / "leases"),
            "ccxt": public_config(run),
        },
        "strategy": [{"id": "r", "uses": f"{PLUGIN}:Resting"}],
        "risk": {
            "max_market_age_ms": AHEAD_MS,
            "price_collar_bps": "5000",
            "max_position_notional": "100000",
        },
    }
    path = folder / "config.toml"
    path.write_text(to_toml(document))
    return path


def command(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=dict(os.environ),
    )


def open_at(run: RunningExchange) -> set[str]:
    return {order.client_order_id for order in run.exchange.open_orders("BTC/USDT")}


def resting(bot: Bot, count: int) -> Callable[[], bool]:
    return lambda: [one["state"] for one in bot.of("order")].count("accepted") >= count


def test_what_the_lost_ledger_sent_is_found_at_the_exchange_and_nothing_is_sent_over_it(
    tmp_path: Path, run: RunningExchange, start: Callable[..., Bot]
) -> None:
    run_dir, copy = tmp_path / "run", tmp_path / "copy.ledger"
    config = config_file(tmp_path, run)
    bot = start(config, "--i-understand-live")
    bot.until(resting(bot, 1))
    assert command("ledger", "backup", run_dir, copy).returncode == 0
    known = open_at(run)
    bot.until(lambda: len(open_at(run)) > len(known))
    bot.kill()
    lost = open_at(run) - known
    assert lost, "sent after the copy was taken"

    done = command("ledger", "restore", copy, run_dir, "--replace")
    assert done.returncode == 0, done.stderr

    # A start, whoever does it: halted from its first moment; what it knows is canceled, no more.
    placed = len(run.exchange.requests(operation="place"))
    again = start(config)
    again.until(lambda: open_at(run) == lost)
    again.until_processed(3)
    refused = command("resume", run_dir, "--despite-open")
    assert (refused.returncode, "ledger accept" in refused.stderr) == (1, True)
    assert again.end(signal.SIGTERM)[0] == 1
    assert len(run.exchange.requests(operation="place")) == placed

    refused = command("ledger", "accept", run_dir, "--evidence", "I have not looked")
    assert refused.returncode == 1
    assert "open orders that this ledger does not know" in refused.stderr
    assert open_at(run) == lost, "they are a person's to cancel"

    for name in lost:
        run.exchange.cancel("BTC/USDT", order_id=None, client_order_id=name, cancel_id="x")
    done = command("ledger", "accept", run_dir, "--evidence", "canceled by hand; nothing filled")
    assert done.returncode == 0, done.stderr
    assert command("resume", run_dir).returncode == 0

    last = start(config)
    last.until(resting(last, 1))
    names = Counter(one.client_order_id for one in run.exchange.requests(operation="place"))
    assert max(names.values()) == 1, "no order was sent twice"


@pytest.mark.skipif(
    not os.environ.get("WATCHKEEPER_STRESS"), reason="a minute of work: WATCHKEEPER_STRESS=1"
)
def test_on_another_host_while_the_old_one_runs_and_then_the_older_copy_once_more(
    tmp_path: Path, run: RunningExchange, start: Callable[..., Bot]
) -> None:
    """Nothing but the exchange knows of both hosts: each has leases of its own."""
    old, copy = tmp_path / "old", tmp_path / "copy.ledger"
    first = start(config_file(old, run), "--i-understand-live")
    first.until(resting(first, 1))
    assert command("ledger", "backup", old / "run", copy).returncode == 0
    known = open_at(run)
    first.until(lambda: len(open_at(run) - known) > 0)

    host = tmp_path / "new"
    config, run_dir = config_file(host, run), host / "run"
    assert command("ledger", "restore", copy, run_dir).returncode == 0
    accept = ("ledger", "accept", run_dir, "--config", config, "--evidence")
    refused = command(*accept, "the old one surely is dead")
    assert refused.returncode == 1, refused.stdout
    assert "open orders that this ledger does not know" in refused.stderr
    assert command("resume", run_dir, "--despite-open").returncode == 1
    assert first.end(signal.SIGTERM)[0] == 0

    for _ in range(2):
        for name in open_at(run):
            run.exchange.cancel("BTC/USDT", order_id=None, client_order_id=name, cancel_id="x")
        done = command(*accept, "all of it canceled by hand")
        assert done.returncode == 0, done.stderr
        resumed = command("resume", run_dir, "--config", config)
        assert resumed.returncode == 0, resumed.stderr
        bot = start(config, "--i-understand-live")
        bot.until(resting(bot, 1))
        bot.kill()
        assert command("ledger", "restore", copy, run_dir).returncode == 2, "it knows more"
        assert command("ledger", "restore", copy, run_dir, "--replace").returncode == 0

    assert len([*run_dir.glob("ledger.db.before-a-copy-*")]) == 2, "nothing is deleted"
    names = Counter(one.client_order_id for one in run.exchange.requests(operation="place"))
    assert max(names.values()) == 1, "no order was sent twice"
