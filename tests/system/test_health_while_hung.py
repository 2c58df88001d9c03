"""Health answers while every actor hangs: it reads the cells and sends nobody a message."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import strategies
from actors.thread_runtime import ThreadRuntime
from messages.lifecycle import InjectHang
from ops.config import demo_config
from ops.control import ControlServer
from ops.run_dir import RunDir
from ops.snapshot import Snapshots
from ops.wiring import build
from tests.waiting import until


@pytest.mark.slow
def test_health_answers_while_every_actor_hangs(tmp_path: Path) -> None:
    overrides = {"run_dir": str(tmp_path / "run"), "supervision.hang_after_s": 1}
    config = demo_config(overrides, strategies.check_params)
    runtime = ThreadRuntime(ttl_enforced=False)
    with RunDir(config.run_dir) as run_dir:
        system = build(config, run_dir, runtime)
        assert not runtime.start(system.root).problem
        for path in runtime.cells:
            runtime.address(path).tell(InjectHang(reason="test"))
        until(lambda: all(type(c.handling) is InjectHang for c in runtime.cells.values()))
        threading.Event().wait(1.1)
        snapshots = Snapshots(system, config)

        with ControlServer(tmp_path / "run/control.sock", {"health": lambda _: snapshots.take()}):
            command = [sys.executable, "-P", "-m", "cli", "health", "--json"]
            command += ["--run-dir", str(tmp_path / "run")]
            answer = subprocess.run(command, capture_output=True, timeout=90, check=False)

    told = json.loads(answer.stdout)
    assert answer.returncode == 2
    assert told["verdict"] == "CRITICAL"
    states = {actor["path"]: actor["state"] for actor in told["actors"]}
    assert states["execution/executor"] == states["execution/strategies/sma-1"] == "hung"
    assert states["metrics"] == "hung"
    assert all(actor["handling"] == "InjectHang" for actor in told["actors"])
