"""Whatever a bot writes, says or has in the place of a file: no wait, no end, no command."""

import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from decisions.fleet_bot import BotMemory, Phase
from messages.errors import WatchkeeperError
from messages.ids import NS_PER_S
from ops.fleet.asking import logs, ps
from ops.fleet.bots import START_OUTPUT, BotProcess, holder
from ops.fleet.config import BotSpec
from ops.fleet.orchestrator import STATE
from ops.metric_lines import lines_about
from ops.run_files import LOCK, LOG, METRICS, STATUS
from ops.run_state import read_object, read_regular
from persistence.fleet import FleetStore, Kept
from tests.ops.fleet.fleets import Said, fleet_file, json_of, open_fleet, running
from tests.ops.fleet.stubs import stub


@pytest.mark.parametrize("name", [STATUS, LOCK])
def test_a_pipe_in_the_place_of_a_file_makes_nobody_wait(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert read_object(tmp_path / STATUS) == {}
    assert holder(tmp_path / LOCK) is None


def test_nor_does_it_where_its_last_lines_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fleet_file(tmp_path, "one")
    (tmp_path / "runs" / "one").mkdir(parents=True, exist_ok=True)
    os.mkfifo(tmp_path / "runs" / "one" / START_OUTPUT)

    assert logs(path, "one", 10) == 0

    assert "one has written nothing yet" in capsys.readouterr().err


def test_a_metric_line_that_is_nested_without_end_is_none(tmp_path: Path) -> None:
    (tmp_path / METRICS).write_text('{"message": "wk-1"}\n' + "[" * 200_000 + '"wk-1"\n')

    assert lines_about(tmp_path, "wk-1") == [{"message": "wk-1"}]


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


def test_half_a_character_keeps_nobody_from_writing_down_how_a_bot_stands(tmp_path: Path) -> None:
    path, said = fleet_file(tmp_path, "one"), Said()
    with stub(tmp_path / "runs" / "one") as bot, open_fleet(path, said) as orchestrator:
        running(orchestrator, "one", bot)
        bot.says(halt={"reason": "a \ud800 b"})
        orchestrator.step()
        assert orchestrator.memories["one"].warnings == ["halted: a ? b"]
        assert said.of("failed") == []


def test_a_pipe_where_its_output_goes_holds_up_no_start_of_another(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / START_OUTPUT)
    bot = BotProcess(BotSpec(bot="one", config="one.toml", run_dir=str(tmp_path)))
    with pytest.raises(WatchkeeperError, match="one cannot be started"):
        bot.start()


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
        texts = [json_of(one) for one in (spec, memory)]
        store.keep(
            Kept(bot="one", place=0, spec=texts[0], memory=texts[1], pid=None, exit_code=None)
        )
    assert ps(path, as_json=False) == 1
    out = capsys.readouterr().out
    assert "[/] [red]hm [2J next" in out
    assert "\x1b" not in out
