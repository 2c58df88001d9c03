"""A disk that is full where the paper venue keeps its book: two runs end as one that had room."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.step_runtime import StepRuntime
from exchanges.paper_book import Book
from messages.lifecycle import ActorState
from ops.config import Config
from ops.run_dir import RunDir
from ops.wiring import System, build
from tests.system import test_bad_input as commands
from tests.system.conftest import (
    STRESS,
    config_of,
    orders_at_venue,
    orders_in_ledger,
    run_to_end,
)

pytestmark = pytest.mark.slow

WRITES = 19
"""Of the book, in an undisturbed run: what the account begins with, then one for each order."""
FAILED = "the venue failed: the paper book cannot be used: database or disk is full"


class Disk:
    """Where books are written. The write number `full_at` finds no room; later ones do."""

    def __init__(self, write: Callable[..., None]) -> None:
        self._write = write
        self.writes = self.full_at = 0

    def write(self, book: Book, *what: Any) -> None:
        self.writes += 1
        if self.writes == self.full_at:
            raise sqlite3.OperationalError("database or disk is full")
        self._write(book, *what)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(Book.write)
    monkeypatch.setattr(Book, "write", lambda book, *what: disk.write(book, *what))
    return disk


def config(folder: Path, name: str) -> Config:
    """A replay in which one commit claims purchases and sales."""
    path = folder / "candles.csv"
    if not path.exists():
        commands.recorded(path, 1_500)
    return config_of(folder / name, {"BTC/USDT": path})


def run_until_halted(config: Config, turn: int) -> System:
    """A run whose venue fails; it is ended in order then."""
    runtime = StepRuntime(ttl_enforced=False, turn=turn)
    with RunDir(config.run_dir) as run_dir:
        system = build(config, run_dir, runtime)
        runtime.start(system.root, 60_000_000_000)
        runtime.run_until(lambda: runtime.cells[system.executor.path].state is ActorState.HALTED)
        runtime.stop(system.root, None)
    return system


@pytest.mark.parametrize("turn", [1, 64])
def test_a_write_of_the_book_that_fails_costs_no_order_and_no_fill(
    tmp_path: Path, disk: Disk, turn: int
) -> None:
    """Whichever of them it is: also where a purchase is not kept and its sale would be."""
    run_to_end(config(tmp_path, "whole"), StepRuntime(ttl_enforced=False))
    assert disk.writes == WRITES
    whole = orders_at_venue(tmp_path / "whole"), orders_in_ledger(tmp_path / "whole")

    for number in range(1, WRITES + 1):
        disk.writes, disk.full_at = 0, number
        name = f"full-{number}"
        halted = run_until_halted(config(tmp_path, name), turn)
        run_to_end(config(tmp_path, name), StepRuntime(ttl_enforced=False))

        run_dir = tmp_path / name
        assert (orders_at_venue(run_dir), orders_in_ledger(run_dir)) == whole, number
        assert halted.board.halt.text == f"{FAILED}; open orders are left as they are"


@pytest.fixture(params=range(280, 340, 4) if STRESS else [288])
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder on a disk of its own with so many kilobytes; who is not root cannot make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = ["mount", "-t", "tmpfs", "-o", f"size={request.param}k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(made, capture_output=True, check=False).returncode:
        pytest.skip("a file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full_costs_no_order_and_no_fill(
    tmp_path: Path, small_disk: Path
) -> None:
    commands.recorded(tmp_path / "candles.csv")
    assert commands.start(commands.config(tmp_path, "whole")).returncode == 0
    path = commands.config(tmp_path, "disk")
    on_disk = small_disk / "run"

    full = commands.start(path, "--run-dir", on_disk, "--duration", 4)
    subprocess.run(["mount", "-o", "remount,size=80m", str(small_disk)], check=True)
    after = commands.start(path, "--run-dir", on_disk)

    assert (full.returncode, after.returncode) == (1, 0), full.stdout
    assert "database or disk is full" in commands.last_line(full)["reason"]
    assert "Traceback" not in full.stderr
    assert full.stderr.count("watchkeeper.log cannot be written") <= 1
    assert orders_at_venue(on_disk) == orders_at_venue(tmp_path / "whole")
    assert orders_in_ledger(on_disk) == orders_in_ledger(tmp_path / "whole")
