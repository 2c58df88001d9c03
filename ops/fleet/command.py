"""`orchestrate up`: the orchestrator in the foreground, until it is told to end."""

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import msgspec

from decisions.fleet_bot import BotMemory
from messages.errors import ConfigError
from messages.exit_codes import EXIT_FAILED, EXIT_OK
from ops.alert_addresses import addresses
from ops.fleet.alerts import FleetAlerts
from ops.fleet.config import FleetConfig, load_fleet
from ops.fleet.fleet_lock import FleetGone, FleetLock
from ops.fleet.orchestrator import Orchestrator
from ops.fleet.roster import Say
from ops.fleet.serving import FleetView, serving
from ops.health_text import one_line
from ops.stdout import takes_more

_TICK_S = 0.05
_PATIENCE_S = 1.0
"""Until a reader is taken for one that stands still."""


class _Signals:
    """How many came. A count: to set an Event could wait for the very thread it interrupts."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.count += 1


def up(path: Path, *, as_json: bool, http: str | None = None) -> int:
    """Run a fleet. The first signal ends all bots in order, the second leaves them running.

    `http` is where its page is served, over what the file says.

    Raises:
        ConfigError: with one sentence per mistake.
        FleetBusy: it runs already.
    """
    fleet = load_fleet(path, http=http)
    view = FleetView(fleet)
    say = told_to(sys.stdout, as_json=as_json)
    urls = addresses(fleet.urls_env)
    signals = _Signals()
    with (
        _served(fleet, view),  # first: the orchestrator drains what was changed as it begins
        Orchestrator(fleet, say) as orchestrator,
        _alerts(fleet, urls, say) as alerts,
    ):
        say("up", fleet=fleet.name, bots=len(fleet.bots), run_dir=str(fleet.run_dir))
        if fleet.http:
            say("serving", page=f"http://{fleet.http}/")
        while not orchestrator.is_over:
            if signals.count > 1:
                say("left", why="a second signal: what still runs goes on")
                return EXIT_FAILED
            if signals.count:
                orchestrator.end()
            try:
                orchestrator.step()
            except FleetGone as error:
                say("left", why=str(error))
                return EXIT_FAILED
            view.leave(orchestrator.seen, orchestrator.fleet.look_s)
            tell(alerts, orchestrator.memories, say)
            _wait(signals, orchestrator.fleet.look_s)
        say("down", fleet=fleet.name)
    return EXIT_OK


def _served(fleet: FleetConfig, view: FleetView) -> AbstractContextManager[object]:
    try:
        return serving(fleet, view)
    except ConfigError:
        if fleet.run_dir.is_dir():  # the port may be that of who runs this very fleet
            FleetLock(fleet.run_dir).close()
        raise


@contextmanager
def _alerts(fleet: FleetConfig, urls: list[str], say: Say) -> Iterator[FleetAlerts]:
    alerts = FleetAlerts(fleet.name, fleet.path, urls, fleet.calm_s)
    try:
        yield alerts
    finally:
        alerts.close()
        _tell_undelivered(alerts, say)


def tell(alerts: FleetAlerts, bots: Mapping[str, BotMemory], say: Say) -> None:
    """Tell the addresses what is new, and who reads the lines that too."""
    for notice in alerts.look(bots):
        say("alert", state=str(notice.state), sentence=notice.sentence)
    _tell_undelivered(alerts, say)


def _tell_undelivered(alerts: FleetAlerts, say: Say) -> None:
    if problem := alerts.new_problem():
        say("undelivered", why=problem)


def _wait(signals: _Signals, seconds: float) -> None:
    before, deadline = signals.count, time.monotonic() + seconds
    while signals.count == before and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, _TICK_S))


def told_to(out: TextIO, *, as_json: bool) -> Say:
    """Give what tells a reader what happens, and waits for none: bots are looked after meanwhile.

    A terminal may be held, and who reads a pipe stand still. What is not told then is counted.
    """
    say = _lines(out) if as_json or not out.isatty() else _sentences(out)
    untold = 0

    def say_or_count(event: str, **facts: object) -> None:
        nonlocal untold
        if not takes_more(0.0 if untold else _PATIENCE_S, out):
            untold += 1
            return
        if untold:
            say("untold", lines=untold)
            untold = 0
        say(event, **facts)

    return say_or_count


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
        _write(
            out, f"{time.strftime('%H:%M:%S')} {bot or 'fleet'}: {event}  {one_line(said)}".rstrip()
        )

    return say


def _write(out: TextIO, line: str) -> None:
    try:
        out.write(line + "\n")
        out.flush()
    except (OSError, ValueError):  # whoever read it is gone; the bots need no reader
        return
