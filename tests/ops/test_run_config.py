"""Where a run goes that names no place."""

import os
from pathlib import Path

import pytest

from messages.errors import ConfigError
from ops.options import StartOptions
from ops.process import run_bot
from ops.run_config import config_for, placed


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where we are; all of it happens in one second."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda *_: "20240101-000000")
    return tmp_path


def place(**options: Path | str) -> str:
    asked = StartOptions(**options)  # type: ignore[arg-type]  # by their names
    return str(placed(config_for(asked), asked).run_dir)


@pytest.mark.usefixtures("folder")
def test_demos_of_one_second_have_a_run_directory_each() -> None:
    first = "runs/demo-20240101-000000"

    assert [place() for _ in range(3)] == [first, f"{first}-2", f"{first}-3"]
    assert Path(first).stat().st_mode & 0o777 == 0o700


def test_a_start_that_is_refused_has_made_no_place(folder: Path) -> None:
    with pytest.raises(ConfigError, match="only a live run has an account to take over"):
        run_bot(StartOptions(standby=True))

    assert not (folder / "runs").exists()


def test_a_place_that_is_named_is_left_to_whoever_takes_it(folder: Path) -> None:
    for options in ({"run_dir": Path("runs/mine")}, {"exchange": "binance"}):
        assert place(**options) == place(**options)

    assert not (folder / "runs").exists()


def test_a_place_that_cannot_be_made_is_told_when_it_is_taken(folder: Path) -> None:
    (folder / "runs").symlink_to(os.devnull)

    assert place() == "runs/demo-20240101-000000"
