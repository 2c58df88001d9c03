"""One real run for all tests that read one, and copies of it for those that break it."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cli
from tests.cli.runs import objects, real_run

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two symbols that ended in order. Not to be changed."""
    return real_run(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def copied_run(whole_run: Path, tmp_path: Path) -> Path:
    """The same, to be broken."""
    return Path(shutil.copytree(whole_run, tmp_path / "copied"))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples and a generated recording."""
    if not EXAMPLES.is_dir():
        pytest.skip("the examples are not installed")
    folder = tmp_path_factory.mktemp("market")
    shutil.copytree(EXAMPLES, folder / "examples")
    script = [sys.executable, "examples/make_candles.py", "candles.csv", "1500"]
    subprocess.run(script, check=True, cwd=folder)
    return folder


@pytest.fixture
def market(examples: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, and we are in it."""
    monkeypatch.chdir(examples)
    return examples


Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command with --json that must succeed; give its objects."""

    def run(*arguments: object, code: int = 0) -> list[dict[str, Any]]:
        assert cli.main([*map(str, arguments), "--json"]) == code
        return objects(capsys.readouterr().out)

    return run
