"""A process that was stopped finds itself overtaken when it goes on, and sends nothing more."""

import json
import os
import random
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import RunningExchange, running_exchange
from messages.values import OrderState
from persistence.ledger import read_orders
from tests.system.bots import Bot
from tests.system.conftest import STRESS
from tests.system.freezing import (
    Start,
    freeze_between_writes,
    freeze_with_the_locks_free,
    live,
)
from tests.system.live_bots import (
    ENVIRONMENT,
    SPEED,
    last_number,
    live_config,
    placed,
    signed,
    until_orders,
)

pytestmark = pytest.mark.slow
FENCED = 75
UNENDING = "import ops.held_account\nops.held_account.end_at_once = lambda sentence: None\n"
BLIND = """
from pathlib import Path
from persistence import lease

read = lease.SqliteLeases.read


def read_if_it_can(self):
    if Path(__file__).with_name("blind").exists():
        raise lease.LeaseUnavailable("it cannot be read")
    return read(self)


lease.SqliteLeases.read = read_if_it_can
"""
FREEZES = 40 if STRESS else 2
IN_A_WRITE = "stopped in the middle of a write; kill -9 it"


@pytest.mark.longest
def test_a_stopped_process_is_taken_over_and_sends_nothing_when_it_goes_on(
    tmp_path: Path, start: Start
) -> None:
    with running_exchange(seed=5, speed=SPEED) as run:
        config = live_config(tmp_path, run)
        first = live(start, config)
        until_orders(run, 2)
        second = live(start, config, "--standby")
        second.until_said(f"is traded by process {first.process.pid}")
        until_orders(run, 2)
        assert second.events == []

        freeze_between_writes(first, tmp_path)
        second.until(lambda: bool(second.of("start")))
        until_orders(run, 2)

        freeze_between_writes(second, tmp_path)
        before = last_number(run)
        first.send(signal.SIGCONT)
        code, said = first.end()
        of_the_first = signed(run, before)
        status = json.loads((tmp_path / "run" / "status.json").read_text())
        second.send(signal.SIGCONT)
        until_orders(run, 2)
        ended, _ = second.end(signal.SIGTERM)

        assert of_the_first == []
        assert code == FENCED
        assert f"process {second.process.pid}" in said
        assert status["pid"] == second.process.pid
        assert ended == 0
        assert max(placed(run).values()) == 1


def overtaker_of(first: Bot, standby: Callable[[], Bot], run: RunningExchange, folder: Path) -> Bot:
    """Freeze one that trades, let another take over, and freeze that one too."""
    until_orders(run, 3)
    second = standby()
    second.until_said("is traded by process")
    freeze_between_writes(first, folder)
    second.until(lambda: bool(second.of("start")))
    until_orders(run, 3)
    freeze_between_writes(second, folder)
    return second


def contents(folder: Path) -> list[bytes]:
    """Give what only the process that holds the lease may write."""
    files = ("status.json", "metrics.ndjson", "ledger.db-wal")
    return [(folder / "run" / name).read_bytes() for name in files]


def test_who_cannot_see_that_it_was_overtaken_is_as_silent(tmp_path: Path, start: Start) -> None:
    """The lease cannot be read when it goes on: all it has is the clock, and the fences."""
    (tmp_path / "sitecustomize.py").write_text(BLIND)
    more = {"PYTHONPATH": str(tmp_path)}
    with running_exchange(seed=5, speed=SPEED) as run:
        config = live_config(tmp_path, run)
        first = start(config, "--i-understand-live", environment={**ENVIRONMENT, **more})
        second = overtaker_of(first, lambda: live(start, config, "--standby"), run, tmp_path)
        before = last_number(run), contents(tmp_path)
        (tmp_path / "blind").touch()
        first.send(signal.SIGCONT)
        code, said = first.end()
        after = contents(tmp_path)
        asked = signed(run, before[0])
        second.send(signal.SIGCONT)
        until_orders(run, 2)
        assert second.end(signal.SIGTERM)[0] == 0

        assert asked == []
        assert after == before[1]
        assert code == FENCED
        assert f"was taken over by process {second.process.pid}" in said
        assert max(placed(run).values()) == 1


