"""The processes of a long market: a local exchange, and the bot as a user starts it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

import cli
from ops.client import NoAnswer, ask
from ops.run_files import CONTROL_SOCKET
from persistence.ledger import LedgerEntry, read_orders
from tests.system.market_config import FOLLOWED, SYMBOLS, Pace, config_text

ROOT = Path(cli.__file__).parent
READY_S, END_S = 120.0, 60.0
LOOK_AGAIN_S, LOOK_S = 0.1, 5.0
STARTS = 3
GIVEN_UP = (2, 70)
"""How a start ends that its gate refused, or that was too slow for its own limits; no other way
is made good by starting again."""
SETTLE = """
import msgspec
from exchanges.capabilities import CAPABILITIES
row = CAPABILITIES["binance"]
CAPABILITIES["binance"] = msgspec.structs.replace(row, settle_ms={pace.settle_ms})
"""
"""The local exchange is never as late as Binance may be."""


class Ended(AssertionError):
    """A process ended by itself."""

    def __init__(self, process_id: int, code: int) -> None:
        super().__init__(f"process {process_id} ended by itself, with {code}")
        self.code = code


class Venue:
    """The local exchange's process and its control port."""

    def __init__(self, folder: Path, seed: int, speed: float) -> None:
        self._out = (folder / "venue.json").open("wb")
        command = [sys.executable, "-P", "-m", "cli", "venue", "--json", "--seed", str(seed)]
        command += ["--speed", str(speed), "--symbols", ",".join((*SYMBOLS, FOLLOWED))]
        command += [f"--balance={asset}=100000000" for asset in ("USDT", "SOL", "BTC", "ETH")]
        self.process = subprocess.Popen(command, stdout=self._out, stderr=self._out, cwd=ROOT)
        path = folder / "venue.json"
        self.facts = _until(self.process, lambda: self._told(path), READY_S, "the venue's start")

    def _told(self, path: Path) -> Any:
        text = path.read_text()
        return json.loads(text) if text.endswith("\n") else None

    def ask(self, name: str) -> Any:
        return self._call(urllib.request.Request(f"{self.facts['control']}/{name}"))

    def do(self, name: str, **arguments: Any) -> Any:
        body, kind = json.dumps(arguments).encode(), {"Content-Type": "application/json"}
        return self._call(urllib.request.Request(f"{self.facts['control']}/{name}", body, kind))

    def _call(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["result"]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(END_S)
        self._out.close()


class Bot:
    """The bot as a user starts it, one life after another on one run directory."""

    def __init__(self, folder: Path, venue: Venue, pace: Pace) -> None:
        self.run_dir = folder / "run"
        self._config = folder / "config.toml"
        _, table, section = venue.facts["toml"].partition("[venue]")  # its limits are our own
        self._config.write_text(config_text(self.run_dir, table + section, pace))
        self._out = (folder / "bot.log").open("wb")
        if pace.settle_ms is not None:
            (folder / "sitecustomize.py").write_text(SETTLE.format(pace=pace))
        path = f"{folder}{os.pathsep}{ROOT}"
        self._env = {**os.environ, "PYTHONPATH": path, **venue.facts["environment"]}
        self.process: subprocess.Popen[bytes] | None = None
        self.pids: list[int] = []
        self.failed_starts: list[int] = []
        """The exit codes of those that ended by themselves."""
        self.ready_s = 0.0
        """How long its lives that have ended were ready."""
        self._ready_at: float | None = None

    def start(self) -> None:
        """Start it, and again where it was too slow for its own limits, as a service's keeper does.

        Raises:
            Ended: it ends at each start.
        """
        for left in reversed(range(STARTS)):
            self._begin()
            try:
                self.until(self._is_ready, READY_S, "the bot's start")
                break
            except Ended as error:
                self.failed_starts.append(error.code)
                if not left or error.code not in GIVEN_UP:
                    raise
        self._ready_at = time.monotonic()

    def _begin(self) -> None:
        command = [sys.executable, "-P", "-m", "cli", "start", str(self._config), "--json"]
        command.append("--i-understand-live")
        self.process = subprocess.Popen(
            command, stdout=self._out, stderr=self._out, cwd=ROOT, env=self._env
        )
        self.pids.append(self.process.pid)

    def _is_ready(self) -> bool:
        """Whether this life is; asked as `health` asks, without a process for each question."""
        assert self.process is not None
        try:
            health = ask(self.run_dir / CONTROL_SOCKET, "health", timeout_s=LOOK_S)
        except NoAnswer:
            return False
        return bool(health["ready"]) and health["pid"] == self.process.pid

    @property
    def ready_for_s(self) -> float:
        """How long it was ready, all lives together: a start's time does not count."""
        now = time.monotonic()
        return self.ready_s + (0.0 if self._ready_at is None else now - self._ready_at)

    def until(self, is_so: Any, limit_s: float, what: str) -> Any:
        """Wait for something that this life must come to."""
        assert self.process is not None
        return _until(self.process, is_so, limit_s, what)

    def lives_for(self, seconds: float) -> None:
        """Let time pass, in which it must not end."""
        assert self.process is not None
        _lives_for(self.process, seconds)

    def end(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.ready_s, self._ready_at = self.ready_for_s, None
        self.process.send_signal(number)
        self.process.wait(END_S)

    def health(self) -> Any:
        done = self.command("health", "--json")
        return json.loads(done.stdout) if done.stdout.startswith("{") else {}

    def command(self, name: str, *more: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-P", "-m", "cli", name, "--run-dir", str(self.run_dir), *more]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=ROOT, env=self._env
        )

    def resident_mb(self) -> float:
        assert self.process is not None
        return resident_mb(self.process.pid)

    def ledger(self) -> list[LedgerEntry]:
        return list(read_orders(self.run_dir / "ledger.db"))

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._out.close()


def resident_mb(process_id: int) -> float:
    return float(psutil.Process(process_id).memory_info().rss) / 1e6


def _until(process: "subprocess.Popen[bytes]", is_so: Any, limit_s: float, what: str) -> Any:
    """Look again and again, in the life of the process that must come to it."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        _lives_for(process, LOOK_AGAIN_S)
    raise AssertionError(f"{what} took more than {limit_s:.0f} s")


def _lives_for(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Pace the plan by waiting for what must not happen: that the process ends by itself."""
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(seconds)
        raise Ended(process.pid, code)


@contextmanager
def both(folder: Path, seed: int, pace: Pace) -> Iterator[tuple[Venue, Bot]]:
    """Give a venue and a bot of it that is not started yet; both end."""
    venue = Venue(folder, seed, pace.speed)
    try:
        bot = Bot(folder, venue, pace)
        try:
            yield venue, bot
        finally:
            bot.close()
    finally:
        venue.close()
