"""One study in a real PostgreSQL, several processes on it, one of them killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runs import ROOT
from tests.persistence.postgres_server import PASSWORD, running
from tests.research.optimise.markets import write_candles, write_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.stress,
    pytest.mark.skipif(
        not os.environ.get("WATCHKEEPER_STRESS"), reason="the long form: tox -e stress"
    ),
]
for needed in ("optuna", "psycopg"):
    if find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed", allow_module_level=True)

LIMIT_S = 90
VARIABLE = "WATCHKEEPER_TEST_STUDY"
WORDS = ("--param", "fast=2:30", "--param", "slow=5:90", "--min-orders", "3", "--windows", "1")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Give the URL of a database with a password, on a port of loopback."""
    for one in running():
        yield one.url


def wait_until(true: Any, limit_s: float = LIMIT_S) -> None:
    end = time.monotonic() + limit_s
    pause = threading.Event()
    while not true():
        assert time.monotonic() < end, "it did not come about"
        pause.wait(0.02)


def start(folder: Path, url: str, study: str, trials: int) -> "subprocess.Popen[str]":
    where = ("--storage-env", VARIABLE, "--study", study)
    return subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "cli", "optimize", "bot.toml", *WORDS, *where),
            *("--trials", str(trials), "--jobs", "1", "--json"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: url},
    )


def trials_of(url: str, study: str) -> list[tuple[Any, ...]]:
    """Give window, number, state, owner and values of each."""
    import psycopg

    with psycopg.connect(url) as connection:
        if connection.execute("select to_regclass('trial_params')").fetchone() == (None,):
            return []
        return connection.execute(
            "select s.study_name, t.number, t.state::text, a.value_json,"
            " (select array_agg(p.param_value order by p.param_name) from trial_params p"
            "  where p.trial_id = t.trial_id)"
            " from trials t join studies s using (study_id)"
            " join trial_user_attributes a on a.trial_id = t.trial_id and a.key = 'owner'"
            " where s.study_name like %s order by 1, 2",
            (f"{study}/%",),
        ).fetchall()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_candles(tmp_path / "candles.csv", 2_000)
    write_config(tmp_path)
    return tmp_path


def test_two_processes_make_as_many_trials_as_were_asked_for_and_no_set_twice(
    server: str, folder: Path
) -> None:
    both = [start(folder, server, "two", 20) for _ in range(2)]
    ends = [process.communicate(timeout=120) for process in both]

    assert [process.returncode for process in both] == [0, 0], ends
    assert all(PASSWORD not in text for end in ends for text in end)
    first, other = (json.loads(out) for out, _ in ends)
    assert first == other
    assert first["storage"].startswith("postgresql://127.0.0.1/")
    rows = trials_of(server, "two")
    assert len({owner for _, _, _, owner, _ in rows}) == 2
    check_windows(rows, first, 20)


def test_what_a_killed_process_had_in_hand_is_made_by_the_other(server: str, folder: Path) -> None:
    doomed = start(folder, server, "killed", 25)
    wait_until(lambda: owners(server, "killed") == 1)
    other = start(folder, server, "killed", 25)

    def both() -> bool:
        """Let the doomed one go on only while this asks: it is not to make all by itself."""
        os.kill(doomed.pid, signal.SIGCONT)
        found = owners(server, "killed")
        os.kill(doomed.pid, signal.SIGSTOP)  # so that it surely has something in hand
        return found == 2

    wait_until(both)
    doomed.kill()
    doomed.communicate()
    before = trials_of(server, "killed")

    out, said = other.communicate(timeout=120)

    assert other.returncode == 0, said
    rows = trials_of(server, "killed")
    now = {(name, number): (state, values) for name, number, state, _, values in rows}
    for name, number, state, _, values in before:
        state_now, values_now = now[name, number]
        assert values_now == values
        assert state_now != "RUNNING"
        if state != "RUNNING":
            assert state_now == state
    check_windows(rows, json.loads(out), 25)


def owners(url: str, study: str) -> int:
    return len({owner for _, _, _, owner, _ in trials_of(url, study)})


def check_windows(rows: list[tuple[Any, ...]], report: dict[str, Any], asked: int) -> None:
    for window in report["windows"]:
        counts = window["trials"]
        assert sum(counts[how] for how in ("done", "given_up", "unjudged", "failed")) == asked
        name = f"/{window['number']}"
        sets = [tuple(values) for study, *_, values in rows if study.endswith(name)]
        assert len(sets) == len(set(sets)) == asked
        assert all(state != "RUNNING" for _, _, state, _, _ in rows)
