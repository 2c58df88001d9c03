"""The `health` command: ask the process, or read what it left. Standard library only.

It must answer in the moment everything else is broken, and as a probe every few seconds.
Exit codes are Nagios's, with LSB's 3 for a process that is not there.
"""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from messages.exit_codes import EXIT_FAILED, EXIT_OK
from ops.client import NoAnswer, ask
from ops.health_text import one_line, painted, render, wants_colour
from ops.left_behind import is_worth_seeing, last_page, left_behind, of_recordings
from ops.run_files import CONTROL_SOCKET, STANDBY_SOCKET
from ops.verdict import verdict

EXIT_CODES = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}

Snapshot = dict[str, Any]


class HealthOptions(NamedTuple):
    """The arguments of `health`. Not a dataclass: those cost a probe six milliseconds."""

    run_dir: Path
    as_json: bool = False
    watch_s: float | None = None
    probe: str | None = None
    """``live``, ``ready`` or ``startup``: one question, answered with 0 or 1."""
    stacks: bool = False
    errors: bool = False
    deep: str | None = None
    """The path of one actor that is asked what it holds."""
    timeout_s: float = 2.0


def health(options: HealthOptions, sleep: Callable[[float], None] = time.sleep) -> int:
    """Print what was asked for and give the exit code."""
    if options.probe is not None:
        return _probe(options, options.probe)
    snapshot = look(options)
    _show(snapshot, None, options)
    while options.watch_s is not None and snapshot["verdict"] != "UNKNOWN":
        sleep(options.watch_s)
        previous, snapshot = snapshot, look(options)
        _show(snapshot, previous, options)
    return EXIT_CODES[snapshot["verdict"]]


def look(options: HealthOptions) -> Snapshot:
    """Ask, or read what is left: a snapshot whose verdict is UNKNOWN where nobody answered."""
    try:
        snapshot = _asked(options)
    except NoAnswer as problem:
        return left_behind(options.run_dir, problem)
    if not snapshot.get("standby") and (options.run_dir / STANDBY_SOCKET).exists():
        with contextlib.suppress(NoAnswer):
            snapshot["standing_by"] = _standby(options, NoAnswer("", gone=True))
    return snapshot


def _asked(options: HealthOptions) -> Snapshot:
    socket = options.run_dir / CONTROL_SOCKET
    try:
        snapshot = ask(socket, "health", timeout_s=options.timeout_s)
    except NoAnswer as problem:
        socket = options.run_dir / STANDBY_SOCKET
        if not problem.gone or not socket.exists():
            raise
        snapshot = _standby(options, problem)
    actors = snapshot.get("actors")
    if not isinstance(actors, list) or not all(isinstance(one, Mapping) for one in actors):
        raise NoAnswer(f"no usable answer: {snapshot.get('error', 'no actors')}", gone=False)
    if snapshot.get("verdict") not in ("OK", "WARNING", "CRITICAL"):
        snapshot["verdict"], snapshot["why"] = _judged(snapshot)
    if options.stacks:
        reply = ask(socket, "stacks", timeout_s=options.timeout_s)
        stacks = reply.get("stacks")
        snapshot["stacks"] = stacks if isinstance(stacks, dict) else {}
    if options.errors:
        snapshot["errors_of"] = ask(socket, "errors", timeout_s=options.timeout_s)
    if options.deep is not None:
        from ops.health_deep import look_deep  # what a probe can do without

        snapshot["deep"] = look_deep(socket, options.deep, options.timeout_s)
    return snapshot


def _judged(snapshot: Snapshot) -> tuple[str, str]:
    try:
        return verdict(snapshot)
    except Exception as error:  # whoever answers may be anybody, or of another version
        raise NoAnswer(f"no usable answer: {type(error).__name__}", gone=False) from error


def _standby(options: HealthOptions, problem: NoAnswer) -> Snapshot:
    """Ask who waits for the account, where nobody trades it from this run directory."""
    try:
        return ask(options.run_dir / STANDBY_SOCKET, "health", timeout_s=options.timeout_s)
    except NoAnswer:
        raise problem from None


def _show(snapshot: Snapshot, previous: Snapshot | None, options: HealthOptions) -> None:
    if options.as_json:
        _print(json.dumps(snapshot, sort_keys=True))
        return
    colour = wants_colour()
    if previous is not None and sys.stdout.isatty():
        sys.stdout.write("\x1b[2J\x1b[H")
    if snapshot["verdict"] == "UNKNOWN":
        _print(f"{painted('UNKNOWN', 'UNKNOWN', colour=colour)}  {one_line(snapshot['why'])}")
        if is_worth_seeing(snapshot):
            _print(last_page(snapshot, colour=colour))
        else:
            for line in of_recordings(snapshot):
                _print(line)
        return
    try:
        page = render(snapshot, previous, colour=colour)
    except Exception:  # noqa: BLE001 - as in `_judged`; what it says of itself is told all the same
        word, why = snapshot["verdict"], one_line(snapshot.get("why") or "")
        page = f"{word}  its answer is no page to show: see `health --json`  why: {why}"
    _print(page)
    _show_stacks(snapshot.get("stacks") or {})
    _show_more(snapshot)


def _show_more(snapshot: Snapshot) -> None:
    if not snapshot.keys() & {"errors_of", "deep"}:
        return
    from ops.health_deep import deep_lines, error_lines

    more = [*error_lines(snapshot["errors_of"])] if "errors_of" in snapshot else []
    more += [*deep_lines(snapshot["deep"])] if "deep" in snapshot else []
    for line in more:
        _print(line)


def _show_stacks(stacks: Mapping[str, Any]) -> None:
    for thread, frames in stacks.items():
        _print(f"\n{one_line(thread)}")
        for line in frames.splitlines() if isinstance(frames, str) else frames:
            _print(f"  {one_line(line)}")


def _probe(options: HealthOptions, question: str) -> int:
    try:
        snapshot = _asked(options)
        reason = probe_problem(question, snapshot)
    except NoAnswer as problem:
        reason = str(problem)
    answer = {"probe": question, "ok": not reason, "why": reason}
    text = f"{question}: no: {one_line(reason)}" if reason else f"{question}: yes"
    _print(json.dumps(answer) if options.as_json else text)
    return EXIT_FAILED if reason else EXIT_OK


def probe_problem(question: str, snapshot: Snapshot) -> str:
    """Say why the answer is no; empty for yes. Liveness asks nothing of the exchange."""
    if not snapshot.get("root_alive"):
        from ops.verdict import what_of_root  # which a probe that is well ends without

        return what_of_root(snapshot)
    starting = [a.get("path") for a in snapshot["actors"] if a.get("state") == "starting"]
    if question == "startup" and starting:
        return f"still starting: {', '.join(map(str, starting))}"
    if question == "ready" and not snapshot.get("ready"):
        return str(snapshot.get("why") or "not ready")
    return ""


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
