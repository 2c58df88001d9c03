"""The lives of the crash rehearsal: processes that are forked, heard, ended and buried."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import IO, Any

import msgspec

from messages.ids import ClientOrderId
from ops.drill_child import Job
from ops.drill_ledger import GO_ON
from ops.drill_nursery import Bear, Bury
from ops.drill_traps import HALT_REASON

COMMAND = (sys.executable, "-P", "-m", "ops.drill_nursery")
_ANSWER_MAX = 64
EXPECTED = f"trading is halted: {HALT_REASON}".encode()
"""What a life says on its standard error where nothing is wrong."""


class Nursery:
    """A process that has imported all that a life needs; every life is forked from it.

    Its methods can be called from any thread.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = subprocess.Popen(command, stdin=theirs.fileno())  # noqa: S603 - our own

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
        self._process.wait()

    def bear(self, job: Job, dead_letters: set[ClientOrderId]) -> "Life":
        """Start a life; the decisions that it reports as dead letters are added to that set.

        Raises:
            OSError: the nursery is gone.
        """
        return Life(self._forked, self._buried, job, dead_letters)

    def _forked(self, job: Job, streams: Sequence[int]) -> int:
        return self._ask(Bear(msgspec.json.encode(job)), streams)

    def _buried(self, process_id: int) -> int:
        return self._ask(Bury(process_id), ())

    def _ask(self, request: Bear | Bury, streams: Sequence[int]) -> int:
        with self._lock:
            socket.send_fds(self._socket, [msgspec.json.encode(request)], streams)
            answer = self._socket.recv(_ANSWER_MAX)
        if not answer:
            raise ConnectionError("the drill's nursery has died: its reason is above")
        return int(answer)


class Life:
    """One process of the bot, and what it has said so far."""

    def __init__(
        self,
        fork: Callable[[Job, Sequence[int]], int],
        bury: Callable[[int], int],
        job: Job,
        dead_letters: set[ClientOrderId],
    ) -> None:
        self._bury = bury
        self._dead = dead_letters
        self._said: set[str] = set()
        self._heard: list[dict[str, Any]] = []
        self._errors: list[bytes] = []
        self.returncode: int | None = None
        """How it ended, once it has: negative is a signal's number."""
        theirs_in, self._line = os.pipe()
        said, theirs_out = os.pipe()
        wrong, theirs_err = os.pipe()
        theirs = (theirs_in, theirs_out, theirs_err)
        try:
            self._process_id = fork(job, theirs)
        finally:
            for stream in theirs:
                os.close(stream)
        self._readers = [
            threading.Thread(target=reader, args=(os.fdopen(stream, "rb"),), daemon=True)
            for reader, stream in ((self._listen, said), (self._collect, wrong))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def errors(self) -> str:
        """What it wrote to its standard error, unless it was killed."""
        text = b"".join(self._errors).decode(errors="replace")
        return "" if self.returncode == -signal.SIGKILL else text

    def has(self, event: str) -> bool:
        """Whether it has told of something."""
        return event in self._said

    def last(self, event: str, **facts: Any) -> dict[str, Any] | None:
        """Give the last that it told of this; None when it told of no such thing."""
        wanted = {"event": event, **facts}.items()
        return next((said for said in reversed(self._heard) if wanted <= said.items()), None)

    def say(self, **facts: Any) -> None:
        """Tell it something; one that has died meanwhile does not hear it."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._line, msgspec.json.encode(facts) + b"\n")

    def go_on(self) -> None:
        """Let it go on whose ledger was taken away."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._line, GO_ON + b"\n")

    def thaw(self) -> None:
        """Let it go on that stands still; to any other it is nothing."""
        if self.returncode is None:
            os.kill(self._process_id, signal.SIGCONT)

    def alive(self, wait_s: float) -> bool:
        """Whether it still lives after so long."""
        for reader in self._readers:  # a process that ends closes its streams
            reader.join(wait_s)
            if reader.is_alive():
                return True
        if self.returncode is None:
            self.returncode = self._bury(self._process_id)
        return False

    def stop(self, limit_s: float) -> None:
        """End it in order; one that does not end in time is killed."""
        if self.returncode is None:
            os.kill(self._process_id, signal.SIGTERM)  # nobody else has it until it is buried
        if self.alive(limit_s):
            os.kill(self._process_id, signal.SIGKILL)
            while self.alive(1):
                pass
        os.close(self._line)

    def _listen(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                said: dict[str, Any] = msgspec.json.decode(line)
                self._heard.append(said)
                self._said.add(str(said["event"]))
                if said["event"] == "dead_letter":
                    self._dead.add(ClientOrderId(said["order"]))

    def _collect(self, stream: IO[bytes]) -> None:
        with stream:
            self._errors.extend(line for line in stream if EXPECTED not in line)
