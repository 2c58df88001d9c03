"""What an orchestrator meets that nobody meant: deleted, renamed, full, deaf, killed in between."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from decisions.fleet import BotMemory, Phase
from messages.errors import WatchkeeperError
from messages.ids import NS_PER_S
from ops.fleet.asking import logs, ps
from ops.fleet.bots import BotProcess, holder
from ops.fleet.command import EXIT_LEFT, up
from ops.fleet.config import BotSpec, load_fleet
from ops.fleet.fleet_lock import FleetBusy, FleetGone, FleetLock
from ops.fleet.orchestrator import STATE, Orchestrator
from ops.run_files import LOCK, LOG, STATUS
from ops.run_state import read_object, read_regular
from persistence.fleet import FleetStore, Kept
from tests.ops.fleet.stubs import Stub, stub

LIMIT_S = 30.0


class Killed(BaseException):
    """Nothing that is caught anywhere: as if the process had ended there."""


def fleet_file(folder: Path, *bots: str, more: str = "") -> Path:
    """Write a fleet file; a bot is its id, and what else its table says."""
    (folder / "one.toml").write_text('name = "one"\n')
    text = f'name = "desk"\nrun_dir = "runs"\nstagger_s = 0\n{more}\n'
    for bot in bots:
        name, _, rest = bot.partition(" ")
        text += f'[[bot]]\nid = "{name}"\nconfig = "one.toml"\n{rest}\n'
    path = folder / "fleet.toml"
    path.write_text(text)
    return path


class Said(list[tuple[str, dict[str, Any]]]):
    """What an orchestrator says."""

    def __call__(self, event: str, **facts: Any) -> None:
        self.append((event, facts))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [facts for name, facts in self if name == event]


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[BotSpec]:
    """What was started: nothing is, it is written down."""
    found: list[BotSpec] = []

    def start(process: BotProcess) -> int:
        found.append(process.spec)
        return 0

    monkeypatch.setattr(BotProcess, "start", start)
    return found


@contextmanager
def open_fleet(path: Path, said: Said | None = None) -> Iterator[Orchestrator]:
    with Orchestrator(load_fleet(path), said if said is not None else Said()) as orchestrator:
        yield orchestrator


def left_by_a_kill(orchestrator: Orchestrator) -> None:
    """What is left of an orchestrator that was killed: its file, and a lock that nobody holds."""
    assert orchestrator._lock is not None
    orchestrator._lock.close()
    orchestrator._lock = None


def reload(orchestrator: Orchestrator) -> None:
    orchestrator._store.ask("reload", "", 1)
    orchestrator.step()


def until(orchestrator: Orchestrator, bot: str, phase: Phase) -> BotMemory:
    deadline = time.monotonic() + LIMIT_S
    while (memory := orchestrator.memories[bot]).phase is not phase:
        assert time.monotonic() < deadline, memory
        orchestrator.step()
    return memory


def running(orchestrator: Orchestrator, bot: str, process: Stub) -> None:
    """It is found, and heard."""
    process.says()
    orchestrator.step()
    orchestrator.step()
    assert orchestrator.memories[bot].phase is Phase.RUNNING


# ------------------------------------------------------------ the file, read anew


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


# ------------------------------------------------------------ killed in between


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
        spec = _json(load_fleet(path).bots[0])
        pid = os.getpid()
        kept = Kept(bot="one", place=0, spec=spec, memory=_json(memory), pid=pid, exit_code=None)
        store.keep(kept)
    with open_fleet(path) as orchestrator:
        orchestrator.step()
        assert orchestrator.memories["one"].phase is Phase.WAITING
        assert "it left no word" in orchestrator.memories["one"].why
        until(orchestrator, "one", Phase.RUNNING)
        assert len(starts) == 1


# ------------------------------------------------------------ taken away under it


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
    assert up(fleet_file(tmp_path, "one"), as_json=True) == EXIT_LEFT
    assert '"event":"left","why":"fleet.lock was taken away"' in capsys.readouterr().out


def test_two_fleet_files_with_one_directory_are_one_fleet(tmp_path: Path) -> None:
    path = fleet_file(tmp_path, "one")
    other = path.with_name("other.toml")
    other.write_text(path.read_text().replace("desk", "other"))
    with open_fleet(path), pytest.raises(FleetBusy, match=f"is run by orchestrator {os.getpid()}"):
        Orchestrator(load_fleet(other), Said()).open()


# ------------------------------------------------------------ no room, and odd things in its place


def test_without_room_for_its_state_it_goes_on_and_writes_it_down_when_there_is_some(
    tmp_path: Path,
) -> None:
    path, said = fleet_file(tmp_path, "one"), Said()
    rule = '[[rule]]\nmeasure = "drawdown"\nover = 5\nact = "park"\n'
    fleet_file(tmp_path, "one", more=rule)
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


@pytest.mark.parametrize("name", [STATUS, LOCK])
def test_a_pipe_in_the_place_of_a_file_makes_nobody_wait(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert read_object(tmp_path / STATUS) == {}
    assert holder(tmp_path / LOCK) is None


def test_a_last_word_without_end_is_none(tmp_path: Path) -> None:
    with (tmp_path / STATUS).open("wb") as file:
        file.truncate(1 << 40)
    assert read_object(tmp_path / STATUS) == {}
    with pytest.raises(OSError, match="no file of ours"):
        read_regular(tmp_path / STATUS, 10)


def test_what_a_bot_says_of_its_halt_is_not_written_down_without_end(tmp_path: Path) -> None:
    path = fleet_file(tmp_path, "one")
    with stub(tmp_path / "runs" / "one") as bot, open_fleet(path) as orchestrator:
        running(orchestrator, "one", bot)
        bot.says(halt={"reason": "x" * 1_000_000})
        orchestrator.step()
        (warning,) = orchestrator.memories["one"].warnings
        assert len(warning) < 300


# ------------------------------------------------------------ clocks, and what persons are shown


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_clock_that_is_set_while_it_runs_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    path = fleet_file(tmp_path, "one", more="silent_s = 20")
    with stub(tmp_path / "runs" / "one") as bot, open_fleet(path) as orchestrator:
        running(orchestrator, "one", bot)
        real = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: real() + hours * 3_600 * NS_PER_S)
        bot.says()
        orchestrator.step()
        bot.ends(70)
        orchestrator.step()
        memory = orchestrator.memories["one"]
        assert memory.phase is Phase.WAITING
        assert 0 < memory.not_before_ns - memory.since_ns <= NS_PER_S


def test_the_end_of_a_log_is_read_alone_however_long_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fleet_file(tmp_path, "one")
    run_dir = tmp_path / "runs" / "one"
    run_dir.mkdir(parents=True)
    with (run_dir / LOG).open("wb") as file:
        file.truncate(1 << 38)
        file.seek(0, 2)
        file.write(b"\nbefore\n  \x1b[31mred\x07\nlast\xff \xe2\x80\xa8same line\n")
    assert logs(path, "one", 2) == 0
    assert capsys.readouterr().out == "==> watchkeeper.log <==\n  [31mred\nlast\ufffd  same line\n"
    assert logs(path, "one", 10**12) == 0
    assert capsys.readouterr().out.endswith("last\ufffd  same line\n")


def test_what_a_bot_says_is_shown_and_not_obeyed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is it markup: one that is not closed would end the table."""
    path = fleet_file(tmp_path, "one")
    spec = BotSpec(bot="one", config="one.toml", run_dir=str(tmp_path / "runs" / "one"))
    memory = BotMemory(phase=Phase.PARKED, why="[/] [red]hm\x1b[2J\nnext")
    (tmp_path / "runs").mkdir()
    with closing(FleetStore(tmp_path / "runs" / STATE)) as store:
        texts = [_json(one) for one in (spec, memory)]
        store.keep(
            Kept(bot="one", place=0, spec=texts[0], memory=texts[1], pid=None, exit_code=None)
        )
    assert ps(path, as_json=False) == 1
    out = capsys.readouterr().out
    assert "[/] [red]hm [2J next" in out
    assert "\x1b" not in out


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def test_a_bot_that_cannot_be_made_says_why_and_is_no_trouble_to_the_others(
    tmp_path: Path,
) -> None:
    with pytest.raises(WatchkeeperError, match="one cannot be started"):
        BotProcess(BotSpec(bot="one", config="x", run_dir="/dev/null/no")).start()
