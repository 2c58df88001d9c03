"""One bot's process: started, found again, asked to end, killed.

The truth about whether it runs is the lock of its run directory, which the kernel gives back when
its process ends, however that ends. So an orchestrator that was killed finds its bots again, and a
bot that was started twice in a moment of doubt refuses the second start by itself.
"""

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

import psutil

from messages.errors import WatchkeeperError
from ops.fleet.config import BotSpec
from ops.fleet.facts import is_word_of
from ops.run_files import LOCK, STATUS
from ops.run_state import read_object, read_regular

START_OUTPUT = "start.out"
CRASH_OUTPUT = "crash.out"
"""What the last one that was killed, or whose end nobody saw, had said: where the interpreter
crashed there is no other word, and the next start is a moment later."""
MOST_OUTPUT = 1_000_000
"""Bytes of it: each warning goes there too, and a bot may run for years."""
_MB = 1_048_576


class BotProcess:
    """Of one bot, at most one process at a time. One thread uses it."""

    def __init__(self, spec: BotSpec) -> None:
        self.spec = spec
        self._child: subprocess.Popen[bytes] | None = None
        self._process: psutil.Process | None = None
        self.exit_code: int | None = None
        """Of the last process that is over; negative is a signal, None is not known."""
        self._was_cut_off = False
        """Whether that one was killed, or left no word of its end."""
        self.was_told = False
        """Whether this orchestrator has asked the process that runs to end."""
        self.was_killed = False
        self.before = ""
        """The last word of the process before; see `ops.fleet.facts.word_of`."""
        self.unlimited = ""
        """Which of its limits the kernel does not keep, and why; empty where it keeps all."""

    @property
    def pid(self) -> int | None:
        """The process that runs; None when none does."""
        if self._process is None:
            return None
        if self._child is not None:
            code = self._child.poll()
            if code is None:
                return self._child.pid
            self._over(code)
            return self._found()  # a second start that was refused: the first one still runs
        if _lives(self._process):
            return self._process.pid
        self._over(self._last_word(self._process.pid))
        return None

    def adopt(self) -> int | None:
        """Take over the process that runs in its directory, if one does, and give its pid."""
        return self.pid if self._process is not None else self._found()

    def see(self) -> int | None:
        """Give the pid of who runs in its directory, and leave that one as it is."""
        if self._process is None:
            self._process = holder(Path(self.spec.run_dir) / LOCK)
        return self.pid

    def take_up(self, process: psutil.Process) -> None:
        """Take over a process that `starting` has found."""
        self._process = process
        self._limit(process)

    def left(self, pid: int | None) -> None:
        """Read what a process that ended while nobody looked has left as its exit code."""
        if pid is not None:
            self._over(self._last_word(pid))

    def start(self) -> int:
        """Start it and give its pid. Call it only where `adopt` has found nobody.

        Raises:
            WatchkeeperError: it cannot be started at all.
        """
        run_dir = Path(self.spec.run_dir)
        try:
            run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._set_crash_aside()
            with _private(run_dir / START_OUTPUT) as output:
                self._child = subprocess.Popen(  # noqa: S603 - our own command, no shell
                    _command(self.spec),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,  # a line a second, which nobody would ever read
                    stderr=output,
                    start_new_session=True,
                )
            self._process = psutil.Process(self._child.pid)
        except (OSError, psutil.Error) as error:
            raise WatchkeeperError(f"{self.spec.bot} cannot be started: {error}") from error
        self.exit_code, self.was_told, self.was_killed = None, False, False
        self._limit(self._process)
        return self._child.pid

    def drain(self) -> None:
        """Ask it to end in order."""
        self.was_told = True
        with contextlib.suppress(psutil.Error):
            if self._process is not None:
                self._process.terminate()  # which looks whether the pid is still the same process
                self._process.resume()  # one that was stopped would never hear of it

    def kill(self) -> None:
        """End it at once; the ledger is made for that."""
        self.was_killed = True
        with contextlib.suppress(psutil.Error):
            if self._process is not None:
                self._process.kill()

    def trim_output(self) -> None:
        """Begin its output anew once it has grown long; the log has all of it, and is rotated."""
        output = Path(self.spec.run_dir) / START_OUTPUT
        with contextlib.suppress(OSError):
            if output.lstat().st_size > MOST_OUTPUT:
                _private(output).close()

    def usage(self) -> tuple[float, int] | None:
        """Give the processor seconds that it has used, and its resident bytes."""
        with contextlib.suppress(psutil.Error):
            if self._process is not None:
                times = self._process.cpu_times()
                return times.user + times.system, self._process.memory_info().rss
        return None

    def _set_crash_aside(self) -> None:
        output = Path(self.spec.run_dir) / START_OUTPUT
        with contextlib.suppress(OSError):
            found = output.lstat()
            if self._was_cut_off and stat.S_ISREG(found.st_mode) and found.st_size:
                output.replace(output.with_name(CRASH_OUTPUT))

    def _found(self) -> int | None:
        self._process = holder(Path(self.spec.run_dir) / LOCK)
        if self._process is None:
            return None
        self._limit(self._process)  # whoever started it may have been killed before it did that
        return self._process.pid

    def _over(self, code: int | None) -> None:
        self.exit_code, self._child, self._process = code, None, None
        self._was_cut_off = code is None or code < 0
        self.was_told = self.was_killed = False

    def _last_word(self, pid: int) -> int | None:
        """Give the exit code of a process that was not our child, as far as it left one."""
        status = read_object(Path(self.spec.run_dir) / STATUS)
        ended = status.get("ended")
        code = ended.get("exit_code") if isinstance(ended, dict) else None
        return code if is_word_of(status, pid, self.before) and isinstance(code, int) else None

    def _limit(self, process: psutil.Process) -> None:
        """Set what the kernel is to keep it to; each on its own, and what it refuses is known."""
        refused = []
        for name, limit in _limits(self.spec):
            try:
                limit(process)
            except psutil.NoSuchProcess:
                break
            except (psutil.Error, OSError, ValueError) as error:
                refused.append(f"{name} ({getattr(error, 'strerror', '') or error})")
        self.unlimited = ", ".join(refused)


