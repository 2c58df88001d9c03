"""docs/optimise.md shows the report that its commands print."""

import re
import runpy
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import cli

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "optimise.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("optuna") is None, reason="the extra `optimize` is not installed")
def test_the_report_that_is_shown_is_the_one_that_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = re.findall(r"^```text\n(optimize of .*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    (first, search) = re.findall(r"^(?:python|watchkeeper) .*$", TEXT, re.MULTILINE)[:2]
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", shlex.split(first)[1:])
    runpy.run_path("examples/make_candles.py", run_name="__main__")

    assert cli.main(shlex.split(search)[1:]) == 0
    printed = capsys.readouterr().out

    assert printed == shown
