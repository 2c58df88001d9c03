"""A start whose exchange is only away: a real process waits for it, with nothing half-made."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange, running_exchange
from ops.config import load
from ops.lease import hold_lease
from ops.run_dir import RunDir
from tests.system.bots import LIMIT_S, Bot
from tests.system.live_bots import ENVIRONMENT, SPEED, live_config, placed, until_orders

pytestmark = pytest.mark.slow
Start = Callable[..., Bot]
WAIT = ("--i-understand-live", "--wait-for-services", "300")


def port_of(run: RunningExchange) -> int:
    return int(run.urls.http.rpartition(":")[2])


def test_an_exchange_that_comes_up_later_and_is_busy_then_is_traded_at(
    tmp_path: Path, start: Start
) -> None:
    with running_exchange(seed=3, speed=SPEED) as run:
        config, port = live_config(tmp_path, run), port_of(run)
    bot = start(config, *WAIT, environment=ENVIRONMENT)
    bot.until_said("waiting for the exchange: binance cannot be reached")
    with running_exchange(seed=3, speed=SPEED, port=port) as run:
        # The last question of the gate: by then it holds the lease, the lock, ledger and market.
        run.exchange.arm(Plan(fault=Fault.MAINTENANCE, operation="account"))
        until_orders(run, 1)
        code, said = bot.end(signal.SIGTERM)

        assert code == 0
        assert said.count("waiting for") == 1
        assert [one.struck for one in run.exchange.armed()] == [1]
        assert set(placed(run).values()) == {1}
    log = (tmp_path / "run" / "watchkeeper.log").read_text()
    assert "the start was waiting for the exchange: binance could not show the account" in log


def test_one_that_waits_holds_neither_its_directory_nor_its_account_and_ends_at_once(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused at the last gate, and told to ask again in an hour."""
    late = Plan(fault=Fault.TOO_MANY_REQUESTS, operation="account", times=None, retry_after_s=3600)
    with running_exchange(seed=3, speed=SPEED) as run:
        run.exchange.arm(late)
        monkeypatch.setenv("LOCAL_KEY", ENVIRONMENT["LOCAL_KEY"])  # which names the account
        path = live_config(tmp_path, run)
        waits = start(path, *WAIT, environment=ENVIRONMENT)
        waits.until_said("waiting for the exchange: binance could not show the account (HTTP 429")
        config = load(path, {})
        with hold_lease(config, standby=False, on_lost=os.abort):  # type: ignore[arg-type]  # never called here
            assert waits.process.poll() is None
        with RunDir(config.run_dir):
            assert waits.process.poll() is None
        assert waits.end(signal.SIGTERM)[0] == 0
        assert run.exchange.orders() == []


def test_a_key_that_is_refused_is_told_at_once(tmp_path: Path, start: Start) -> None:
    with running_exchange(seed=3, speed=SPEED) as run:
        run.exchange.revoke_key()
        code, said = start(live_config(tmp_path, run), *WAIT, environment=ENVIRONMENT).end()

    assert code == 2
    assert "binance refuses the key" in said
    assert "waiting" not in said


def test_one_that_waits_tells_systemd_and_ends_with_a_key_press(
    tmp_path: Path, start: Start
) -> None:
    with running_exchange(seed=3, speed=SPEED) as run:
        path = live_config(tmp_path, run)
    with (
        TemporaryDirectory(prefix="wk-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
    ):
        address = f"{folder}/notify"  # a path of the test's own may be too long for a socket
        systemd.bind(address)
        systemd.settimeout(LIMIT_S)
        waits = start(path, *WAIT, environment={**ENVIRONMENT, "NOTIFY_SOCKET": address})
        assert systemd.recv(4096).startswith(b"STATUS=waiting for the exchange: binance cannot")
        code, said = waits.end(signal.SIGINT)

    assert code == 130
    assert "Traceback" not in said
