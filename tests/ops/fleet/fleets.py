"""A fleet from a file of its own, its orchestrator, and what is done to both."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from decisions.fleet_bot import BotMemory, Phase
from ops.fleet.config import load_fleet
from ops.fleet.orchestrator import Orchestrator
from tests.ops.fleet.stubs import Stub

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


def json_of(value: Any) -> str:
    return msgspec.json.encode(value).decode()
