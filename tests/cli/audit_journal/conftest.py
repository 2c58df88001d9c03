"""A run with a journal, and a copy of it to be broken."""

import shutil
from pathlib import Path

import pytest

from tests.cli.runs import EXAMPLES, command


@pytest.fixture(scope="session")
def journaled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two symbols with a journal, that ended in order. Not to be changed."""
    folder = tmp_path_factory.mktemp("journaled")
    config = (EXAMPLES / "two_symbols.toml").read_text()
    path = folder / "c.toml"
    path.write_text(config + '\n[journal]\nwhen = "always"\n')
    arguments = ("--run-dir", str(folder / "run"), "--max-events", "600", "--json")
    done = command("start", str(path), *arguments, cwd=EXAMPLES.parent)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def run(journaled: Path, tmp_path: Path) -> Path:
    """The same, to be broken."""
    return Path(shutil.copytree(journaled, tmp_path / "run"))
