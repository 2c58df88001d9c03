"""Supervision that gives up takes the process with it, which says why: at once, and when dead."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.health import HealthOptions, health
from tests.system.bots import Bot
from tests.system.test_bad_input import recorded

BROKEN = Path(__file__).with_name("broken_strategies.py")
HEALTH_UNKNOWN = 3
pytestmark = pytest.mark.slow
Start = Callable[..., Bot]


def config(folder: Path, broken: str, feed: str) -> Path:
    """A run of one strategy; restarts come at once."""
    path = folder / "bot.toml"
    path.write_text(
        f'name = "bot"\nrun_dir = "{folder / "run"}"\n'
        f'[feed]\n{feed}\nsymbols = ["BTC/USDT"]\n'
        "[supervision]\nbackoff_min_ms = 1\nbackoff_max_ms = 2\n"
        f'[[strategy]]\nid = "broken"\nuses = "{BROKEN}:{broken}"\n'
        "[strategy.params]\nfast = 5\nslow = 15\n"
    )
    return path


def in_two_files(folder: Path) -> str:
    """A recording whose second file is opened when the first has been traded on."""
    lines = recorded(folder / "all.csv")
    (folder / "1.csv").write_text("\n".join(lines[:2000]))
    (folder / "2.csv").write_text("\n".join([lines[0], *lines[2000:]]))
    return f'type = "replay"\npath = ["{folder / "1.csv"}", "{folder / "2.csv"}"]'


def end_of(
    start: Start, config: Path, *options: str, **environment: str
) -> tuple[int, dict[str, Any], str]:
    """Run to the end; give the exit code, the last line and what stands on stderr."""
    bot = start(config, *options, environment={**os.environ, **environment})
    code, said = bot.end()
    return code, bot.events[-1], said


def health_of_the_dead(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert health(HealthOptions(folder / "run")) == HEALTH_UNKNOWN
    return capsys.readouterr().out


def test_a_market_that_cannot_be_read_any_more_ends_the_process(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = tmp_path / "2.csv"
    path = config(tmp_path, "LosesTheMarket", in_two_files(tmp_path))

    code, word, said = end_of(start, path, LOST_FILE=str(lost))

    why = (
        "feeds gave up on feed:replay: 5 restarts in 60 s used up; last: "
        f"DataError: {lost}: cannot be opened: No such file or directory"
    )
    assert code == word["exit_code"] == 70
    assert (word["event"], word["reason"]) == ("end", f"supervision exhausted: {why}")
    assert "CRITICAL feeds gives up on feed:replay: 5 restarts in 60 s used up" in said
    assert f"supervision exhausted: {why} (exit code 70)" in health_of_the_dead(tmp_path, capsys)


def test_a_market_that_is_written_over_ends_the_process_and_is_not_read_anew(
    start: Start, tmp_path: Path
) -> None:
    """It would be another market, and what was read of this one not its end."""
    written = tmp_path / "all.csv"
    recorded(written)
    path = config(tmp_path, "CutsTheMarket", f'type = "replay"\npath = "{written}"')

    code, word, said = end_of(start, path, CUT_FILE=str(written))

    why = f"DataChanged: {written}: was changed while it was read: start again"
    assert code == word["exit_code"] == 70
    assert word["reason"] == (
        f"supervision exhausted: feeds gave up on feed:replay: {why} (a restart cannot mend it)"
    )
    assert "Traceback" not in said


def test_a_part_that_fails_again_and_again_under_the_root_ends_the_process(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(tmp_path, "StopsTheMetrics", 'type = "demo"\nspeed = 6000')

    code, word, said = end_of(start, path)

    why = "root gave up on metrics: 1 restarts in 300 s used up; last: shutdown"
    assert code == word["exit_code"] == 70
    assert (word["event"], word["reason"]) == ("end", f"supervision exhausted: {why}")
    assert "CRITICAL root gives up on metrics: 1 restarts in 300 s used up" in said
    assert f"supervision exhausted: {why} (exit code 70)" in health_of_the_dead(tmp_path, capsys)


def test_what_does_not_come_up_ends_the_process(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run" / "ledger.db-wal").mkdir(parents=True)

    code, word, said = end_of(start, config(tmp_path, "StopsTheMetrics", 'type = "demo"'))

    assert code == word["exit_code"] == 70
    assert word["reason"].startswith("it did not start: execution: ")
    assert "StartFailed" not in said
    assert word["reason"].endswith("ledger.db cannot be used: disk I/O error")
    assert f"watchkeeper: {word['reason']}" in said
    assert f"{word['reason']} (exit code 70)" in health_of_the_dead(tmp_path, capsys)


def test_a_strategy_that_fails_on_every_event_is_parked_and_takes_nobody_with_it(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run goes on to the end of its market; only its exit code tells that it was not whole."""
    path = config(tmp_path, "FailsAlways", in_two_files(tmp_path))

    code, word, said = end_of(start, path)

    why = "halted: 3 restarts in 60 s used up; last: RuntimeError: no candle suits me"
    assert code == word["exit_code"] == 1
    assert word["counters"]["processed"] == 3_000
    assert word["reason"].startswith(why)
    assert "CRITICAL execution/strategies gives up on broken: 3 restarts" in said
    assert why in health_of_the_dead(tmp_path, capsys)
