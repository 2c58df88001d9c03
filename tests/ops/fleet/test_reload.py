"""A fleet file that is read anew while bots run, drain and change their names and places."""

from pathlib import Path

import pytest

from decisions.fleet_bot import Phase
from ops.fleet.config import BotSpec
from tests.ops.fleet.fleets import fleet_file, left_by_a_kill, open_fleet, reload, running, until
from tests.ops.fleet.stubs import stub


def test_a_bot_with_a_new_name_waits_until_the_one_with_the_old_has_left_its_directory(
    tmp_path: Path, starts: list[BotSpec]
) -> None:
    """Else it would take up a process that is being ended, and be `stopped` with it."""
    path = fleet_file(tmp_path, 'old run_dir = "place"')
    with stub(tmp_path / "place", is_deaf=True) as bot, open_fleet(path) as orchestrator:
        running(orchestrator, "old", bot)
        fleet_file(tmp_path, 'new run_dir = "place"')
        reload(orchestrator)
        orchestrator.step()
        assert orchestrator.memories["old"].phase is Phase.DRAINING
        assert orchestrator.memories["new"].phase is Phase.WAITING
        assert orchestrator.memories["new"].why == "it waits until old has left its directory"
        assert starts == []
        bot.ends(0)
        until(orchestrator, "new", Phase.RUNNING)
        assert [spec.bot for spec in starts] == ["new"]
        orchestrator.step()
        assert "old" not in orchestrator.memories


def test_two_bots_that_change_places_are_each_started_once_the_other_has_left(
    tmp_path: Path, starts: list[BotSpec]
) -> None:
    there = 'one run_dir = "a"', 'two run_dir = "b"'
    path = fleet_file(tmp_path, *there)
    with (
        stub(tmp_path / "a") as first,
        stub(tmp_path / "b", is_deaf=True) as second,
        open_fleet(path) as orchestrator,
    ):
        running(orchestrator, "one", first)
        running(orchestrator, "two", second)
        fleet_file(tmp_path, 'one run_dir = "b"', 'two run_dir = "a"')
        reload(orchestrator)
        first.gone()
        orchestrator.step()
        orchestrator.step()
        assert orchestrator.memories["one"].phase is Phase.WAITING
        assert starts == []
        second.ends(0)
        until(orchestrator, "one", Phase.RUNNING)
        until(orchestrator, "two", Phase.RUNNING)
        assert {(spec.bot, Path(spec.run_dir).name) for spec in starts} == {
            ("one", "b"),
            ("two", "a"),
        }


def test_who_was_killed_with_a_renaming_half_done_finds_whose_process_it_is(
    tmp_path: Path, starts: list[BotSpec]
) -> None:
    path = fleet_file(tmp_path, 'old run_dir = "place"')
    with stub(tmp_path / "place", is_deaf=True) as bot:
        with open_fleet(path) as orchestrator:
            running(orchestrator, "old", bot)
            fleet_file(tmp_path, 'new run_dir = "place"')
            reload(orchestrator)
            left_by_a_kill(orchestrator)
            with open_fleet(path) as after:
                after.step()
                phases = {name: memory.phase for name, memory in after.memories.items()}
                assert phases == {"new": Phase.WAITING, "old": Phase.DRAINING}
        assert starts == []


def test_a_change_that_is_taken_back_while_the_bot_drains_for_it_is_none(
    tmp_path: Path, starts: list[BotSpec]
) -> None:
    path = fleet_file(tmp_path, "one")
    with stub(tmp_path / "runs" / "one", is_deaf=True) as bot, open_fleet(path) as orchestrator:
        running(orchestrator, "one", bot)
        fleet_file(tmp_path, "one nice = 5")
        reload(orchestrator)
        assert orchestrator.memories["one"].phase is Phase.DRAINING
        fleet_file(tmp_path, "one")
        reload(orchestrator)
        bot.ends(0)
        until(orchestrator, "one", Phase.RUNNING)
        assert [spec.nice for spec in starts] == [0]


@pytest.mark.parametrize(
    ("then", "phase", "nice"), [(Phase.PARKED, Phase.RUNNING, 5), (Phase.STOPPED, Phase.STOPPED, 5)]
)
def test_a_reload_while_a_drain_goes_on_starts_what_a_rule_parks_and_not_what_a_person_stopped(
    tmp_path: Path, starts: list[BotSpec], then: Phase, phase: Phase, nice: int
) -> None:
    rule = '[[rule]]\nmeasure = "drawdown"\nover = 5\nact = "park"\n'
    path = fleet_file(tmp_path, "one", more=rule)
    with stub(tmp_path / "runs" / "one", is_deaf=True) as bot, open_fleet(path) as orchestrator:
        running(orchestrator, "one", bot)
        if then is Phase.PARKED:
            bot.says(pnl={"USDT": {"drawdown": "6"}})
        else:
            orchestrator._store.ask("drain", "one", 1)
        orchestrator.step()
        assert orchestrator.memories["one"].then is then
        fleet_file(tmp_path, "one nice = 5", more=rule)
        reload(orchestrator)
        bot.ends(0)
        until(orchestrator, "one", phase)
        orchestrator.step()
        assert orchestrator._roster.bots["one"].spec.nice == nice
        assert len(starts) == (phase is Phase.RUNNING)


def test_a_bot_that_is_taken_out_and_put_back_while_it_drains_is_started_again(
    tmp_path: Path, starts: list[BotSpec]
) -> None:
    path = fleet_file(tmp_path, "one", "two")
    with stub(tmp_path / "runs" / "one", is_deaf=True) as bot, open_fleet(path) as orchestrator:
        bot.says()
        orchestrator.step()
        orchestrator.step()
        fleet_file(tmp_path, "two")
        reload(orchestrator)
        fleet_file(tmp_path, "one", "two")
        reload(orchestrator)
        bot.ends(0)
        until(orchestrator, "one", Phase.RUNNING)
        assert [spec.bot for spec in starts if spec.bot == "one"] == ["one"]
