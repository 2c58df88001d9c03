"""Killed on the way and begun again, a paper run ends as if nothing had happened."""

import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from exchanges.paper import PaperSettings, PaperVenue
from exchanges.paper_book import BookRow, read_book
from messages.values import OrderState

RUN = Path(__file__).with_name("paper_run.py")
RICH = PaperSettings(balances={"USDT": Decimal(1_000_000), "BTC": Decimal(3)})


def run_whole(path: Path) -> tuple[list[BookRow], dict[str, Decimal]]:
    venue = PaperVenue(path, RICH)
    drive: Iterator[int] = runpy.run_path(str(RUN))["drive"](venue)
    for _ in drive:
        pass
    balances = venue.balances()
    venue.close()
    return list(read_book(path)), balances


def run_and_kill(path: Path, after_steps: int) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    child = subprocess.Popen(
        [sys.executable, str(RUN), str(path)], stdout=subprocess.PIPE, env=environment
    )
    assert child.stdout is not None
    with child:
        for line in child.stdout:
            if int(line) == after_steps:
                child.kill()
                break


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[BookRow], dict[str, Decimal]]:
    return run_whole(tmp_path_factory.mktemp("undisturbed") / "paper.db")


def test_the_run_is_worth_killing(undisturbed: tuple[list[BookRow], dict[str, Decimal]]) -> None:
    rows, _ = undisturbed

    assert {row.state for row in rows} >= {OrderState.FILLED, OrderState.REJECTED}
    assert any(len(row.fills) > 1 for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("after_steps", [1, 2, 17, 60, 133, 199])
def test_a_killed_run_that_is_begun_again_ends_with_the_same_book(
    tmp_path: Path,
    undisturbed: tuple[list[BookRow], dict[str, Decimal]],
    after_steps: int,
) -> None:
    run_and_kill(tmp_path / "paper.db", after_steps)
    left = list(read_book(tmp_path / "paper.db"))

    assert len(left) >= after_steps - 1
    assert run_whole(tmp_path / "paper.db") == undisturbed
