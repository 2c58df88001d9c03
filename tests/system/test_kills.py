"""SIGKILL at random moments of trading: the exchange's book is that of an uninterrupted run."""

import json
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from ops.run_totals import open_keys
from tests.system.conftest import STRESS, orders_at_venue

KILLS = 200 if STRESS else 12
MOST_ORDERS, MOST_S = 40, 0.02
"""How many orders a life adds to the book before it is killed, and how much later that is, at most.
All 420 take half a second of a process that begins for twice that: a moment drawn from its whole
life is seldom one of trading."""
CONFIG = """
name = "killed"
run_dir = "{run_dir}"
[feed]
type = "replay"
path = "{path}"
symbols = ["BTC/USDT"]
[[strategy]]
id = "sma-1"
uses = "sma_cross"
[strategy.params]
fast = 10
slow = 30
"""


def start(
    folder: Path, week: Path, said: "IO[bytes] | int" = subprocess.PIPE
) -> "subprocess.Popen[bytes]":
    """Start the bot on a run directory inside `folder`, as a user would."""
    folder.mkdir(exist_ok=True)
    config = folder / "config.toml"
    config.write_text(CONFIG.format(run_dir=folder / "run", path=week))
    command = [sys.executable, "-P", "-m", "cli", "start", str(config), "--json"]
    return subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)


def finish(process: "subprocess.Popen[bytes]") -> str:
    """Wait for the end of a run; give what it printed."""
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output.decode()
    return output.decode()


def wait_for_first_order(process: "subprocess.Popen[bytes]") -> None:
    """Read its lines until it trades, or until it ends."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(b'{"event":"order"'):
            return


def orders_in(book: Path) -> int:
    """Count the orders at the exchange, at any moment of a life."""
    try:
        with closing(sqlite3.connect(f"file:{book}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM orders").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # there is none, or it is being made


def is_killed_at(folder: Path, week: Path, count: int, rng: random.Random) -> bool:
    """Kill a life soon after its book holds so many orders, if it does not end before."""
    with (folder / "said").open("ab") as said:  # of a pipe somebody would have to read
        process = start(folder, week, said)
    is_due = False
    while not is_due:
        is_due = orders_in(folder / "run/paper.db") >= count
        try:
            process.wait(rng.uniform(0, MOST_S))
        except subprocess.TimeoutExpired:
            continue
        assert process.returncode == 0, (folder / "said").read_text()
        return False
    process.kill()
    process.wait()
    return True


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_run_killed_again_and_again_leaves_the_book_of_an_uninterrupted_one(
    week: Path, tmp_path: Path
) -> None:
    """A kill counts if its life added orders to the book, and there were more to come."""
    finish(start(tmp_path / "whole", week))
    expected = orders_at_venue(tmp_path / "whole/run")
    rng = random.Random(20261123)
    kills, amid, runs = 0, 0, 0

    while amid < KILLS:
        runs += 1
        folder, there = tmp_path / f"killed-{runs}", 0
        folder.mkdir()
        while amid < KILLS and is_killed_at(folder, week, there + rng.randint(1, MOST_ORDERS), rng):
            before, there = there, orders_in(folder / "run/paper.db")
            kills += 1
            amid += before < there < len(expected)
        finish(start(folder, week))

        assert orders_at_venue(folder / "run") == expected
        last = json.loads((folder / "run" / "status.json").read_bytes())
        assert last["open_orders"] == len(open_keys(folder / "run" / "ledger.db"))

    assert amid > kills * 2 / 3, f"{amid} of {kills} kills fell while orders were sent"
    assert len({order[-1] for order in expected}) == len(expected) > 100


@pytest.mark.slow
def test_the_same_command_again_filters_every_decision(week: Path, tmp_path: Path) -> None:
    first = json.loads(finish(start(tmp_path / "a", week)).splitlines()[-1])

    again = json.loads(finish(start(tmp_path / "a", week)).splitlines()[-1])

    assert again["counters"]["allowed"] == 0
    assert again["counters"]["dupes_filtered"] == first["counters"]["allowed"]
    assert again["venue"] == {"doubled": 0, "orders": 420, "unexplained": 0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_drains_and_ends_in_order(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    command = [sys.executable, "-P", "-m", "cli", "start", "--json", "--no-chaos"]
    command += ["--run-dir", str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for_first_order(process)

    process.send_signal(number)
    output, _ = process.communicate(timeout=90)

    assert process.returncode == code, output.decode()
    last = json.loads(output.decode().splitlines()[-1])
    assert last["event"] == "end"
    assert last["venue"]["doubled"] == last["venue"]["unexplained"] == 0
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert status["ended"]["exit_code"] == code
