"""One real run for all tests that read one, and copies of it for those that break it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cli
from tests.cli.runs import objects, real_run


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two symbols that ended in order. Not to be changed."""
    return real_run(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def copied_run(whole_run: Path, tmp_path: Path) -> Path:
    """The same, to be broken."""
    return Path(shutil.copytree(whole_run, tmp_path / "copied"))


Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command with --json that must succeed; give its objects."""

    def run(*arguments: object, code: int = 0) -> list[dict[str, Any]]:
        assert cli.main([*map(str, arguments), "--json"]) == code
        return objects(capsys.readouterr().out)

    return run
