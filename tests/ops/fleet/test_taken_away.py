"""A directory that is deleted, shared or full: whose the fleet is then, and what it still does."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from decisions.fleet_bot import Phase
from messages.exit_codes import EXIT_FAILED
from ops.fleet.command import up
from ops.fleet.config import BotSpec, load_fleet
from ops.fleet.fleet_lock import FleetBusy, FleetGone, FleetLock
from ops.fleet.orchestrator import Orchestrator
from tests.ops.fleet.fleets import Said, fleet_file, open_fleet, running, until
from tests.ops.fleet.stubs import stub


def test_a_bot_whose_directory_was_deleted_is_ended_and_has_a_new_one(
    tmp_path: Path, starts: list[BotSpec]
) -> None:
    path = fleet_file(tmp_path, "one", more="start_s = 0.05")
    with stub(tmp_path / "runs" / "one") as bot, open_fleet(path) as orchestrator:
        running(orchestrator, "one", bot)
        shutil.rmtree(bot.run_dir)
        while bot.process.poll() is None:
            orchestrator.step()
        until(orchestrator, "one", Phase.RUNNING)
        assert bot.gone() == 0
        assert [spec.bot for spec in starts] == ["one"]


def test_an_orchestrator_whose_own_directory_was_deleted_leaves_the_fleet_to_the_next(
    tmp_path: Path, starts: list[BotSpec]
) -> None:
    """The next finds no lock of it: two would tend the same bots."""
    path = fleet_file(tmp_path, 'one run_dir = "place"')
    with stub(tmp_path / "place") as bot, open_fleet(path) as orchestrator:
        running(orchestrator, "one", bot)
        shutil.rmtree(tmp_path / "runs")
        with pytest.raises(FleetGone, match="was taken away under this orchestrator"):
            orchestrator.step()
        with open_fleet(path) as after:
            running(after, "one", bot)
            with pytest.raises(FleetGone):
                orchestrator.step()
        assert bot.process.poll() is None
        assert starts == []


def test_up_says_that_its_directory_was_deleted_and_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoSignals:
        count = 0

    def gone(_: FleetLock) -> None:
        raise FleetGone("fleet.lock was taken away")

    monkeypatch.setattr("ops.fleet.command._Signals", NoSignals)  # pytest has its own
    monkeypatch.setattr(FleetLock, "look", gone)
    assert up(fleet_file(tmp_path, "one"), as_json=True) == EXIT_FAILED
    assert '"event":"left","why":"fleet.lock was taken away"' in capsys.readouterr().out


def test_two_fleet_files_with_one_directory_are_one_fleet(tmp_path: Path) -> None:
    path = fleet_file(tmp_path, "one")
    other = path.with_name("other.toml")
    other.write_text(path.read_text().replace("desk", "other"))
    with open_fleet(path), pytest.raises(FleetBusy, match=f"is run by orchestrator {os.getpid()}"):
        Orchestrator(load_fleet(other), Said()).open()


def test_a_pipe_in_the_place_of_the_lock_is_named(tmp_path: Path) -> None:
    path = fleet_file(tmp_path, "one")
    load_fleet(path).run_dir.mkdir(parents=True)
    os.mkfifo(load_fleet(path).run_dir / "fleet.lock")

    with pytest.raises(FleetBusy, match=r"fleet\.lock is no file, and can keep nobody out"):
        Orchestrator(load_fleet(path), Said()).open()


def test_without_room_for_its_state_it_goes_on_and_writes_it_down_when_there_is_some(
    tmp_path: Path,
) -> None:
    rule = '[[rule]]\nmeasure = "drawdown"\nover = 5\nact = "park"\n'
    path, said = fleet_file(tmp_path, "one", more=rule), Said()
    with stub(tmp_path / "runs" / "one") as bot, open_fleet(path, said) as orchestrator:
        running(orchestrator, "one", bot)
        sql: Any = orchestrator._store._database.execute_sql
        bot_memory = orchestrator._roster.bots["one"].memory
        bot_memory.restarts_ns = list(range(5_000))  # which the pages there are do not hold
        (pages,) = sql("PRAGMA page_count").fetchone()
        sql(f"PRAGMA max_page_count = {pages}")
        bot.says(pnl={"USDT": {"drawdown": "6"}})
        orchestrator.step()
        assert bot.gone() == 0
        until(orchestrator, "one", Phase.PARKED)
        orchestrator.step()
        assert {facts["why"].partition(":")[0] for facts in said.of("failed")} == {
            "FleetStateUnavailable"
        }
        assert len(said.of("failed")) == 1
        sql("PRAGMA max_page_count = 100000")
        orchestrator.step()
        assert '"phase":"parked"' in orchestrator._store.bots()[0].memory


def test_a_bot_that_cannot_be_made_says_why_and_is_no_trouble_to_the_others(
    tmp_path: Path,
) -> None:
    path, said = fleet_file(tmp_path, 'one run_dir = "/dev/null/no"', "two"), Said()
    with stub(tmp_path / "runs" / "two") as bot, open_fleet(path, said) as orchestrator:
        running(orchestrator, "two", bot)
    (one,) = said.of("waiting")
    assert one["bot"] == "one"
    assert one["why"].startswith("one cannot be started: ")
    assert one["why"].endswith("Not a directory: '/dev/null/no'")
