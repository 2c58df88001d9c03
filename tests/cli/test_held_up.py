"""A thread that a strategy has started, and that does not end, keeps no command from ending."""

import subprocess
import threading
from pathlib import Path

import pytest

from ops.held_up import PATIENCE_S, end_in_time
from tests.cli.backtesting import DECIDES_NOTHING, MINE
from tests.cli.runs import command

pytestmark = pytest.mark.slow
LOOPS = "threading.Thread(target=threading.Event().wait, name='poller').start()"
ENDS = "threading.Thread(target=threading.Event().wait, args=(0.5,), name='poller').start()"


def config_with(tmp_path: Path, *, init: str, body: str = DECIDES_NOTHING) -> str:
    (tmp_path / "mine.py").write_text(MINE.format(body=body, init=init))
    path = tmp_path / "c.toml"
    path.write_text(
        'name = "c"\n[feed]\ntype = "demo"\nlimit = 50\n'
        '[[strategy]]\nid = "m"\nuses = "mine.py:Mine"\n'
    )
    return str(path)


def started(tmp_path: Path, config: str) -> "subprocess.CompletedProcess[str]":
    return command("start", config, "--duration", "20", "--run-dir", str(tmp_path / "run"))


def test_a_run_ends_with_its_code_and_says_which_thread_was_left(tmp_path: Path) -> None:
    done = started(tmp_path, config_with(tmp_path, init=LOOPS))

    assert done.returncode == 0
    assert '"reason":"the market ended"' in done.stdout
    (said,) = (line for line in done.stderr.splitlines() if "left behind" in line)
    assert said.startswith("watchkeeper: left behind at the end, ")
    assert said.endswith(": poller")


def test_so_does_a_command_that_only_makes_the_strategy(tmp_path: Path) -> None:
    done = command("check", config_with(tmp_path, init=LOOPS))

    assert (done.returncode, "left behind" in done.stderr) == (0, True)


def test_what_a_library_does_at_the_end_is_done_once_no_thread_is_left(tmp_path: Path) -> None:
    """It took the process longer to end than a thread may hold it up, and nobody was named."""
    slow = f"__import__('atexit').register(threading.Event().wait, {PATIENCE_S + 0.5})"
    done = command("check", config_with(tmp_path, init=f"{ENDS}; {slow}"))

    assert (done.returncode, "left behind" in done.stderr) == (0, False)


def test_one_that_ends_in_time_is_waited_for(tmp_path: Path) -> None:
    assert PATIENCE_S > 0.5

    done = command("check", config_with(tmp_path, init=ENDS))

    assert (done.returncode, "left behind" in done.stderr) == (0, False)


def test_a_machine_that_starts_no_more_threads_leaves_the_exit_code_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a command had said of that, and its code, went under in a traceback."""

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    over = threading.Event()
    poller = threading.Thread(target=over.wait)
    poller.start()
    try:
        monkeypatch.setattr(threading.Thread, "start", refused)
        end_in_time(2)
    finally:
        over.set()
        poller.join()
