"""What a standby answers while it waits for its account: how warm it is, and for whom it waits.

On a socket of its own in the run directory, for the other one's may be that of the active
process; and over HTTP where that is configured. It is alive, and ready: to take over. Without
that a probe would take one that waits for one that hangs, and kill it over and over; and neither
a rolling update nor the eviction of a node could ever go on.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from decisions.lease import Wait
from messages.errors import ConfigError
from messages.ids import NS_PER_S
from messages.lease import Moment
from ops.config import Config
from ops.control import ControlServer
from ops.lease_machine import boot_ns
from ops.prometheus_text import NO_LABELS, gauge
from ops.publishing import http_server
from ops.run_files import STANDBY_SOCKET


class StandbyView:
    """What a person is shown of it; any thread. `warmth` says how warm it is: see `Warming`."""

    def __init__(self, config: Config, warmth: Callable[[], dict[str, Any]]) -> None:
        self._config, self._warmth = config, warmth
        self._begun = time.monotonic()
        self._seen: tuple[Wait, Moment] | None = None

    def seen(self, wait: Wait, at: Moment) -> None:
        """Note what a look at the lease has shown."""
        self._seen = wait, at

    def snapshot(self) -> dict[str, Any]:
        """Give all of it, as `health` shows it: a process without actors."""
        warmth, seen = self._warmth(), self._seen
        left_s = None
        if seen is not None:
            wait, at = seen
            left_s = max(0.0, (wait.left_ns - (boot_ns() - at.boot_ns)) / NS_PER_S)
        problems = [f"{name}: {text}" for name, text in sorted(warmth["problems"].items())]
        is_well = warmth["is_warm"] and not problems
        return {
            "schema": 1,
            "standby": True,
            "name": self._config.name,
            "mode": str(self._config.mode),
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._begun, 3),
            "captured_at_ns": time.time_ns(),
            "root_alive": True,
            "ready": True,
            "actors": [],
            "holder": None if seen is None else seen[0].holder,
            "lease_left_s": None if left_s is None else round(left_s, 3),
            **warmth,
            "verdict": "OK" if is_well else "WARNING",
            "why": "; ".join([_sentence(warmth, seen and seen[0], left_s), *problems]),
        }

    def text(self) -> str:
        """Give the same for Prometheus."""
        warmth = self._warmth()
        shown = (
            ("", "Whether this process waits for an account that another one trades: 1.", 1),
            ("_warm", "Whether a standby has all that it needs to take over: 1 or 0.",
             int(warmth["is_warm"])),
            ("_candles_behind", "Bars that are over and that a standby has not seen; no sample"
             " before it has seen any.", warmth["candles_behind"]),
        )  # fmt: skip
        return "".join(
            line
            for name, what, value in shown
            if value is not None
            for line in gauge(f"watchkeeper_standby{name}", what, [(NO_LABELS, value)])
        )


@contextmanager
def answering(config: Config, view: StandbyView) -> Iterator[None]:
    """Answer until the account is had.

    Raises:
        ConfigError: the run directory cannot be used; it cannot listen where `metrics.http` says,
            or the token is not in the environment.
    """
    with ExitStack() as stack:
        control = ControlServer(
            config.run_dir / STANDBY_SOCKET, {"health": lambda _: view.snapshot()}
        )
        stack.callback(control.close)
        try:
            with suppress(FileExistsError):  # it is another host's run that has one
                config.run_dir.mkdir(mode=0o700, parents=True)
            control.start()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError([f"run_dir: {config.run_dir} cannot be used: {reason}"]) from error
        if config.metrics.http is not None:
            stack.callback(http_server(config, view.text, _probe).close)
        yield


def _probe(question: str) -> str:
    del question
    return ""


def _sentence(warmth: dict[str, Any], wait: Wait | None, left_s: float | None) -> str:
    behind = warmth["candles_behind"]
    if warmth["is_warm"]:
        how = f"warm: {behind} candle{'' if behind == 1 else 's'} behind"
    else:
        how = f"not warm yet: its market is {warmth['feed']}"
    if wait is None:
        return f"standby, {how}"
    if not wait.left_ns or left_s is None:
        return f"standby, {how}, lease held by {wait.holder}"
    return f"standby, {how}, lease held by {wait.holder} for {left_s:.1f} more s"
