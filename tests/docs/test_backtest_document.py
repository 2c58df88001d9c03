"""docs/backtest.md shows the report that its commands print."""

import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest

import cli

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "backtest.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_report_that_is_shown_is_the_one_that_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = re.findall(r"^```text\n(backtest of .*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_candles.py", "candles.csv", "5000"])
    runpy.run_path("examples/make_candles.py", run_name="__main__")

    assert cli.main(["backtest", "examples/replay.toml"]) == 0
    printed = capsys.readouterr().out.splitlines()

    expected = [line for line in shown.splitlines() if line.strip() != "..."]
    assert len(expected) > 5
    assert [line for line in expected if line not in printed] == []
