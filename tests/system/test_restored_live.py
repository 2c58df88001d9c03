"""A restored ledger against an exchange that knows more: what was sent after the copy was taken.

The bot is killed, its ledger is lost, and a copy of before takes its place.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import RunningExchange
from persistence.ledger import read_orders
from tests.system.bots import Bot
from tests.system.live_bots import last_number
from tests.system.resting_bots import command, moving_exchange, resting_config

pytestmark = pytest.mark.slow


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningExchange]:
    with moving_exchange(monkeypatch) as running:
        yield running


def config_file(folder: Path, run: RunningExchange) -> Path:
    folder.mkdir(exist_ok=True)
    return resting_config(folder, run, lease_dir=str(folder / "leases"))


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
    known = {order.client_order_id for order in read_orders(copy)}
    bot.until(lambda: bool(open_at(run) - known))
    bot.kill()
    last_number(run)  # what had left by then has arrived
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
    known = {order.client_order_id for order in read_orders(copy)}
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