def _limits(spec: BotSpec) -> Iterator[tuple[str, Callable[[psutil.Process], object]]]:
    if spec.nice:
        yield "nice", lambda process: process.nice(spec.nice)
    # Of its own memory, not of its address space: of that a thread's allocator sets 64 MB aside and
    # uses some, so that a bot of 40 MB has a gigabyte.
    bounds = (
        ("memory_mb", psutil.RLIMIT_DATA, spec.memory_mb and spec.memory_mb * _MB),
        ("open_files", psutil.RLIMIT_NOFILE, spec.open_files),
    )
    for name, kind, bound in bounds:
        if bound is not None:
            yield name, partial(psutil.Process.rlimit, resource=kind, limits=(bound, bound))


def holder(lock: Path) -> psutil.Process | None:
    """Give the living process that holds a lock file that names it; the lock is not touched.

    A name alone proves nothing: the file may be a copy, the pid another's by now, and ages go by
    clocks that are set. Who holds the lock has this very file open, which the kernel tells.
    """
    try:
        text = read_regular(lock, 4_096).partition(b"\n")[0]
        if not text.isdigit():
            return None
        process = psutil.Process(int(text))
        return process if _lives(process) and _has_open(process.pid, lock.stat()) else None
    except (OSError, OverflowError, ValueError, psutil.Error):
        return None


def starting(specs: Iterable[BotSpec]) -> dict[str, psutil.Process]:
    """Find by name of the bot what was started just now and has not taken its lock yet."""
    wanted = {tuple(_command(spec)): spec.bot for spec in specs}
    found: dict[str, psutil.Process] = {}
    for process in psutil.process_iter(["cmdline"]) if wanted else ():
        if bot := wanted.get(tuple(process.info["cmdline"] or ())):
            found[bot] = process
    return found


def _command(spec: BotSpec) -> list[str]:
    run = (sys.executable, "-P", "-m", "cli", "start", spec.config)
    # It is the orchestrator that waits: a bot that did would have no word to say, and hang for it.
    return [*run, "--run-dir", spec.run_dir, "--json", "--wait-for-services", "0"]


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _has_open(pid: int, wanted: os.stat_result) -> bool:
    with os.scandir(f"/proc/{pid}/fd") as files:
        for one in files:
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found = one.stat()
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    return True
    return False


def _private(path: Path) -> IO[bytes]:
    """Open a file anew for its owner alone; a pipe there makes nobody wait."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags | os.O_NONBLOCK, 0o600), "wb")
