"""A data directory to fill, and candles to fill it with."""

import os
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


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Give the folder of recorded market data, or skip."""
    beside = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
    folder = Path(os.environ.get("WATCHKEEPER_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no recorded market data at {folder}: set WATCHKEEPER_DATA")
    return folder


Make = Callable[..., Path]
