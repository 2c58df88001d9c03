"""Whose process a lock names: only a living one that has that very file open."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from messages.errors import WatchkeeperError
from ops.arguments import parser
from ops.fleet.bots import CRASH_OUTPUT, MOST_OUTPUT, START_OUTPUT, BotProcess, _command, holder
from ops.fleet.config import BotSpec
from ops.run_dir import RunDir
from tests.waiting import until

NICE = min(psutil.Process().nice() + 5, 19)


def test_a_lock_names_the_process_that_holds_it_for_as_long_as_it_does(tmp_path: Path) -> None:
    with RunDir(tmp_path / "run") as run:
        found = holder(run.lock)
        assert found is not None
        assert found.pid == os.getpid()
    assert holder(run.lock) is None


def test_a_copy_of_a_run_directory_names_nobody(tmp_path: Path) -> None:
    """Its lock bears the pid of a living process, of another directory."""
    with RunDir(tmp_path / "run") as run:
        shutil.copytree(run.path, tmp_path / "copy")
        assert holder(tmp_path / "copy" / run.lock.name) is None


def test_a_pid_that_another_process_has_by_now_names_nobody_whatever_the_clock_says(
    tmp_path: Path,
) -> None:
    """The lock is of before a reboot; the clock was set back since, so it looks the younger."""
    lock = tmp_path / "run.lock"
    lock.write_text(f"{os.getpid()}\n")
    os.utime(lock, (4_000_000_000, 4_000_000_000))
    assert holder(lock) is None


def test_what_a_bot_says_on_stderr_begins_anew_before_it_fills_the_disk(tmp_path: Path) -> None:
    """A bot may run for years; its own log is rotated, and has all of it."""
    bot = BotProcess(BotSpec(bot="one", config="one.toml", run_dir=str(tmp_path)))
    output = tmp_path / START_OUTPUT
    output.write_bytes(b"x" * MOST_OUTPUT)
    bot.trim_output()
    assert output.stat().st_size == MOST_OUTPUT
    with output.open("ab") as file:
        file.write(b"one more")
        file.flush()
        bot.trim_output()
        assert output.read_bytes() == b""
        file.write(b"and on it goes")
    assert output.read_bytes() == b"and on it goes"


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        ("os.kill(os.getpid(), 11)", b"the last word\n"),
        ("sys.exit(70)", None),
        ("sys.exit(0)", None),
    ],
)
def test_what_a_bot_said_as_it_was_killed_outlives_its_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, kept: bytes | None
) -> None:
    """Of an interpreter that crashed it is all there is, and the next one begins a moment later."""
    code = f"import os, sys; print('the last word', file=sys.stderr, flush=True); {end}"
    monkeypatch.setattr("ops.fleet.bots._command", lambda _: [sys.executable, "-c", code])
    bot = BotProcess(BotSpec(bot="one", config="one.toml", run_dir=str(tmp_path)))
    for _ in range(2):
        bot.start()
        until(lambda: not bot.pid)
    crash = tmp_path / CRASH_OUTPUT
    assert (crash.read_bytes() if crash.exists() else None) == kept
    if kept:
        assert crash.stat().st_mode & 0o777 == 0o600


def test_a_bot_of_a_fleet_waits_for_nothing_whatever_its_file_says() -> None:
    """One that waits says no word, and would be taken for one that hangs."""
    words = _command(BotSpec(bot="one", config="one.toml", run_dir="runs/one"))
    words = words[words.index("start") :]

    assert parser(words).parse_args(words).wait_for_services == 0


_WAITING = """
import signal
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.pause()
bytearray(600_000_000)
"""


@pytest.fixture
def idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., BotProcess]]:
    """Processes that do nothing, with the limits of a bot."""
    waiting = [sys.executable, "-S", "-c", _WAITING]
    monkeypatch.setattr("ops.fleet.bots._command", lambda _: waiting)
    made: list[BotProcess] = []

    def make(**limits: Any) -> BotProcess:
        place = tmp_path / str(len(made))
        made.append(BotProcess(BotSpec(bot="one", config="c", run_dir=str(place), **limits)))
        return made[-1]

    yield make
    for bot in made:
        bot.kill()
        while bot.pid is not None:
            os.sched_yield()


def limits_of(pid: int) -> tuple[int, int, int]:
    process = psutil.Process(pid)
    memory, files = (process.rlimit(kind) for kind in (psutil.RLIMIT_DATA, psutil.RLIMIT_NOFILE))
    assert len(set(memory)) == len(set(files)) == 1, "it cannot raise them itself"
    return process.nice(), memory[0], files[0]


def test_the_kernel_keeps_a_bot_to_its_limits(idle: Callable[..., BotProcess]) -> None:
    bot = idle(nice=NICE, memory_mb=900, open_files=200)

    assert limits_of(bot.start()) == (NICE, 900 * 1_048_576, 200)
    assert bot.unlimited == ""


def test_a_bot_that_wants_more_memory_than_it_may_have_does_not_get_it(
    idle: Callable[..., BotProcess], tmp_path: Path
) -> None:
    bot = idle(memory_mb=300)
    process = psutil.Process(bot.start())
    while process.status() != psutil.STATUS_SLEEPING or "SIGUSR1" not in caught(process.pid):
        os.sched_yield()

    process.send_signal(signal.SIGUSR1)

    while bot.pid is not None:
        os.sched_yield()
    assert bot.exit_code == 1
    assert "MemoryError" in (tmp_path / "0" / START_OUTPUT).read_text()


def caught(pid: int) -> str:
    """Name the signal that a process has a handler for."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(status.partition("SigCgt:")[2].split()[0], 16)
    return "SIGUSR1" if mask >> (signal.SIGUSR1 - 1) & 1 else ""


def test_a_bot_that_is_taken_over_is_limited_too(idle: Callable[..., BotProcess]) -> None:
    """Who started it may have been killed before it had set a limit."""
    before, after = idle(), idle(nice=NICE, memory_mb=900, open_files=200)

    after.take_up(psutil.Process(before.start()))

    assert limits_of(before.pid or 0) == (NICE, 900 * 1_048_576, 200)


def test_a_limit_that_the_kernel_refuses_is_known_and_the_others_are_kept(
    idle: Callable[..., BotProcess],
) -> None:
    most = int(Path("/proc/sys/fs/nr_open").read_text())
    bot = idle(open_files=most + 1, nice=NICE, memory_mb=900)

    pid = bot.start()

    process = psutil.Process(pid)
    assert (process.nice(), process.rlimit(psutil.RLIMIT_DATA)[0]) == (
        NICE,
        900 * 1_048_576,
    )
    assert bot.unlimited.startswith("open_files ("), bot.unlimited


def test_what_lies_where_the_output_should_be_is_not_followed(tmp_path: Path) -> None:
    """Nor cut short: it may be a link to what matters."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"x" * (MOST_OUTPUT + 1))
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / START_OUTPUT).symlink_to(precious)
    bot = BotProcess(BotSpec(bot="one", config="one.toml", run_dir=str(run_dir)))
    bot.trim_output()
    with pytest.raises(WatchkeeperError, match="one cannot be started"):
        bot.start()
    assert precious.stat().st_size > MOST_OUTPUT
