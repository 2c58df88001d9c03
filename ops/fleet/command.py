"""`orchestrate up`: the orchestrator in the foreground, until it is told to end."""

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import msgspec

from ops.fleet.config import load_fleet
from ops.fleet.orchestrator import Orchestrator

EXIT_OK, EXIT_LEFT = 0, 1
_TICK_S = 0.05


class _Signals:
    """How many came. A count: to set an Event could wait for the very thread it interrupts."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.count += 1


def up(path: Path, *, as_json: bool) -> int:
    """Run a fleet. The first signal ends all bots in order, the second leaves them running.

    Raises:
        ConfigError: with one sentence per mistake.
        FleetBusy: it runs already.
    """
    fleet = load_fleet(path)
    say = _lines(sys.stdout) if as_json or not sys.stdout.isatty() else _sentences(sys.stdout)
    signals = _Signals()
    with Orchestrator(fleet, say) as orchestrator:
        say("up", fleet=fleet.name, bots=len(fleet.bots), run_dir=str(fleet.run_dir))
        while not orchestrator.is_over:
            if signals.count > 1:
                say("left", why="a second signal: what still runs goes on")
                return EXIT_LEFT
            if signals.count:
                orchestrator.end()
            orchestrator.step()
            _wait(signals, orchestrator.fleet.look_s)
        say("down", fleet=fleet.name)
    return EXIT_OK


def _wait(signals: _Signals, seconds: float) -> None:
    before, deadline = signals.count, time.monotonic() + seconds
    while signals.count == before and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, _TICK_S))


def _lines(out: TextIO) -> Any:
    def say(event: str, **facts: object) -> None:
        line = {"at_ns": time.time_ns(), "event": event, **facts}
        _write(out, msgspec.json.encode(line).decode())

    return say


def _sentences(out: TextIO) -> Any:
    def say(event: str, **facts: object) -> None:
        bot = facts.pop("bot", "")
        said = ", ".join(
            f"{name} {value}" for name, value in facts.items() if value not in ("", None)
        )
        _write(out, f"{time.strftime('%H:%M:%S')} {bot or 'fleet'}: {event}  {said}".rstrip())

    return say


def _write(out: TextIO, line: str) -> None:
    try:
        out.write(line + "\n")
        out.flush()
    except (OSError, ValueError):  # whoever read it is gone; the bots need no reader
        return
