"""A market to search on."""

from pathlib import Path

import pytest

from tests.research.optimise.markets import write_candles, write_config


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four months of hours, a configuration, and we are beside them."""
    monkeypatch.chdir(tmp_path)
    write_candles(tmp_path / "candles.csv", 3_000)
    write_config(tmp_path)
    return tmp_path
