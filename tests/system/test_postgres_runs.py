"""Paper runs whose ledger is in PostgreSQL: both the bot and the server are killed."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from persistence.ledger_place import place_in
from persistence.reader import LedgerReader
from tests.persistence.postgres_server import PASSWORD, URL_ENV, Server, running
from tests.system.bots import Bot
from tests.system.conftest import STRESS, orders_at_venue

pytestmark = pytest.mark.slow
Start = Callable[..., Bot]
FAULTS = 60
only_long = pytest.mark.skipif(not STRESS, reason="a long proof: WATCHKEEPER_STRESS=1")
BACKEND = ("--idempotency-backend", "postgres", "--database-url-env", URL_ENV)
EVENTS = "1500" if STRESS else "400"
DEMO = ("--no-chaos", "--max-events", EVENTS, "--speed", "0")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from running()


@pytest.fixture
def environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv(URL_ENV, server.url)
    return {**os.environ}


def watchkeeper(*words: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", "cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def last(bot: Bot) -> dict[str, Any]:
    return bot.of("end")[-1]


@pytest.mark.usefixtures("environment")
def test_a_server_that_comes_up_later_is_waited_for(
    tmp_path: Path, start: Start, server: Server
) -> None:
    server.kill()
    try:
        waits = start("--run-dir", tmp_path / "run", *BACKEND, *DEMO, "--wait-for-services", "300")
        waits.until_said("waiting for the database: ")
    finally:
        server.start()
    code, said = waits.end()

    assert code == 0
    assert said.count("waiting for the database: ") == 1
    assert PASSWORD not in said
    assert last(waits)["counters"]["allowed"] > 0


def test_a_run_is_told_of_by_every_command_and_decides_nothing_twice(
    tmp_path: Path, start: Start, environment: dict[str, str]
) -> None:
    run = tmp_path / "run"
    bot = start("--run-dir", run, *BACKEND, *DEMO)
    assert bot.end()[0] == 0
    again = start("--run-dir", run, *BACKEND, *DEMO)
    assert again.end()[0] == 0

    allowed = last(bot)["counters"]["allowed"]
    counters = last(again)["counters"]
    assert allowed > 10
    assert (counters["allowed"], counters["dupes_filtered"]) == (0, allowed)
    assert last(again)["venue"]["doubled"] == last(again)["venue"]["unexplained"] == 0
    audited = watchkeeper("audit", run)
    assert audited.returncode == 0, audited.stdout
    orders = watchkeeper("orders", "--run-dir", run, "--json").stdout.splitlines()
    assert len(orders) == allowed
    key = json.loads(orders[0])["order_key"]
    assert key in watchkeeper("explain", key, "--run-dir", run).stdout
    if not STRESS:
        return
    for command in ("positions", "trades"):
        shown = watchkeeper(command, "--run-dir", run)
        assert (shown.returncode, "BTC/USDT" in shown.stdout) == (0, True)
    assert watchkeeper("dashboard", run).returncode == 0
    assert watchkeeper("halt", run, "--reason", "trial").returncode == 0
    halted = start("--run-dir", run, *BACKEND, *DEMO)
    assert halted.end()[0] == 1
    assert watchkeeper("resume", run).returncode == 0
    secret = [
        one for one in run.rglob("*") if one.is_file() and PASSWORD.encode() in one.read_bytes()
    ]
    assert secret == []


@only_long
def test_an_older_copy_that_the_server_put_back_trades_nothing_until_it_is_accepted(
    tmp_path: Path, start: Start, environment: dict[str, str], server: Server
) -> None:
    """The server knows nothing of marks: `ledger mark` says it, also twice."""
    run = tmp_path / "run"
    short = ("--no-chaos", "--max-events", "150", "--speed", "0")
    assert start("--run-dir", run, *BACKEND, *short).end()[0] == 0
    schema = json.loads((run / "ledger.db").read_text())["schema"]
    copy = server.dump(schema)
    assert start("--run-dir", run, *BACKEND, *DEMO).end()[0] == 0
    known = len(orders_at_venue(run))
    for words in (("backup", run, tmp_path / "x"), ("restore", run / "paper.db", run, "--replace")):
        refused = watchkeeper("ledger", *words)
        assert (refused.returncode, "the server's own means" in refused.stderr) == (2, True)

    for _ in range(2):
        server.put_back(schema, copy)
        assert watchkeeper("ledger", "mark", run).returncode == 0
        refused = watchkeeper("resume", run, "--despite-open")
        assert (refused.returncode, "ledger accept" in refused.stderr) == (1, True)
        halted = start("--run-dir", run, *BACKEND, *DEMO)
        assert halted.end()[0] == 1
        assert last(halted)["counters"]["allowed"] == 0
        assert len(orders_at_venue(run)) == known
        accepted = watchkeeper("ledger", "accept", run, "--evidence", "compared by hand")
        assert accepted.returncode == 0, accepted.stderr
        assert watchkeeper("resume", run).returncode == 0

    again = start("--run-dir", run, *BACKEND, *DEMO)
    assert again.end()[0] == 0
    assert last(again)["venue"]["doubled"] == 0
    assert len(orders_at_venue(run)) == known, "what was lost is found there under its own name"


@only_long
def test_a_run_directory_keeps_the_ledger_it_began_with(
    tmp_path: Path, start: Start, environment: dict[str, str]
) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    assert start("--run-dir", there, *BACKEND, "--max-events", "5", "--speed", "0").end()[0] == 0
    assert start("--run-dir", here, "--max-events", "5", "--speed", "0").end()[0] == 0

    code, said = start("--run-dir", there, "--max-events", "5", "--speed", "0").end()
    assert (code, 'start it with "postgres"' in said) == (2, True)
    code, said = start("--run-dir", here, *BACKEND, "--max-events", "5", "--speed", "0").end()
    assert (code, "ledger migrate" in said) == (2, True)


@only_long
def test_two_processes_of_one_ledger_do_not_run_at_once(
    tmp_path: Path, start: Start, environment: dict[str, str]
) -> None:
    """The second has a copy of the run directory, as another host would."""
    first = start("--run-dir", tmp_path / "a", *BACKEND, "--no-chaos", "--speed", "60")
    first.until(lambda: bool(first.of("start")))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "ledger.db").write_bytes((tmp_path / "a" / "ledger.db").read_bytes())

    code, said = start("--run-dir", tmp_path / "b", *BACKEND, "--speed", "60").end()

    assert (code, f"is traded by process {first.process.pid}" in said) == (2, True)
    assert first.end(signal.SIGTERM)[0] == 0


def test_a_server_that_is_killed_stops_new_orders_and_the_run_goes_on_when_it_is_back(
    tmp_path: Path, start: Start, environment: dict[str, str], server: Server
) -> None:
    run = tmp_path / "run"
    bot = start("--run-dir", run, *BACKEND, "--no-chaos", "--speed", "3000", "--max-events", "900")
    bot.until(lambda: len(bot.of("order")) > 10)
    server.kill()
    bot.until_why("the ledger is away")
    at_venue = len(orders_at_venue(run))
    bot.until_why("nothing new is sent")
    assert len(orders_at_venue(run)) == at_venue
    server.start()

    code, said = bot.end()
    assert code == 0, said
    assert last(bot)["venue"]["doubled"] == last(bot)["venue"]["unexplained"] == 0
    assert last(bot)["counters"]["filled"] > at_venue
    assert watchkeeper("audit", run).returncode == 0


@only_long
@pytest.mark.timeout(2400)
def test_whatever_is_killed_the_book_is_that_of_an_uninterrupted_run(
    tmp_path: Path, start: Start, environment: dict[str, str], server: Server
) -> None:
    """The bot by SIGKILL, the server by SIGKILL or paused, at random moments, again and again."""
    whole = start("--run-dir", tmp_path / "whole", *BACKEND, *DEMO)
    assert whole.end()[0] == 0
    expected = orders_at_venue(tmp_path / "whole")
    rng, pause = random.Random(20261126), threading.Event()
    faults = runs = 0
    while faults < FAULTS:
        runs += 1
        run = tmp_path / f"run-{runs}"
        while True:
            bot = start("--run-dir", run, *BACKEND, *DEMO)
            try:
                bot.process.wait(rng.uniform(0.3, 2.2) if faults < FAULTS else 120)
            except subprocess.TimeoutExpired:
                faults += 1
                _one_fault(bot, server, rng, pause)
            code, _ = bot.end()
            if code == 0:
                break
        assert orders_at_venue(run) == expected
        with LedgerReader(run / "ledger.db") as ledger:
            assert sum(ledger.states().values()) == len(expected)
            assert ledger.open_keys() == set()
        assert watchkeeper("audit", run).returncode == 0
    assert len({order[-1] for order in expected}) == len(expected) > 50


def _one_fault(bot: Bot, server: Server, rng: random.Random, pause: threading.Event) -> None:
    fault = rng.choice(("bot", "server", "both", "paused"))
    if fault in ("server", "both"):
        server.kill()
    if fault in ("bot", "both"):
        bot.process.kill()
    if fault == "paused":
        server.pause()
        pause.wait(rng.uniform(0.1, 1.0))
        server.resume()
    if fault in ("server", "both"):
        pause.wait(rng.uniform(0.0, 1.0))
        server.start()


@pytest.mark.usefixtures("environment")
def test_a_ledger_of_an_older_version_is_brought_up_by_the_start_that_looks_for_its_orders(
    tmp_path: Path, start: Start, server: Server
) -> None:
    run_dir = tmp_path / "run"
    import psycopg

    assert start("--run-dir", run_dir, *BACKEND, *DEMO).end()[0] == 0
    place = place_in(run_dir / "ledger.db")
    assert place is not None
    with psycopg.connect(server.url, autocommit=True) as session:
        session.execute(f'DROP TABLE "{place.schema}".stops CASCADE')
        session.execute(
            f"DELETE FROM \"{place.schema}\".schema_migration WHERE name = '0002_stops'"
        )

    again = start("--run-dir", run_dir, *BACKEND, *DEMO)

    assert again.end()[0] == 0
    assert last(again)["counters"]["dupes_filtered"] > 0
