"""`feed.timeframe` is not the recording's: no command trades on one row in sixty as if on all."""

from importlib.util import find_spec
from pathlib import Path

import pytest

import cli
from messages.errors import DataError
from ops.config import load
from ops.market_gate import market_of

SENTENCE = "candles.csv: the recording has 1m candles, feed.timeframe says 1h: correct it, or make"
SEARCH = pytest.mark.skipif(find_spec("optuna") is None, reason="the extra `optimize` is missing")


@pytest.fixture
def hourly(market: Path) -> Path:
    """The example's recording of minutes, under a configuration that takes it for hours."""
    text = (market / "examples" / "replay.toml").read_text()
    path = market / "hourly.toml"
    path.write_text(text.replace('timeframe = "1m"', 'timeframe = "1h"'))
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("start", "--run-dir", "run"),
        ("backtest",),
        ("backtest", "--verify"),
        ("backtest", "--data", "candles.csv"),
        pytest.param(("optimize", "--param", "fast=2:9"), marks=[SEARCH, pytest.mark.slow]),
    ],
)
def test_it_is_refused_before_anything_starts(
    hourly: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    command, *options = words

    assert cli.main([command, str(hourly), *options]) == 2

    told = capsys.readouterr()
    assert SENTENCE in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert not (hourly.parent / "run").exists()


def test_the_market_that_start_and_publish_open_is_refused(hourly: Path) -> None:
    with pytest.raises(DataError, match="the recording has 1m candles"), market_of(load(hourly)):
        pytest.fail("it was opened")
