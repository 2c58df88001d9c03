"""How long the command line takes, and how large a paper run is: real processes.

*Ready* is when `control.sock` answers `ready: true`, asked every 5 ms. All of it is compiled
already, as it is where a package is installed, and at any start but the first from a checkout.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from benchmarks.common import Options, Result, median, peak_mb, percentile, say, scratch

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("bare interpreter", "--help", "paper ready", "health", "resident memory")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "cli", *arguments]


def _environment(compiled: Path) -> dict[str, str]:
    """Let what is compiled be kept, and elsewhere than in the checkout."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(compiled)}


def wall_ms(arguments: list[str], folder: Path, environment: dict[str, str]) -> float:
    """From spawning to the exit, in milliseconds."""
    begun = time.perf_counter()
    subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, check=False, timeout=60
    )
    return (time.perf_counter() - begun) * 1_000


class Paper:
    """One paper run: the demo, as `start` without a file begins it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        run_dir = folder / "run"
        begun = time.perf_counter()
        process = subprocess.Popen(
            command("start", "--json", "--no-chaos", "--run-dir", str(run_dir)),
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            while not answers_ready(run_dir / "control.sock"):
                if process.poll() is not None or time.perf_counter() - begun > 30:
                    process.kill()
                    _, errors = process.communicate(timeout=30)
                    raise RuntimeError(f"the paper run did not come up: {errors.decode()[-500:]}")
                time.sleep(0.005)
            self.ready_ms = (time.perf_counter() - begun) * 1_000
            time.sleep(2.0)
            self.rss_mb = peak_mb(process.pid)
            health = command("health", "--run-dir", str(run_dir))
            self.health_ms = [wall_ms(health, folder, environment) for _ in range(3)]
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)


def answers_ready(path: Path) -> bool:
    """Whether the run says of itself that it is ready: every actor up, the ledger reconciled."""
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(5)
            peer.connect(str(path))
            peer.sendall(b'{"command":"health"}\n')
            answer = peer.makefile("rb").readline()
    except OSError:
        return False
    return b'"ready":true' in answer.replace(b" ", b"")


def run(options: Options) -> list[Result]:
    """Interleave all of it with the bare interpreter."""
    if find_spec("cli") is None:
        return [Result(name=name, note="skipped: there is no cli.py") for name in NAMES]
    bare, shown, health, ready, memory = [], [], [], [], []
    rounds = options.pick(3, 9)
    with scratch(options) as compiled:
        environment = _environment(compiled)
        with scratch(options) as folder:
            Paper(folder, environment)
        for count in range(rounds):
            with scratch(options) as folder:
                bare.append(wall_ms([sys.executable, "-c", "pass"], folder, environment))
                shown.append(wall_ms(command("--help"), folder, environment))
                paper = Paper(folder, environment)
                ready.append(paper.ready_ms)
                health.append(median(paper.health_ms))
                memory.append(paper.rss_mb)
            say(
                f"startup {count + 1}/{rounds}: bare {bare[-1]:.0f} ms,"
                f" --help {shown[-1]:.0f} ms, ready {ready[-1]:.0f} ms,"
                f" health {health[-1]:.0f} ms, {memory[-1]:.0f} MB"
            )
    floor, against = median(bare), "bare interpreter"
    return [
        _timed("--help", shown, floor, against, 150),
        _timed("paper run ready", ready, floor, against, 300),
        _timed("health", health, floor, against, 300),
        Result(
            name="paper run, peak resident memory",
            value=median(memory),
            unit="MB",
            goal="< 60 MB",
            met=median(memory) < 60,
        ),
    ]


def _timed(name: str, taken: list[float], floor: float, against: str, goal_ms: int) -> Result:
    return Result(
        name=name,
        value=median(taken),
        unit="ms",
        reference=floor,
        against=against,
        goal=f"< {goal_ms} ms",
        met=median(taken) < goal_ms,
        note=f"fastest {percentile(taken, 0):,.0f} ms",
    )
