"""The units: what systemd itself says of them, and what the process says to systemd."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from decisions.fleet_rules import Policy
from ops.arguments import parser

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
ANALYZE = shutil.which("systemd-analyze")
LIMIT_S = 60.0
A_NIGHT_S = 12 * 3_600
MOST_EXPOSED = 2.5
"""Of ten; a unit that restricts nothing has 9.6."""

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze")


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def bot_unit() -> dict[str, list[str]]:
    return settings((ROOT / "deploy" / "systemd" / "watchkeeper@.service").read_text())


def placed(unit: str, folder: Path, name: str = "watchkeeper@.service") -> Path:
    """Write it where its command is one that is there."""
    place = folder / name
    place.write_text(unit.replace("/opt/watchkeeper/bin/watchkeeper", "/bin/true"))
    return place


def verified(unit: Path) -> str:
    done = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    return done.stderr + done.stdout + ("" if done.returncode == 0 else f"exit {done.returncode}")


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_has_nothing_to_say(unit: Path, tmp_path: Path) -> None:
    said = verified(placed(unit.read_text(), tmp_path, unit.name))
    assert [line for line in said.splitlines() if unit.name in line or "exit" in line] == []


@needs_systemd
def test_systemd_would_see_a_misspelt_key(tmp_path: Path) -> None:
    unit = UNITS[-1].read_text().replace("KillSignal=", "KilSignal=")
    assert "KilSignal" in verified(placed(unit, tmp_path))


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_is_exposed_to_little(unit: Path, tmp_path: Path) -> None:
    def score(text: str) -> float:
        done = subprocess.run(
            [
                *(str(ANALYZE), "security", "--offline=yes", "--no-pager"),
                str(placed(text, tmp_path, unit.name)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"exposure level for \S+: (\d+\.\d+)", done.stdout)
        if found is None:
            pytest.skip(f"this systemd-analyze judges no file: {done.stderr[-200:]}")
        return float(found[1])

    text = unit.read_text()
    assert score(text) <= MOST_EXPOSED
    assert score(text.replace("ProtectSystem=strict\n", "")) > score(text)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_its_command_is_one_of_the_program_and_a_drain_has_its_time(unit: Path) -> None:
    found = settings(unit.read_text())
    binary, *words = found["ExecStart"][0].split()
    assert binary == "/opt/watchkeeper/bin/watchkeeper"
    assert parser(words).parse_args(words).command in ("start", "orchestrate", "publish")
    assert int(found["TimeoutStopSec"][0]) > Policy().drain_s
    assert found["KillSignal"] == ["SIGTERM"]


def test_what_a_restart_does_not_mend_is_not_restarted() -> None:
    found = bot_unit()
    assert found["Restart"] == ["on-failure"]
    assert set(found["RestartPreventExitStatus"][0].split()) == {"2", "75"}
    # A halted run, and a standby, never say that they are ready.
    assert found["TimeoutStartSec"] == ["infinity"]
    assert found["Type"] == ["notify"]


def test_what_is_only_away_when_a_machine_comes_up_is_waited_for_longer_than_a_night() -> None:
    _, *words = bot_unit()["ExecStart"][0].split()

    assert parser(words).parse_args(words).wait_for_services >= A_NIGHT_S


# ---------------------------------------------------------------- the process and its watchdog


@pytest.fixture
def systemd() -> Iterator[tuple[socket.socket, str]]:
    with (
        tempfile.TemporaryDirectory(prefix="wk-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
    ):
        address = str(Path(folder) / "notify")
        listener.bind(address)
        yield listener, address


class Told:
    """What a process has said, word by word, with a limit to the waiting."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.words: list[str] = []

    def until(self, word: str, limit_s: float = LIMIT_S) -> bool:
        deadline = time.monotonic() + limit_s
        while word not in self.words and (left := deadline - time.monotonic()) > 0:
            self._listener.settimeout(left)
            try:
                self.words += self._listener.recv(4096).decode().splitlines()
            except TimeoutError:
                break
        return word in self.words


@pytest.mark.slow
def test_a_run_tells_systemd_how_it_lives_and_a_stopped_one_starves_the_watchdog(
    systemd: tuple[socket.socket, str], tmp_path: Path
) -> None:
    listener, address = systemd
    usec = int(bot_unit()["WatchdogSec"][0]) * 1_000_000
    words = ["start", "--run-dir", str(tmp_path / "run"), "--json", "--speed", "1", "--no-chaos"]
    bot = subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", *words],
        env={**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(usec)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    told = Told(listener)
    try:
        assert told.until("READY=1")
        assert told.until("WATCHDOG=1")
        assert told.words.index("READY=1") >= 0
        assert "STOPPING=1" not in told.words

        bot.send_signal(signal.SIGSTOP)
        while told.until("WATCHDOG=1", 0.2):  # what was on its way
            told.words.clear()
        assert not told.until("WATCHDOG=1", 1.5)
        bot.send_signal(signal.SIGCONT)
        assert told.until("WATCHDOG=1")

        bot.send_signal(signal.SIGTERM)
        assert told.until("STOPPING=1")
        assert bot.wait(LIMIT_S) == 0
    finally:
        bot.kill()
        bot.wait()
