"""How fast a run says how it is: under full load, and with every actor hung, the root too.

The run is a process of its own, so that nobody measured shares an interpreter with who asks.
*Asked* is a round trip over the control socket or HTTP. Of `health` as a command both times are
taken from the same calls: its processor time, and the wall time from spawning it to its exit.
"""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.common import Options, Result, median, percentile, say, scratch, wait_for

ROOT = Path(__file__).resolve().parent.parent
LIMIT_MS = 100
WALL_LIMIT_MS = 300
"""Of a command, whose interpreter has to start first."""
STATES = ("loaded", "loaded, in a live run's turns", "hung")
"""Full load is a recording that runs through; a live run takes turns of 50 us."""


def run(options: Options) -> list[Result]:
    """Ask one run in each state."""
    results: list[Result] = []
    for state in STATES:
        with scratch(options) as folder:
            say(f"asking a run that is {state}")
            results += asked(folder / "run", state, options.pick(200, 1_000), options.pick(10, 50))
    return results


def asked(run_dir: Path, state: str, count: int, commands: int) -> list[Result]:
    """Ask so many times over each road, and as so many commands."""
    from ops.client import ask

    with _bot(run_dir, state) as port:
        socket = run_dir / "control.sock"
        _command(run_dir)  # compiled from here on
        over_socket = [_ms(lambda: ask(socket, "health")) for _ in range(count)]
        over_http = [_ms(lambda: _get(port, "/metrics")) for _ in range(count)]
        health = [_command(run_dir) for _ in range(commands)]
        bare = [_command(run_dir, "-P", "-c", "pass") for _ in range(commands)]
    return [
        *judged(f"health, control socket, {state}", over_socket),
        *judged(f"/metrics, {state}", over_http),
        *of_commands(state, health, bare),
    ]


class Spent(NamedTuple):
    """What one command took, in milliseconds."""

    cpu_ms: float
    wall_ms: float


def of_commands(state: str, health: list[Spent], bare: list[Spent]) -> Iterator[Result]:
    """Hold both times of the command against their limits; show the bare interpreter's."""
    yield from judged(f"health, command, processor time, {state}", [one.cpu_ms for one in health])
    walls = [one.wall_ms for one in health]
    yield from judged(f"health, command, wall time, {state}", walls, WALL_LIMIT_MS)
    for what, value in (
        ("processor time", median([one.cpu_ms for one in bare])),
        ("wall time", median([one.wall_ms for one in bare])),
    ):
        yield Result(name=f"bare interpreter, {what}, {state}: p50", value=value, unit="ms")


def judged(name: str, taken: list[float], limit_ms: int = LIMIT_MS) -> Iterator[Result]:
    """Give p50, p99 and the maximum, each of which keeps the limit."""
    for word, value in (
        ("p50", percentile(taken, 50)),
        ("p99", percentile(taken, 99)),
        ("max", max(taken)),
    ):
        yield Result(
            name=f"{name}: {word}",
            value=value,
            unit="ms",
            goal=f"< {limit_ms} ms",
            met=value < limit_ms,
        )


def _ms(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1_000


def _get(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200 or not answer.read():
            raise RuntimeError(f"{path} answers {answer.status}")
    finally:
        connection.close()


def _command(run_dir: Path, *words: str) -> Spent:
    """Run one `health`, or other words; processor time is also the kernel's for it."""
    words = words or ("-P", "-m", "cli", "health", "--run-dir", str(run_dir))
    command, environment = [sys.executable, *words], _environment(run_dir)
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall_ms = (time.perf_counter() - begun) * 1_000
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1, 2):
        raise RuntimeError(f"health ends with {process.returncode}")
    return Spent((used.ru_utime + used.ru_stime) * 1_000, wall_ms)


def _environment(run_dir: Path) -> dict[str, str]:
    """Let what is compiled be kept, as where a package is installed, and beside the run."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    compiled = run_dir.with_name("compiled")
    return inherited | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(compiled)}


# ------------------------------------------------------------------ the run that is asked


@contextmanager
def _bot(run_dir: Path, state: str) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.inspection", str(run_dir), state]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=_environment(run_dir),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the run that is to be asked did not come up")
        yield int(json.loads(line)["port"])
    finally:
        process.kill()
        process.communicate()


def _serve(run_dir_path: Path, state: str) -> None:
    """Run the demo as fast as it goes, in this state, until somebody ends the process."""
    from actors.thread_runtime import SWITCH_INTERVAL_S, ThreadRuntime
    from messages.lifecycle import InjectHang
    from ops.config import demo_config
    from ops.control import ControlServer
    from ops.exposition import Exposition
    from ops.health import probe_problem
    from ops.http_server import HttpServer
    from ops.run_dir import RunDir
    from ops.snapshot import Snapshots
    from ops.wiring import build

    config = demo_config({"run_dir": str(run_dir_path), "feed.speed": 0})
    runtime, seen = ThreadRuntime(ttl_enforced=False), list[Any]()
    with RunDir(config.run_dir) as run_dir:
        system = build(config, run_dir, runtime, observe=lambda m: [see(m) for see in seen])
        snapshots = Snapshots(system, config)
        seen.append(snapshots.facts.observe)
        take = partial(snapshots.take, latencies=False)  # as `ops.publishing` asks
        metrics = Exposition(system, run_dir.ledger, config.name, "paper", take).text
        handlers = {"health": lambda _: snapshots.take()}

        def probe(question: str) -> str:
            return probe_problem(question, take())

        started = runtime.start(system.root)
        if started.problem:
            raise RuntimeError(started.problem)
        if "live" in state:
            sys.setswitchinterval(SWITCH_INTERVAL_S)
        if state == "hung":
            cells = list(runtime.cells.values())
            for cell in cells:
                cell.mailbox.put(InjectHang(reason="a benchmark"))
            wait_for(lambda: all(type(cell.handling) is InjectHang for cell in cells))
        with (
            ControlServer(run_dir.path / "control.sock", handlers),
            HttpServer("127.0.0.1", 0, metrics, probe) as server,
        ):
            print(json.dumps({"port": server.port}), flush=True)
            sys.stdin.read()
    os._exit(0)  # what hangs is not waited for


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.argv[2])
