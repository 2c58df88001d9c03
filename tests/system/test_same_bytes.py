"""Two runs in virtual time are the same bytes in every file; another schedule or market is not."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.runs import ROOT
from tests.replay.runs import config_of, run
from tests.system.conftest import orders_at_venue

HERE = Path(__file__).resolve().parents[2]
LOG_INDEX = "-shm"
"""SQLite's index of a write-ahead log: memory that several processes share, and no content."""


def files_of(run_dir: Path) -> dict[str, bytes]:
    """Give each file by its name, with what stood in a database's log in the database."""
    for path in run_dir.glob("*.db"):
        with closing(sqlite3.connect(path)) as raw:
            assert raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    return {
        str(path.relative_to(run_dir)): path.read_bytes()
        for path in run_dir.rglob("*")
        if path.is_file() and not path.name.endswith(LOG_INDEX)
    }


def run_here(*, schedule: int = 3, market: int = 7) -> None:
    """Run a bot of two markets in the folder `run` of the working directory."""
    symbols = ("BTC/USDT", "ETH/USDT")
    config = config_of(Path("run"), "Pairs", symbols=symbols, **{"feed.seed": market})
    run(config, seed=schedule)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Run":
    return Run(tmp_path, monkeypatch)


class Run:
    """Runs it in a new working directory."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch, self._count = folder, monkeypatch, 0

    def __call__(self, *, schedule: int = 3, market: int = 7) -> dict[str, bytes]:
        """Give the files of one run."""
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        self._monkeypatch.chdir(folder)
        run_here(schedule=schedule, market=market)
        return files_of(folder / "run")


@pytest.mark.slow
def test_the_same_run_again_is_the_same_bytes_in_every_file(files: Run) -> None:
    first, again = files(), files()

    assert {"ledger.db", "paper.db", "metrics.ndjson", "metrics_summary.json"} <= set(first)
    assert any(name.startswith("journal") for name in first)
    assert set(first) == set(again)
    assert [name for name in first if first[name] != again[name]] == []


def files_of_a_process(folder: Path, hash_seed: str) -> dict[str, bytes]:
    """Give the files of one run in a process of its own, in which words have other hashes."""
    folder.mkdir()
    code = (
        "import os; os.getpid = lambda: 7; "  # the journal's first record names its process
        "from tests.system.test_same_bytes import run_here; run_here()"
    )
    path = os.pathsep.join([str(ROOT), str(HERE)])  # the bot, and this file, which no wheel holds
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": hash_seed},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return files_of(folder / "run")


@pytest.mark.slow
def test_the_same_run_in_another_process_is_the_same_bytes_in_every_file(tmp_path: Path) -> None:
    """What goes by the order of a set is the same within a process, and in no other."""
    first, again = (files_of_a_process(tmp_path / seed, seed) for seed in ("1", "2"))

    assert {"ledger.db", "paper.db", "metrics.ndjson", "metrics_summary.json"} <= set(first)
    assert set(first) == set(again)
    assert [name for name in first if first[name] != again[name]] == []


@pytest.mark.slow
def test_another_schedule_is_another_story_of_the_same_orders(files: Run) -> None:
    first, orders = files(schedule=3), orders_at_venue(Path("run"))
    other, same_orders = files(schedule=4), orders_at_venue(Path("run"))

    changed = {name for name in first if first[name] != other[name]}
    assert {"metrics.ndjson", "journal/00000001.wkj"} <= changed
    assert orders == same_orders != []


@pytest.mark.slow
def test_another_market_is_other_orders(files: Run) -> None:
    first, other = files(market=7), files(market=8)

    changed = {name for name in first if first[name] != other[name]}
    assert {"ledger.db", "paper.db", "metrics.ndjson", "journal/00000001.wkj"} <= changed
