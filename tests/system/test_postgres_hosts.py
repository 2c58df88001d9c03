"""Two hosts, one account, one ledger in PostgreSQL: one trades, whatever becomes of the other.

Each has a run directory, a place for leases and a home of its own; all that they share is the
database and the exchange.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.server import RunningExchange, running_exchange
from messages.values import OrderState
from persistence.reader import LedgerReader
from tests.persistence.postgres_server import URL_ENV, Server, running
from tests.persistence.wire import Wire
from tests.system.bots import Bot
from tests.system.conftest import STRESS
from tests.system.live_bots import (
    ENVIRONMENT,
    SPEED,
    last_number,
    live_config,
    placed,
    signed,
    until_orders,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not STRESS, reason="a long proof: WATCHKEEPER_STRESS=1"),
]
Start = Callable[..., Bot]
FENCED = 75
TURNS = 8


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from running()


class Host:
    """A machine: what it has of its own, and its way to the database."""

    def __init__(self, folder: Path, run: RunningExchange, server: Server, start: Start) -> None:
        folder.mkdir()
        self._start, self.wire = start, Wire(server.port)
        self.run_dir = folder / "run"
        self.config = live_config(folder, run)
        with self.config.open("a") as config:
            config.write(f'\n[idempotency]\nbackend = "postgres"\ndatabase_url_env = "{URL_ENV}"\n')
        url = server.url.replace(f":{server.port}/", f":{self.wire.port}/")
        self._environment = {**ENVIRONMENT, URL_ENV: url, "XDG_STATE_HOME": str(folder / "state")}

    def start(self, *more: str) -> Bot:
        return self._start(self.config, "--i-understand-live", *more, environment=self._environment)


@contextmanager
def two_hosts(folder: Path, server: Server, start: Start) -> Iterator[tuple[Any, Host, Host]]:
    with running_exchange(seed=5, speed=SPEED) as run:
        one, other = (Host(folder / name, run, server, start) for name in ("a", "b"))
        os.environ[URL_ENV] = server.url
        try:
            yield run, one, other
        finally:
            del os.environ[URL_ENV]
            for host in (one, other):
                host.wire.close()


def all_settled(host: Host, run: RunningExchange) -> None:
    """No order is twice at the exchange, and each is in the ledger, with the right end."""
    assert max(placed(run).values()) == 1
    with LedgerReader(host.run_dir / "ledger.db") as ledger:
        known = {one.client_order_id: one.state for one in ledger.newest_orders()}
    unknown = set(placed(run)) - set(known)
    assert unknown == set()
    assert OrderState.SENT not in known.values()


@pytest.mark.timeout(3000)
def test_a_stopped_process_on_another_host_is_taken_over_and_sends_nothing_when_it_goes_on(
    tmp_path: Path, start: Start, server: Server
) -> None:
    with two_hosts(tmp_path, server, start) as (run, one, other):
        active = one.start()
        until_orders(run, 2)
        for _ in range(TURNS):
            passive = other.start("--standby")
            passive.until_said(f"is traded by process {active.process.pid}")
            until_orders(run, 2)
            assert passive.events == []

            active.freeze()
            passive.until(lambda passive=passive: bool(passive.of("start")))  # type: ignore[misc]  # bound in each round
            until_orders(run, 2)
            passive.freeze()
            before = last_number(run)
            active.send(signal.SIGCONT)
            code, said = active.end()
            of_the_first = signed(run, before)
            passive.send(signal.SIGCONT)
            until_orders(run, 2)

            assert of_the_first == []
            assert code == FENCED
            assert f"process {passive.process.pid}" in said
            active, one, other = passive, other, one
        assert active.end(signal.SIGTERM)[0] == 0
        all_settled(one, run)


def test_a_host_whose_network_to_the_database_is_cut_sends_nothing_and_is_taken_over(
    tmp_path: Path, start: Start, server: Server
) -> None:
    with two_hosts(tmp_path, server, start) as (run, one, other):
        active = one.start()
        until_orders(run, 2)
        passive = other.start("--standby")
        passive.until_said(f"is traded by process {active.process.pid}")

        one.wire.swallows = True
        one.wire.hold()
        passive.until(lambda: bool(passive.of("start")))
        until_orders(run, 2)
        one.wire.swallows = False
        one.wire.release()  # what it had said meanwhile arrives now
        code, said = active.end()
        until_orders(run, 2)
        assert passive.end(signal.SIGTERM)[0] == 0

        assert code == FENCED, said
        all_settled(other, run)


def test_a_second_start_on_another_host_is_refused_and_a_killed_one_is_taken_over_in_time(
    tmp_path: Path, start: Start, server: Server
) -> None:
    with two_hosts(tmp_path, server, start) as (run, one, other):
        active = one.start()
        until_orders(run, 2)
        code, said = other.start().end()
        assert (code, f"is traded by process {active.process.pid} on" in said) == (2, True)

        active.kill()
        second = other.start()
        second.until(lambda: bool(second.of("start")))
        until_orders(run, 2)
        assert second.end(signal.SIGTERM)[0] == 0

        all_settled(other, run)