def test_the_fences_hold_also_in_a_process_that_does_not_end(tmp_path: Path, start: Start) -> None:
    """Ending is the last line of defence, so it is taken away here."""
    (tmp_path / "sitecustomize.py").write_text(UNENDING)
    with running_exchange(seed=5, speed=SPEED) as run:
        config = live_config(tmp_path, run)
        more = {"PYTHONPATH": str(tmp_path)}
        first = start(config, "--i-understand-live", environment={**ENVIRONMENT, **more})
        second = overtaker_of(first, lambda: live(start, config, "--standby"), run, tmp_path)
        before = last_number(run), contents(tmp_path)
        first.send(signal.SIGCONT)
        # Told by the fence, or, where its order has moved on meanwhile, by the step itself; or,
        # frozen with nothing in hand, by the clock, which lets it decide nothing more.
        taken = ("another process has taken this ledger over", "another process writes this")
        first.until(
            lambda: (
                any(part in first.said for part in taken)
                or any("the lease ended" in str(one.get("why")) for one in first.of("status"))
            )
        )
        # Later it ends all the same: its metrics find that the run directory is another's.
        is_there = first.process.poll() is None
        threading.Event().wait(2)
        after = contents(tmp_path)
        asked = signed(run, before[0])
        second.send(signal.SIGCONT)
        until_orders(run, 2)
        first.kill()
        assert second.end(signal.SIGTERM)[0] == 0

        assert is_there
        assert asked == []
        assert after == before[1]
        assert max(placed(run).values()) == 1


def test_a_process_stopped_in_the_middle_of_a_write_is_waited_for(
    tmp_path: Path, start: Start
) -> None:
    """It holds the ledger's lock until it goes on: its successor has the lease, and says so."""
    with running_exchange(seed=5, speed=SPEED) as run:
        config = live_config(tmp_path, run)
        first = live(start, config)
        until_orders(run, 2)
        second = live(start, config, "--standby")
        second.until_said("is traded by process")
        with closing(sqlite3.connect(tmp_path / "run" / "ledger.db", isolation_level=None)) as lock:
            lock.execute("PRAGMA busy_timeout = 1000")
            freeze_with_the_locks_free(first, lock)
            second.until_said(IN_A_WRITE)
            assert second.events == []
            lock.execute("ROLLBACK")
        second.until(lambda: bool(second.of("start")))
        first.send(signal.SIGCONT)
        assert first.end()[0] == FENCED
        until_orders(run, 2)
        assert second.end(signal.SIGTERM)[0] == 0

        assert max(placed(run).values()) == 1


@pytest.mark.longest
@pytest.mark.timeout(120 + 90 * FREEZES)
def test_stopped_at_any_moment_again_and_again_no_order_is_doubled_or_lost(
    tmp_path: Path, start: Start
) -> None:
    rng = random.Random(int(os.environ.get("SEED", "7")))
    with running_exchange(seed=5, speed=SPEED) as run:
        config = live_config(tmp_path, run)
        active = live(start, config)
        until_orders(run, 1)
        for _ in range(FREEZES):
            following = live(start, config, "--standby")
            following.until_said("is traded by process")
            threading.Event().wait(rng.uniform(0, 1.5))
            active = freeze(run, active, following)
        until_orders(run, 2)
        assert active.end(signal.SIGTERM)[0] == 0
        at_venue = placed(run)

    in_ledger = {
        order.client_order_id: order.state for order in read_orders(tmp_path / "run" / "ledger.db")
    }
    assert max(at_venue.values()) == 1
    assert set(at_venue) <= set(in_ledger)
    unsent = (OrderState.REFUSED, OrderState.NOT_SENT, OrderState.UNKNOWN, OrderState.SENT)
    assert {name for name, state in in_ledger.items() if state not in unsent} <= set(at_venue)


def freeze(run: RunningExchange, active: Bot, following: Bot) -> Bot:
    """Stop one, wait for the other to have taken over, let the first go on: it says nothing."""
    active.freeze()
    following.until(lambda: bool(following.of("start")) or IN_A_WRITE in following.said)
    if not following.of("start"):  # it holds the ledger's lock, and is waited for
        active.send(signal.SIGCONT)
        code, said = active.end()
        assert code == FENCED, said
        following.until(lambda: bool(following.of("start")))
        return following
    following.freeze()
    before = last_number(run)
    active.send(signal.SIGCONT)
    code, said = active.end()
    arrived = [one for one in signed(run, before) if "-1021" not in one.engine]
    following.send(signal.SIGCONT)
    assert code == FENCED, said
    assert arrived == []
    return following
