"""What `reload` takes for changed: a bot's table, its config, the file of its own strategy."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from decisions.fleet_bot import Phase
from messages.errors import ConfigError
from ops.fleet import asking
from ops.fleet.bots import BotProcess
from ops.fleet.command import up
from ops.fleet.config import BotSpec
from ops.fleet.fleet_lock import FleetBusy
from ops.fleet.orchestrator import Orchestrator
from tests.ops.fleet.fleets import fleet_file, open_fleet, running, until
from tests.ops.fleet.stubs import stub

Asked = Callable[[Orchestrator], dict[str, Any]]
CONFIG = """
name = "one"
[feed]
type = "demo"
symbols = ["BTC/USDT"]
[[strategy]]
id = "own"
uses = "own.py:Own"
params = { fast = 5 }
"""


@pytest.fixture
def own_files(tmp_path: Path) -> Path:
    """A fleet of `one`, whose config names a strategy of its own, and `two`."""
    path = fleet_file(tmp_path, "one", "two")
    (tmp_path / "two.toml").write_text('name = "two"\n')
    path.write_text(path.read_text().replace('"two"\nconfig = "one', '"two"\nconfig = "two'))
    (tmp_path / "one.toml").write_text(CONFIG)
    (tmp_path / "own.py").write_text("class Own: ...\n")
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Asked:
    """What `reload --json` prints; while it waits, the orchestrator goes on."""

    def reload(orchestrator: Orchestrator) -> dict[str, Any]:
        monkeypatch.setattr(time, "sleep", lambda _: orchestrator.step())
        asking.ask(orchestrator.fleet.path, "reload", "", 60, as_json=True)
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return reload


@pytest.mark.parametrize(
    ("file", "content"),
    [("one.toml", CONFIG.replace("5", "6")), ("own.py", "class Own:\n    fast = 6\n")],
)
def test_a_bot_is_changed_when_its_config_or_its_own_strategy_has_other_contents(
    own_files: Path,
    starts: list[BotSpec],
    asked: Asked,
    file: str,
    content: str,
) -> None:
    folder = own_files.parent
    with stub(folder / "runs" / "one") as bot, open_fleet(own_files) as orchestrator:
        running(orchestrator, "one", bot)
        (folder / file).write_text(content)
        assert asked(orchestrator)["bots"] == {
            "changed": ["one"],
            "begun": [],
            "ended": [],
            "left_alone": ["two"],
        }
        assert bot.gone() == 0
        until(orchestrator, "one", Phase.RUNNING)
        assert "one" in [spec.bot for spec in starts]
        assert asked(orchestrator)["text"] == (
            "the fleet file was read again: left alone one, two"
        ), "it was started with what is there"


def test_a_changed_config_with_a_mistake_drains_nobody(
    own_files: Path, starts: list[BotSpec], asked: Asked
) -> None:
    folder = own_files.parent
    with stub(folder / "runs" / "one") as bot, open_fleet(own_files) as orchestrator:
        running(orchestrator, "one", bot)
        (folder / "one.toml").write_text(CONFIG.replace('"demo"', '"dmeo"'))
        told = asked(orchestrator)
        assert not told["done"]
        assert told["text"].startswith(f"{folder / 'one.toml'}: feed.type: ")
        assert orchestrator.memories["one"].phase is Phase.RUNNING
        assert bot.process.poll() is None


def test_an_orchestrator_finds_what_was_changed_while_nobody_was_there(
    own_files: Path, starts: list[BotSpec]
) -> None:
    folder = own_files.parent
    with stub(folder / "runs" / "one") as bot:
        with open_fleet(own_files) as orchestrator:
            running(orchestrator, "one", bot)
        (folder / "own.py").write_text("class Own:\n    fast = 6\n")
        with open_fleet(own_files) as orchestrator:
            assert orchestrator.memories["one"].why == "it was changed"
        assert bot.gone() == 0


def test_an_up_that_cannot_serve_drains_nobody_that_was_changed(
    own_files: Path, starts: list[BotSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It drained the bot that it found, could not listen, and left it without an orchestrator."""
    told_to_end = []
    monkeypatch.setattr("ops.fleet.command._Signals", list)  # pytest has its own
    monkeypatch.setattr(BotProcess, "drain", lambda bot: told_to_end.append(bot.spec.bot))
    folder = own_files.parent
    with stub(folder / "runs" / "one") as bot, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        with open_fleet(own_files) as orchestrator:
            running(orchestrator, "one", bot)
            with pytest.raises(FleetBusy, match="is run by orchestrator"):  # whose port it may be
                up(own_files, as_json=True, http=place)
        (folder / "own.py").write_text("class Own:\n    fast = 6\n")
        with pytest.raises(ConfigError, match="cannot listen"):
            up(own_files, as_json=True, http=place)
        assert told_to_end == []


def test_a_reload_names_who_is_new_and_who_is_gone(
    tmp_path: Path, starts: list[BotSpec], asked: Asked
) -> None:
    path = fleet_file(tmp_path, "one", "two")
    with open_fleet(path) as orchestrator:
        fleet_file(tmp_path, "two nice = 5", "three")
        assert asked(orchestrator)["text"] == (
            "the fleet file was read again: changed two; begun three; ended one"
        )


@pytest.mark.parametrize(("text", "phase"), [(CONFIG, Phase.WAITING), ("oops", Phase.PARKED)])
def test_what_ran_with_other_files_has_never_run_as_it_is_started_now(
    own_files: Path, starts: list[BotSpec], text: str, phase: Phase
) -> None:
    """Nobody asked for a `reload`: a crash takes the change up, and the start is refused."""
    own_files.write_text(f"restarts = {{ backoff_min_ms = 0 }}\n{own_files.read_text()}")
    with stub(own_files.parent / "runs" / "one") as bot, open_fleet(own_files) as orchestrator:
        running(orchestrator, "one", bot)
        (own_files.parent / "one.toml").write_text(text)
        bot.ends(70)
        until(orchestrator, "one", Phase.WAITING)
        until(orchestrator, "one", Phase.RUNNING)
        one = orchestrator._roster.bots["one"]
        one.process.exit_code = 2
        orchestrator.step()
        assert one.memory.phase is phase
