"""An orchestrator that was killed in between: the next neither doubles nor loses a bot."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from decisions.fleet_bot import BotMemory, Phase
from messages.exit_codes import EXIT_FAILED, EXIT_OK
from ops.fleet.asking import ps
from ops.fleet.bots import BotProcess
from ops.fleet.config import BotSpec, load_fleet
from ops.fleet.orchestrator import STATE
from ops.run_files import LOCK
from persistence.fleet import FleetStore, Kept
from tests.ops.fleet.fleets import (
    Killed,
    Said,
    fleet_file,
    json_of,
    left_by_a_kill,
    open_fleet,
    running,
    until,
)
from tests.ops.fleet.stubs import stub


def test_killed_before_a_start_nothing_runs_and_the_next_starts_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: list[BotSpec]
) -> None:
    path = fleet_file(tmp_path, "one")

    def killed(_: BotProcess) -> int:
        raise Killed

    with open_fleet(path) as orchestrator:
        with monkeypatch.context() as patch:
            patch.setattr(BotProcess, "start", killed)
            with pytest.raises(Killed):
                orchestrator.step()
        left_by_a_kill(orchestrator)
        with open_fleet(path) as after:
            after.step()
            assert [spec.bot for spec in starts] == ["one"]


@pytest.mark.parametrize("is_deaf", [False, True])
def test_a_bot_that_was_perhaps_never_told_to_end_is_told_before_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_deaf: bool
) -> None:
    """Whoever decided it was killed between noting and signalling."""
    path = fleet_file(tmp_path, "one", more="drain_s = 0.05")

    def killed(_: BotProcess) -> None:
        raise Killed

    said = Said()
    with (
        stub(tmp_path / "runs" / "one", is_deaf=is_deaf) as bot,
        open_fleet(path) as orchestrator,
    ):
        running(orchestrator, "one", bot)
        orchestrator._store.ask("drain", "one", 1)
        with monkeypatch.context() as patch:
            patch.setattr(BotProcess, "drain", killed)
            with pytest.raises(Killed):
                orchestrator.step()
        left_by_a_kill(orchestrator)
        with open_fleet(path, said) as after:
            assert after.memories["one"].phase is Phase.DRAINING
            told = after._roster.bots["one"].process
            while not told.was_told and after.memories["one"].phase is Phase.DRAINING:
                after.step()  # one that hears at once has ended by the end of the same look
            if not is_deaf:
                assert bot.gone() == 0
            until(after, "one", Phase.STOPPED)
        assert bot.gone() == (-9 if is_deaf else 0)
        assert len(said.of("killed")) == is_deaf


def test_what_stood_there_before_its_start_is_no_word_of_it_for_the_next_orchestrator_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: list[BotSpec]
) -> None:
    """In a container that is started anew pids are what they were."""
    rule = '[[rule]]\nmeasure = "drawdown"\nover = 5\nact = "park"\n'
    path = fleet_file(tmp_path, "one", more=rule)
    with stub(tmp_path / "runs" / "one") as bot:
        bot.says(pnl={"USDT": {"drawdown": "9"}}, ended={"exit_code": 0, "at_ns": 1})
        with monkeypatch.context() as patch:
            patch.setattr(BotProcess, "adopt", lambda _: None)
            with open_fleet(path) as orchestrator:
                orchestrator.step()
                assert len(starts) == 1, "and this bot is what was started"
                left_by_a_kill(orchestrator)
        with open_fleet(path) as after:
            after.step()
            memory = after.memories["one"]
            assert (memory.phase, memory.speaks) == (Phase.RUNNING, False)
            bot.process.kill()
            bot.gone()
            left_by_a_kill(after)
            with open_fleet(path) as last:
                last.step()
                assert last.memories["one"].phase is Phase.WAITING
                assert "it left no word" in last.memories["one"].why


def test_who_is_gone_with_its_orchestrator_does_not_run_for_whoever_looks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a power cut: what was noted last is that all run."""
    path = fleet_file(tmp_path, "one")
    with stub(tmp_path / "runs" / "one") as bot, open_fleet(path) as orchestrator:
        running(orchestrator, "one", bot)
        left_by_a_kill(orchestrator)
        assert ps(path, as_json=False) == EXIT_OK
        bot.ends(None)
        assert ps(path, as_json=False) == EXIT_FAILED
        assert capsys.readouterr().out.count("no orchestrator is running") == 2


def test_a_pid_that_another_process_has_by_now_is_neither_taken_up_nor_signalled(
    tmp_path: Path, starts: list[BotSpec]
) -> None:
    """It was noted before a reboot; its lock file names it too. Here it is the test's own."""
    path = fleet_file(tmp_path, "one")
    run_dir = tmp_path / "runs" / "one"
    run_dir.mkdir(parents=True)
    (run_dir / LOCK).write_text(f"{os.getpid()}\n\n")
    memory = BotMemory(phase=Phase.RUNNING, since_ns=1)
    with closing(FleetStore(tmp_path / "runs" / STATE)) as store:
        spec = json_of(load_fleet(path).bots[0])
        pid = os.getpid()
        kept = Kept(bot="one", place=0, spec=spec, memory=json_of(memory), pid=pid, exit_code=None)
        store.keep(kept)
    with open_fleet(path) as orchestrator:
        orchestrator.step()
        assert orchestrator.memories["one"].phase is Phase.WAITING
        assert "it left no word" in orchestrator.memories["one"].why
        until(orchestrator, "one", Phase.RUNNING)
        assert len(starts) == 1
