"""A data directory to fill, and candles to fill it with."""

from collections.abc import Callable
from pathlib import Path

import pytest

import cli
from tests.cli.runs import objects
from tests.research.candles import Ask

pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in; `data` in it is the data directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a data command with --json; give its exit code and its objects."""

    def run(*words: object) -> tuple[int, list[dict[str, object]]]:
        code = cli.main(["data", *map(str, words), "--json"])
        return code, objects(capsys.readouterr().out)

    return run


Make = Callable[..., Path]
