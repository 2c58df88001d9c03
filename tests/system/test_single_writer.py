"""Two processes, one account: one trades, whatever happens to either. Real ones, really killed."""

import signal
import sqlite3
import threading
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import running_exchange
from messages.values import OrderState, Side
from ops.client import ask
from ops.config import load
from ops.lease_place import place_of
from ops.run_files import CONTROL_SOCKET
from persistence.ledger import read_orders
from strategies import check_params
from tests.system.bots import LIMIT_S
from tests.system.freezing import Start, lease_file, live
from tests.system.live_bots import (
    CANDLE_S,
    ENVIRONMENT,
    SPEED,
    last_number,
    live_config,
    placed,
    signed,
    until_orders,
    wait_until,
)

pytestmark = pytest.mark.slow


def health(run_dir: Path) -> dict[str, Any]:
    return ask(run_dir / CONTROL_SOCKET, "health", timeout_s=LIMIT_S)


def test_a_second_start_is_refused_and_names_the_first(tmp_path: Path, start: Start) -> None:
    with running_exchange(seed=5, speed=SPEED) as run:
        first = live(start, live_config(tmp_path, run))
        first.until(lambda: bool(first.of("start")))
        same = live(start, live_config(tmp_path, run))
        other = live(start, live_config(tmp_path, run, "other"))
        waiting = live(start, live_config(tmp_path, run, "other"), "--standby")
        endings = [bot.end() for bot in (same, other, waiting)]
        lease = health(tmp_path / "run")["lease"]
        assert first.end(signal.SIGTERM)[0] == 0
        again = live(start, live_config(tmp_path, run, "other"))
        until_orders(run, 2)
        assert again.end(signal.SIGTERM)[0] == 0

    pid = first.process.pid
    assert [code for code, _ in endings] == [2, 2, 2]
    assert all(f"is traded by process {pid} on" in said for _, said in endings)
    assert "start with --standby" in endings[0][1]
    assert "only a start with its run directory can stand by" in endings[1][1]
    assert endings[1][1] == endings[2][1]
    assert {"token": 1, "pid": pid, "barred": "", "problem": ""}.items() <= lease.items()
    assert "local-key" not in lease["account"]


def test_a_killed_process_is_taken_over_at_once(tmp_path: Path, start: Start) -> None:
    with running_exchange(seed=5, speed=SPEED) as run:
        config = live_config(tmp_path, run, lease_ms=60_000)
        first = live(start, config)
        until_orders(run, 3)
        first.kill()
        second = live(start, config)
        second.until(lambda: bool(second.of("start")), limit_s=45)
        until_orders(run, 3)
        assert second.end(signal.SIGTERM)[0] == 0

        assert max(placed(run).values()) == 1
        # The second knew what the first held: in and out by turns, but for each way out that was
        # claimed and never left, and was too old when that was proved.
        sides = [order.side for order in run.exchange.orders()]
        lost = [
            one
            for one in read_orders(tmp_path / "run/ledger.db")
            if one.side is Side.SELL and one.state is OrderState.REFUSED
        ]
        assert sum(one == other for one, other in pairwise(sides)) <= len(lost)


def test_of_two_that_stand_by_one_takes_over_and_then_the_other(
    tmp_path: Path, start: Start
) -> None:
    with running_exchange(seed=5, speed=SPEED) as run:
        config = live_config(tmp_path, run)
        first = live(start, config)
        until_orders(run, 2)
        waiting = [live(start, config, "--standby") for _ in range(2)]
        tired = live(start, config, "--standby")
        for bot in (*waiting, tired):
            bot.until_said(f"is traded by process {first.process.pid}")
        assert tired.end(signal.SIGTERM)[0] == 0
        first.kill()
        wait_until(lambda: any(bot.of("start") for bot in waiting))
        waiting.sort(key=lambda bot: not bot.of("start"))
        active, passive = waiting
        passive.until_said(f"is traded by process {active.process.pid}")
        until_orders(run, 2)
        assert passive.events == []

        assert active.end(signal.SIGTERM)[0] == 0
        passive.until(lambda: bool(passive.of("start")))
        until_orders(run, 2)
        assert passive.end(signal.SIGTERM)[0] == 0

        assert max(placed(run).values()) == 1


def test_different_accounts_do_not_know_of_one_another(tmp_path: Path, start: Start) -> None:
    with (
        running_exchange(seed=5, speed=SPEED) as one,
        running_exchange(seed=6, speed=SPEED) as other,
    ):
        bots = [
            live(start, live_config(tmp_path, one, "one")),
            live(start, live_config(tmp_path, other, "other")),
        ]
        until_orders(one, 2)
        until_orders(other, 2)
        assert [bot.end(signal.SIGTERM)[0] for bot in bots] == [0, 0]

    assert len(list((tmp_path / "leases").glob("*.db"))) == 2


def test_a_lease_that_cannot_be_renewed_halts_before_it_ends(tmp_path: Path, start: Start) -> None:
    """The lock stands for a full disk, a directory taken away, a stopped process in a write."""
    with running_exchange(seed=5, speed=SPEED) as run:
        bot = live(start, live_config(tmp_path, run))
        until_orders(run, 2)
        with closing(sqlite3.connect(lease_file(tmp_path), isolation_level=None)) as stuck:
            stuck.execute("BEGIN IMMEDIATE")
            bot.until_why("execution/executor halted: the lease of binance-")
            before = last_number(run)
            threading.Event().wait(3 * CANDLE_S)
            late = [one for one in signed(run, before) if one.operation == "place"]
            stuck.execute("ROLLBACK")
        code, _ = bot.end(signal.SIGTERM)

    assert late == []
    assert code == 1


def test_a_lease_file_that_is_no_such_thing_refuses_a_start(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_KEY", ENVIRONMENT["LOCAL_KEY"])
    with running_exchange(seed=5, speed=0) as run:
        config = live_config(tmp_path, run)
        place = place_of(load(config, {}, check_params))
        place.path.parent.mkdir(mode=0o700)
        place.path.write_bytes(b"not a lease" * 1_000)

        code, said = live(start, config).end()

        assert signed(run) == []
    assert code == 2
    assert "file is not a database" in said
    assert lease_file(tmp_path) == place.path, "it was looked for nowhere else"
