"""A local exchange in a process of its own, so that it shares no interpreter with the bot."""

import json
import os
import subprocess
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.startup import ROOT, command

SYMBOL = "BTC/USDT"
RICH = ("USDT=100000000000", "BTC=1000000")


class Exchange:
    """Where it is, and what its control port says and does."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self._control = facts["control"]
        venue = tomllib.loads(facts["toml"])["venue"]
        self.ccxt: dict[str, Any] = venue["ccxt"]
        """For ccxt's constructor, without the keys."""
        environment = facts["environment"]
        self.keys = {"apiKey": environment["LOCAL_KEY"], "secret": environment["LOCAL_SECRET"]}

    def read(self, what: str) -> Any:
        """Give what a GET on the control port gives."""
        return self._asked(urllib.request.Request(f"{self._control}/{what}"))

    def do(self, what: str, **arguments: Any) -> Any:
        """Do something to the exchange."""
        body, kind = json.dumps(arguments).encode(), {"Content-Type": "application/json"}
        return self._asked(urllib.request.Request(f"{self._control}/{what}", body, kind))

    def _asked(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["result"]


@contextmanager
def exchange(speed: float = 0, seed: int = 5) -> Iterator[Exchange]:
    """Serve a local exchange until the block ends."""
    arguments = ["--json", "--speed", str(speed), "--seed", str(seed), "--symbols", SYMBOL]
    for balance in RICH:
        arguments += ["--balance", balance]
    process = subprocess.Popen(
        command("venue", *arguments),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        yield Exchange(json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.communicate(timeout=30)
