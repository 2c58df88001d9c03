"""Somebody else's package that has the name of one of ours and is found first is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from tests.architecture.test_names import NAMES

ROOT = Path(cli.__file__).parent
CONFIG = """
name = "mine"
[feed]
type = "demo"
limit = 20
[[strategy]]
id = "m"
uses = "strategies/mine.py:Mine"
"""
MINE = """
from strategies.protocol import Strategy
class Mine(Strategy):
    def on_candle(self, candle, position): pass
    def __init__(self, *given): pass
"""


def watchkeeper(folder: Path, *words: str, path: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
    )


@pytest.fixture
def freqtrades(tmp_path: Path) -> Path:
    """A folder of freqtrade's layout."""
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "__init__.py").touch()
    (tmp_path / "strategies" / "mine.py").write_text(MINE)
    (tmp_path / "bot.toml").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize("words", [("check",), ("start",), ("backtest",), ("publish",)])
def test_a_package_of_yours_that_hides_ours_is_named(
    freqtrades: Path, words: tuple[str, ...]
) -> None:
    more = ("--to", "nats://127.0.0.1:9", "--stream", "s") if words == ("publish",) else ()

    done = watchkeeper(freqtrades, *words, "bot.toml", *more, path=f".{os.pathsep}{ROOT}")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "watchkeeper: another package called strategies"
        f" ({freqtrades / 'strategies' / '__init__.py'}) hides watchkeeper's: rename it, or leave"
        " its folder out of PYTHONPATH, which no strategy needs: see docs/strategies.md\n"
    )


@pytest.mark.parametrize("name", ["messages", "ops", "decisions"])
def test_so_is_one_that_hides_what_the_command_line_itself_needs(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").touch()

    done = watchkeeper(tmp_path, "start", path=f".{os.pathsep}{ROOT}")

    assert (done.returncode, done.stdout) == (2, "")
    assert f"another package called {name} ({tmp_path / name}.py) hides watch" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_it_on_the_path_a_folder_may_be_called_strategies(freqtrades: Path) -> None:
    done = watchkeeper(freqtrades, "check", "bot.toml", path=str(ROOT))

    assert (done.returncode, done.stderr) == (0, "")


def test_all_of_ours_are_looked_for() -> None:
    assert {*cli._OURS, "cli"} == set(NAMES)


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> int:
        raise ImportError("no such thing")

    monkeypatch.setitem(cli._HERE, "backtest", broken)

    with pytest.raises(ImportError, match="no such thing"):
        cli.main(["backtest", "bot.toml"])
