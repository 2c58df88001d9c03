"""A signal while `start` has not begun to trade ends it in order: with a word, and its directory.

In a container the first process is not even killed by one that nobody listens for.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.bots import LIMIT_S, Bot
from tests.waiting import until

OWN = Path(__file__).with_name("slow_to_begin.py")
pytestmark = pytest.mark.slow
Start = Callable[..., Bot]


def config(folder: Path) -> str:
    path = folder / "bot.toml"
    path.write_text(
        f'name = "bot"\nrun_dir = "{folder / "run"}"\n'
        '[feed]\ntype = "demo"\nsymbols = ["BTC/USDT"]\nlimit = 50\nspeed = 0\n'
        f'[[strategy]]\nid = "own"\nuses = "{OWN}:SlowToBegin"\n'
        "[strategy.params]\nfast = 5\nslow = 15\n"
    )
    return str(path)


def waiting_as_it_is(what: str) -> dict[str, str]:
    return {**os.environ, "WAITS_AS_IT_IS": what}


def nobody_died(folder: Path, start: Start) -> None:
    """The next start finds a directory that was given back, and trades."""
    lock = folder / "run/run.lock"
    assert not lock.exists() or lock.read_text() == ""
    code, said = start(config(folder)).end()
    assert (code, "died" in said, "taking over" in said) == (0, False, False)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 0)]
)
def test_while_its_strategies_are_made_it_ends_with_the_code_of_any_stop(
    start: Start, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    bot = start(config(tmp_path), environment=waiting_as_it_is("made"))
    bot.until_said("it is being made")
    until((tmp_path / "run/run.lock").exists)

    ended, said = bot.end(number)

    assert ended == code
    assert said.endswith(f"watchkeeper: stopped by {number.name} before it had started\n")
    nobody_died(tmp_path, start)


def test_so_it_does_while_their_files_are_loaded(start: Start, tmp_path: Path) -> None:
    bot = start(config(tmp_path), environment=waiting_as_it_is("loaded"))
    bot.until_said("it is being loaded")

    code, said = bot.end(signal.SIGTERM)

    assert code == 0
    assert said.endswith("watchkeeper: stopped by SIGTERM before it had started\n")
    nobody_died(tmp_path, start)


def test_a_thread_that_was_left_behind_by_then_changes_no_code(
    start: Start, tmp_path: Path
) -> None:
    bot = start(config(tmp_path), environment=waiting_as_it_is("made,threaded"))
    bot.until_said("it is being made")

    code, said = bot.end(signal.SIGTERM)

    assert code == 0
    assert "left behind at the end" in said
    nobody_died(tmp_path, start)


def namespaced() -> bool:
    """Whether a process may be the first of a namespace of its own here."""
    command = ["unshare", "--pid", "--fork", "--kill-child", "true"]
    found = shutil.which("unshare")
    return bool(found) and not subprocess.run(command, capture_output=True, check=False).returncode


@pytest.mark.skipif(not namespaced(), reason="no process may be the first of a namespace here")
def test_so_does_the_first_process_of_a_container(tmp_path: Path, start: Start) -> None:
    command = [sys.executable, "-P", "-m", "cli", "start", config(tmp_path), "--json"]
    outer = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=waiting_as_it_is("made"),
    )
    assert outer.stderr is not None
    for line in outer.stderr:
        if line == "it is being made\n":
            break
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)

    said = outer.stderr.read()
    outer.stderr.close()
    assert outer.wait(LIMIT_S) == 0
    # On a busy machine it was begun to be made once more meanwhile.
    assert said.splitlines()[-1] == "watchkeeper: stopped by SIGTERM before it had started"
    nobody_died(tmp_path, start)
