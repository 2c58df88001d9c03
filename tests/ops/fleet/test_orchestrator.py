"""What an orchestrator does where it was killed, stopped, or has no room; most without a bot."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from decisions.fleet_bot import Phase, started
from messages.ids import NS_PER_S
from ops.fleet.asking import ps
from ops.fleet.config import FleetConfig, parse_fleet
from ops.fleet.orchestrator import OK, STATE, Orchestrator
from ops.run_dir import RunDir
from persistence.fleet import FleetStateUnavailable, FleetStore, Kept
from tests.ops.fleet.fleets import Killed


def fleet_of(folder: Path, **bot: Any) -> FleetConfig:
    (folder / "one.toml").write_text('name = "one"\n')
    document = {
        "name": "desk",
        "run_dir": "runs",
        "stagger_s": 0,
        "bot": [{"id": "one", "config": "one.toml", **bot}],
    }
    return parse_fleet(document, folder / "fleet.toml")


def told(*_: object, **__: object) -> None:
    """Hear what is said."""


@contextmanager
def opened(fleet: FleetConfig, say: Callable[..., object] = told) -> Iterator[Orchestrator]:
    """What it has started is killed at the end."""
    orchestrator = Orchestrator(fleet, say)
    with orchestrator:
        try:
            yield orchestrator
        finally:
            for bot in orchestrator._roster:
                if bot.process._child is not None:
                    bot.process.kill()
                    bot.process._child.wait(30)


def test_a_bot_that_was_changed_while_it_was_down_is_started_as_it_is_now(tmp_path: Path) -> None:
    with opened(fleet_of(tmp_path, run_dir="old")) as orchestrator:
        orchestrator.end()
        orchestrator.step()
    with opened(fleet_of(tmp_path, run_dir="new")) as orchestrator:
        orchestrator.step()
        assert orchestrator.memories["one"].phase is Phase.RUNNING
    assert (tmp_path / "new" / "start.out").exists()
    assert not (tmp_path / "old").exists()


def test_what_was_started_and_not_noted_is_found_before_it_has_taken_its_lock(
    tmp_path: Path,
) -> None:
    fleet = fleet_of(tmp_path)
    with opened(fleet) as killed:
        before = killed._store.bots()
        killed.step()
        child = killed._roster.bots["one"].process
        for kept in before:
            killed._store.keep(kept)
        assert killed._lock is not None
        killed._lock.close()  # which is what is left of a process that was killed
        killed._lock = None
        with opened(fleet) as orchestrator:
            assert orchestrator._roster.bots["one"].process.pid == child.pid
            assert orchestrator.memories["one"].phase is Phase.RUNNING


def test_a_limit_that_the_kernel_does_not_keep_is_told_and_the_bot_runs(tmp_path: Path) -> None:
    said: list[tuple[str, dict[str, object]]] = []
    most = int(Path("/proc/sys/fs/nr_open").read_text())
    fleet = fleet_of(tmp_path, open_files=most + 1)
    with opened(fleet, lambda event, **facts: said.append((event, facts))) as orchestrator:
        orchestrator.step()

        assert orchestrator.memories["one"].phase is Phase.RUNNING
    (told,) = [facts for event, facts in said if event == "unlimited"]
    assert told["bot"] == "one"
    assert str(told["why"]).startswith("open_files (")


def test_every_wish_to_go_down_ends_with_the_fleet_and_none_ends_the_next(tmp_path: Path) -> None:
    with opened(fleet_of(tmp_path)) as orchestrator:
        with closing(FleetStore(tmp_path / "runs" / STATE)) as store:
            first = store.ask("down", "", 1)
            orchestrator.step()
            second = store.ask("down", "", 2)
        assert orchestrator.is_over
    with closing(FleetStore(tmp_path / "runs" / STATE)) as store:
        assert [store.answer_to(number) for number in (first, second)] == [OK, OK]


def test_a_wish_to_go_down_that_an_orchestrator_was_killed_with_does_not_end_the_next(
    tmp_path: Path,
) -> None:
    """Who starts one by hand after that does not want it down."""
    (tmp_path / "runs").mkdir()
    with closing(FleetStore(tmp_path / "runs" / STATE)) as store:
        number = store.ask("down", "", 1)
        with opened(fleet_of(tmp_path, run_dir="one.toml/no")) as orchestrator:
            orchestrator.step()
            assert not orchestrator.is_over
            assert store.answer_to(number).startswith("it was asked for before this orchestrator")


def test_a_wish_to_go_down_that_was_not_fulfilled_says_so_and_does_not_end_the_next(
    tmp_path: Path,
) -> None:
    """A second signal came, and what still ran was left."""
    run_dir = tmp_path / "runs"
    run_dir.mkdir()
    with closing(FleetStore(run_dir / STATE)) as store:
        with opened(fleet_of(tmp_path)):
            number = store.ask("down", "", 1)
        assert store.answer_to(number) == "the orchestrator left before all had ended"
        assert store.open_requests() == []


def test_what_is_to_follow_is_noted_before_a_bot_is_told_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> None:
        raise Killed

    with opened(fleet_of(tmp_path)) as orchestrator:
        bot = orchestrator._roster.bots["one"]
        started(bot.memory, 1)
        monkeypatch.setattr(bot.process, "drain", end)
        orchestrator._store.ask("restart", "one", 1)
        with pytest.raises(Killed):
            orchestrator.step()
        assert '"then":"waiting"' in orchestrator._store.bots()[0].memory


def test_a_wish_is_carried_out_once_though_its_answer_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried: list[int] = []

    def carry_out(request: Any, _: int) -> str:
        carried.append(request.number)
        return OK

    def full(*_: object) -> None:
        raise FleetStateUnavailable("database or disk is full")

    with opened(fleet_of(tmp_path, run_dir="one.toml/no")) as orchestrator:
        number = orchestrator._store.ask("restart", "one", 1)
        monkeypatch.setattr(orchestrator, "_carry_out", carry_out)
        with monkeypatch.context() as disk:
            disk.setattr(orchestrator._store, "answer", full)
            orchestrator.step()
            orchestrator.step()
        orchestrator.step()
        assert carried == [number]
        assert orchestrator._store.answer_to(number) == OK


def test_wishes_of_long_ago_are_forgotten_while_it_runs(tmp_path: Path) -> None:
    with opened(fleet_of(tmp_path, run_dir="one.toml/no")) as orchestrator:
        numbers = [orchestrator._store.ask("drain", "nobody", place) for place in range(110)]
        orchestrator.step()
        answers = [bool(orchestrator._store.answer_to(number)) for number in numbers]
        assert answers == [False] * 10 + [True] * 100


def test_a_bot_that_cannot_be_started_is_tried_again_after_a_pause(tmp_path: Path) -> None:
    with opened(fleet_of(tmp_path, run_dir="one.toml/no")) as orchestrator:
        orchestrator.step()
        memory = orchestrator.memories["one"]
        assert memory.phase is Phase.WAITING
        assert "one cannot be started" in memory.why
        assert memory.not_before_ns > memory.since_ns


def test_a_bot_that_could_not_speak_while_nobody_looked_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Container paused, or all stopped: who goes on first must not take the others for dead."""
    fleet = fleet_of(tmp_path)
    with RunDir(fleet.bots[0].run_dir) as run:  # this process is the bot
        run.atomic_write("status.json", b'{"pid": %d, "captured_at_ns": 1}' % os.getpid())
        with opened(fleet) as orchestrator:
            orchestrator.step()
            orchestrator.step()  # its word is heard
            bot = orchestrator._roster.bots["one"]
            assert bot.memory.phase is Phase.RUNNING
            monkeypatch.setattr(bot.process, "drain", lambda: None)
            later_ns = time.monotonic_ns() + 600 * NS_PER_S
            monkeypatch.setattr("ops.fleet.orchestrator.time.monotonic_ns", lambda: later_ns)
            monkeypatch.setattr(bot.eyes, "_monotonic_ns", lambda: later_ns)
            orchestrator.step()
            assert bot.memory.phase is Phase.RUNNING


def test_a_bot_of_which_nothing_can_be_read_is_parked_not_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may have been parked, by a rule that its money depends on."""
    fleet = fleet_of(tmp_path)
    (tmp_path / "runs").mkdir()
    with closing(FleetStore(tmp_path / "runs" / STATE)) as store:
        row = Kept(bot="one", place=0, spec="{}", memory="{", pid=None, exit_code=None)
        store.keep(row)
    (tmp_path / "fleet.toml").write_text(
        'name = "desk"\nrun_dir = "runs"\n[[bot]]\nid = "one"\nconfig = "one.toml"\n'
    )
    assert ps(tmp_path / "fleet.toml", as_json=False) == 1
    assert "is of another version" in capsys.readouterr().err

    with opened(fleet) as orchestrator:
        orchestrator.step()
        memory = orchestrator.memories["one"]
        assert memory.phase is Phase.PARKED
        assert "cannot be read" in memory.why
