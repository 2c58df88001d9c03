"""What ends bots is done when they are gone, and not before; who is left is named."""

from pathlib import Path

import psutil
import pytest

from decisions.fleet_bot import Phase
from messages.exit_codes import EXIT_FAILED, EXIT_OK
from ops.fleet.asking import ask, ps
from ops.fleet.config import BotSpec
from persistence.fleet import FleetStateUnavailable
from tests.ops.fleet.fleets import Said, fleet_file, left_by_a_kill, open_fleet, running, until
from tests.ops.fleet.stubs import Stub, stub


def down(path: Path, timeout_s: float = 30.0) -> int:
    return ask(path, "down", "", timeout_s, as_json=False)


def files_of(process: Stub) -> int:
    """Give how many files it may open."""
    return psutil.Process(process.pid).rlimit(psutil.RLIMIT_NOFILE)[0]


def test_without_an_orchestrator_it_is_over_when_its_time_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bot may be given long to end; it was asked to, and the next one goes on with it."""
    path = fleet_file(tmp_path, "one", more="drain_s = 600")
    with stub(tmp_path / "runs" / "one", is_deaf=True) as bot:
        with open_fleet(path) as orchestrator:
            running(orchestrator, "one", bot)
        assert down(path, timeout_s=0.2) == EXIT_FAILED
        assert "not noted as gone, after 0.2 s: it was asked to end" in capsys.readouterr().err
        with open_fleet(path) as orchestrator:
            assert orchestrator.memories["one"].phase is Phase.DRAINING
        bot.process.kill()
        bot.gone()
        assert down(path) == EXIT_OK


def test_a_bot_that_a_person_has_started_is_left_alone_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], starts: list[BotSpec]
) -> None:
    path, run_dir = fleet_file(tmp_path, "one"), tmp_path / "runs" / "one"
    said = Said()
    with open_fleet(path, said) as orchestrator:
        with stub(run_dir) as bot:
            running(orchestrator, "one", bot)
            orchestrator._store.ask("drain", "one", 1)
            until(orchestrator, "one", Phase.STOPPED)
        with stub(run_dir) as by_hand:
            orchestrator.step()
            (warning,) = said[-1][1]["warnings"]
            assert warning == "a process that nobody here started is running in its directory"
            assert orchestrator.seen[0].pid == by_hand.pid
            left_by_a_kill(orchestrator)
            assert down(path) == EXIT_FAILED
            told = capsys.readouterr().err
            assert (
                f"one still runs, started by somebody else: watchkeeper stop --run-dir {run_dir}"
                in told
            )
            assert by_hand.process.poll() is None
        assert starts == []


def test_who_is_left_alone_keeps_the_limits_of_whoever_started_it(
    tmp_path: Path, starts: list[BotSpec]
) -> None:
    """The kernel may end a process for a bound that its person has not set."""
    path, run_dir = fleet_file(tmp_path, "one open_files = 200"), tmp_path / "runs" / "one"
    with stub(run_dir) as bot, open_fleet(path) as orchestrator:
        running(orchestrator, "one", bot)
        assert files_of(bot) == 200
        orchestrator._store.ask("drain", "one", 1)
        until(orchestrator, "one", Phase.STOPPED)
    with stub(run_dir) as by_hand:
        before = files_of(by_hand)
        ps(path, as_json=True)
        for _ in range(2):
            with open_fleet(path) as orchestrator:
                orchestrator.step()
                assert orchestrator.seen[0].pid == by_hand.pid
        assert files_of(by_hand) == before
    assert starts == []


def test_it_is_not_over_before_it_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: list[BotSpec]
) -> None:
    """The next would take each bot for one that has ended by itself, and start none."""

    def full(*_: object) -> None:
        raise FleetStateUnavailable("database or disk is full")

    path, said = fleet_file(tmp_path, "one"), Said()
    with stub(tmp_path / "runs" / "one") as bot:
        with open_fleet(path, said) as orchestrator:
            running(orchestrator, "one", bot)
            orchestrator.end()
            with monkeypatch.context() as disk:
                disk.setattr(orchestrator._store, "keep", full)
                orchestrator.step()
                bot.gone()
                bot.says(ended={"exit_code": 0, "at_ns": 1})
                orchestrator.step()
                is_over = [orchestrator.is_over]
                assert "disk is full" in said.of("failed")[0]["why"]
            orchestrator.step()
            assert [*is_over, orchestrator.is_over] == [False, True]
        with open_fleet(path) as after:
            after.step()
            assert len(starts) == 1


@pytest.mark.parametrize(("verb", "then"), [("restart", Phase.WAITING), ("drain", Phase.STOPPED)])
def test_what_a_person_asks_of_a_bot_is_done_with_the_process_that_was_started_by_hand(
    tmp_path: Path, starts: list[BotSpec], verb: str, then: Phase
) -> None:
    path, run_dir = fleet_file(tmp_path, "one"), tmp_path / "runs" / "one"
    with open_fleet(path) as orchestrator:
        with stub(run_dir) as bot:
            running(orchestrator, "one", bot)
            orchestrator._store.ask("drain", "one", 1)
            until(orchestrator, "one", Phase.STOPPED)
        with stub(run_dir) as by_hand:
            orchestrator._store.ask(verb, "one", 2)
            orchestrator.step()
            assert by_hand.gone() == 0
            until(orchestrator, "one", then)
