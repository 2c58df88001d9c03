"""A publisher wired as `publish` wires it, in this process; and one as a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.thread_runtime import ThreadRuntime
from exchanges.bus_address import BusAddress, StreamLimits
from ops.bus_wiring import Gate, Publishing, build_publisher, open_writer
from ops.config import Config
from ops.live_feed import open_live
from ops.run_dir import RunDir
from ops.wiring_feeds import path_of_feed

LIMIT_NS = 30_000_000_000
HISTORY = 10


@contextmanager
def publisher(config: Config, url: str, folder: Path) -> Iterator[Publishing]:
    """Publish a market from its beginning, or from where the stream ends, until left."""
    address = BusAddress(url=url, stream="market")
    make, writer, reached = open_writer(config, address, StreamLimits())
    opened = open_live(config, path_of_feed(config), HISTORY) if config.feed.is_live else None
    runtime = ThreadRuntime(ttl_enforced=False)
    with RunDir(folder) as run_dir:
        gate = Gate(writer=writer, reached=reached, feed=opened)
        system = build_publisher(config, run_dir, runtime, gate, make, history=HISTORY)
        started = runtime.start(system.root, LIMIT_NS)
        assert not started.problem, started.problem
        try:
            yield system
        finally:
            runtime.stop(system.root, None)
            writer.close(3.0)
            if opened is not None:
                opened.close(3.0)


def publish(*arguments: Any) -> "subprocess.Popen[str]":
    """Start `publish` as a process."""
    command = [sys.executable, "-P", "-m", "cli", "publish", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
