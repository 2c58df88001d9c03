"""One `start` as a process of its own, and all that it says."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

LIMIT_S = 90.0
"""Before a test gives up: a machine may be many times slower than one would think."""


class Bot:
    """One `start`, and what it has printed."""

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-P", "-m", "cli", "start", *arguments, "--json"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.events: list[dict[str, Any]] = []
        self.said = ""
        self._news = threading.Condition()
        self._silent = 0
        readers = ((self.process.stdout, self._event), (self.process.stderr, self._words))
        self._readers = [
            threading.Thread(target=self._read, args=reader, daemon=True) for reader in readers
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: "IO[str] | None", keep: Callable[[str], None]) -> None:
        assert stream is not None
        for line in stream:
            with self._news:
                keep(line)
                self._news.notify_all()
        with self._news:
            self._silent += 1
            self._news.notify_all()

    def _event(self, line: str) -> None:
        self.events.append(json.loads(line))

    def _words(self, line: str) -> None:
        self.said += line

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]

    def until(self, is_so: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        """Wait until something is so; one that has ended brings nothing about any more."""
        with self._news:
            self._news.wait_for(lambda: is_so() or self._is_over, limit_s)
            assert is_so(), (self._end(), self.events[-5:], self.said)

    @property
    def _is_over(self) -> bool:
        return self._silent == len(self._readers)

    def _end(self) -> str:
        """Say whether it lives: who was killed by a signal has no last word."""
        code = self.process.wait(LIMIT_S) if self._is_over else self.process.poll()
        return "it lives" if code is None else f"it ended with {code}"

    def until_processed(self, count: int) -> None:
        self.until(lambda: any(s["counters"]["processed"] >= count for s in self.of("status")))

    def until_why(self, part: str) -> None:
        self.until(lambda: any(part in s["why"] for s in self.of("status")))

    def until_said(self, part: str, limit_s: float = LIMIT_S) -> None:
        self.until(lambda: part in self.said, limit_s)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def freeze(self) -> None:
        """Stop it; on return every thread of it stands still, also one that was in a write."""
        self.send(signal.SIGSTOP)
        threads = Path(f"/proc/{self.process.pid}/task")
        pause = threading.Event()
        for _ in range(int(LIMIT_S / 0.005)):
            with suppress(FileNotFoundError):
                if all(_state(thread) == "T" for thread in threads.iterdir()):
                    return
            assert self.process.poll() is None, (self._end(), self.events[-5:], self.said)
            pause.wait(0.005)
        raise AssertionError("it does not stand still")

    def end(self, number: signal.Signals | None = None) -> tuple[int, str]:
        """Send a signal, wait for the end; give the exit code and what stands on stderr."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(LIMIT_S)
        for reader in self._readers:
            reader.join(LIMIT_S)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code, self.said

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()


def _state(thread: Path) -> str:
    """Give the letter that the kernel has for what a thread does."""
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "T"  # it has ended meanwhile
