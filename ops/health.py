"""The `health` command: ask the process, or read what it left. Standard library only.

It must answer in the moment everything else is broken, and as a probe every few seconds.
Exit codes are Nagios's, with LSB's 3 for a process that is not there.
"""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from messages.exit_codes import EXIT_FAILED, EXIT_OK
from ops.client import NoAnswer, ask
from ops.health_text import duration, moment, one_line, painted, render, wants_colour
from ops.run_files import CONTROL_SOCKET, STANDBY_SOCKET, STATUS, no_run
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
        return _left_behind(options.run_dir, problem)
    if not snapshot.get("standby") and (options.run_dir / STANDBY_SOCKET).exists():
        with contextlib.suppress(NoAnswer):
            snapshot["standing_by"] = _standby(options, NoAnswer("", gone=True))
    if snapshot.get("verdict") not in ("OK", "WARNING", "CRITICAL"):
        snapshot["verdict"], snapshot["why"] = verdict(snapshot)
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
    if not isinstance(snapshot.get("actors"), list):
        raise NoAnswer(f"no usable answer: {snapshot.get('error', 'no actors')}", gone=False)
    if options.stacks:
        reply = ask(socket, "stacks", timeout_s=options.timeout_s)
        snapshot["stacks"] = reply.get("stacks") or {}
    if options.errors:
        snapshot["errors_of"] = ask(socket, "errors", timeout_s=options.timeout_s)
    if options.deep is not None:
        from ops.health_deep import look_deep  # what a probe can do without

        snapshot["deep"] = look_deep(socket, options.deep, options.timeout_s)
    return snapshot


def _standby(options: HealthOptions, problem: NoAnswer) -> Snapshot:
    """Ask who waits for the account, where nobody trades it from this run directory."""
    try:
        return ask(options.run_dir / STANDBY_SOCKET, "health", timeout_s=options.timeout_s)
    except NoAnswer:
        raise problem from None


def _left_behind(run_dir: Path, problem: NoAnswer) -> Snapshot:
    try:
        last = json.loads((run_dir / STATUS).read_bytes())
    except (OSError, ValueError):
        last = None
    if not isinstance(last, dict):
        why = no_run(run_dir) if problem.gone else str(problem)
        return {"verdict": "UNKNOWN", "why": why}
    why = f"process {last.get('pid')}: {problem}"
    if problem.gone:
        why = "; ".join((_obituary(last), *_still_so(last)))
    judged = {"last_verdict": last.get("verdict"), "verdict": "UNKNOWN", "why": why}
    return {**last, **judged, "gone": problem.gone}


def _obituary(last: Snapshot) -> str:
    ended = last.get("ended")
    pid, name = last.get("pid", "?"), last.get("name", "?")
    if "pid" not in last:
        return "no process has left a word here"
    if not isinstance(ended, Mapping):
        seen = _when(last.get("captured_at_ns"))
        return f"process {pid} ({name}) was killed: last seen {seen}, and it said no goodbye"
    how = "ended in order" if _ended_well(last) else "ended by itself"
    reason, code = ended.get("reason"), ended.get("exit_code")
    return f"process {pid} ({name}) {how} {_when(ended.get('at_ns'))}: {reason} (exit code {code})"


def _still_so(last: Snapshot) -> Iterator[str]:
    """Say what did not end with the process: its halt, orders at the exchange, stops."""
    if _is_halted(last):
        halt = last["halt"]
        yield (
            f"trading is halted ({halt.get('reason')}): the next start trades nothing before"
            f" `{halt.get('ends_with')}`"
        )
    left = last.get("left")
    texts = left.get("texts") if isinstance(left, Mapping) else None
    yield from map(str, texts if isinstance(texts, list) else ())


def _is_halted(last: Snapshot) -> bool:
    """Whether a halt outlives the process."""
    halt = last.get("halt")
    return isinstance(halt, Mapping) and halt.get("on_disk") is True


def _ended_well(last: Snapshot) -> bool:
    ended = last.get("ended")
    return isinstance(ended, Mapping) and ended.get("exit_code") == 0


def _is_worth_seeing(last: Snapshot) -> bool:
    """Whether the last page is shown: of a run that ended in order only a halt is."""
    return not _ended_well(last) or (bool(last.get("gone")) and _is_halted(last))


def _when(ts_ns: object) -> str:
    if not isinstance(ts_ns, int):
        return "at an unknown time"
    return f"at {moment(ts_ns)}, {duration((time.time_ns() - ts_ns) / 1e9)} ago"


def _show(snapshot: Snapshot, previous: Snapshot | None, options: HealthOptions) -> None:
    if options.as_json:
        _print(json.dumps(snapshot, sort_keys=True))
        return
    colour = wants_colour()
    if previous is not None and sys.stdout.isatty():
        sys.stdout.write("\x1b[2J\x1b[H")
    if snapshot["verdict"] == "UNKNOWN":
        _print(f"{painted('UNKNOWN', 'UNKNOWN', colour=colour)}  {one_line(snapshot['why'])}")
        if isinstance(snapshot.get("actors"), list) and _is_worth_seeing(snapshot):
            seen = {**snapshot, "verdict": snapshot.get("last_verdict"), "why": ""}
            _print(f"last known:\n{render(seen, colour=colour)}")
        return
    _print(render(snapshot, previous, colour=colour))
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
        return "the root supervisor is not running"
    starting = [a.get("path") for a in snapshot["actors"] if a.get("state") == "starting"]
    if question == "startup" and starting:
        return f"still starting: {', '.join(map(str, starting))}"
    if question == "ready" and not snapshot.get("ready"):
        return str(snapshot.get("why") or "not ready")
    return ""


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
