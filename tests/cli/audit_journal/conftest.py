"""A run with a journal, and a copy of it to be broken."""

import shutil
from pathlib import Path

import pytest

from tests.cli.audit_journal.journals import orders_filled_as_they_came
from tests.cli.runs import EXAMPLES, command

ORDERS = 26


@pytest.fixture(scope="session")
def journaled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two symbols with a journal, that ended in order. Not to be changed.

    One in which each order was filled as it came. Now and then the market goes on before some of
    them are there, and they are told of by it, all in one message.
    """
    folder = tmp_path_factory.mktemp("journaled")
    config = (EXAMPLES / "two_symbols.toml").read_text()
    path = folder / "c.toml"
    path.write_text(config + '\n[journal]\nwhen = "always"\n')
    for number in range(20):
        run = folder / f"run-{number}"
        arguments = ("--run-dir", str(run), "--max-events", "600", "--json")
        done = command("start", str(path), *arguments, cwd=EXAMPLES.parent)
        assert done.returncode == 0, done.stderr
        if orders_filled_as_they_came(run) == ORDERS:
            return run
    raise AssertionError("the market was ahead of the orders twenty times")


@pytest.fixture
def run(journaled: Path, tmp_path: Path) -> Path:
    """The same, to be broken."""
    return Path(shutil.copytree(journaled, tmp_path / "run"))
