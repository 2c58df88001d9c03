"""What persons ask of a fleet: `ps`, `page`, `restart`, `drain`, `reload`, `down`, `logs`."""

import json
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psutil

from decisions.fleet_bot import BotMemory, Phase
from decisions.fleet_restarts import ending
from messages.exit_codes import EXIT_FAILED, EXIT_NOTHING_THERE, EXIT_OK
from ops.fleet.bots import CRASH_OUTPUT, START_OUTPUT, BotProcess, holder
from ops.fleet.config import BotSpec, FleetConfig, load_fleet
from ops.fleet.fleet_lock import FLEET_LOCK
from ops.fleet.orchestrator import OK, STATE, Orchestrator
from ops.fleet.reloading import Reloaded
from ops.fleet.standing import Seen, seen_of, standing
from ops.health_deep import one_line_kept
from ops.health_text import duration, one_line
from ops.page_files import Wanted, check_replaceable, write_page
from ops.run_files import LOCK, LOG, typed
from persistence.fleet import FleetStore, Kept

PAGE = "fleet.html"
Told = TypeVar("Told")
_POLL_S = 0.1
_LINE_BYTES, _MOST_BYTES = 1_024, 16_000_000
"""Of a log that is read from its end: so long may lines be on the average, so much may all be."""
_SAID = (CRASH_OUTPUT, START_OUTPUT, LOG)
_GONE = "gone"
"""Instead of an answer."""
_DONE = {
    "restart": "{bot} is being started anew",
    "drain": "{bot} is being ended, and stays so",
    "reload": "the fleet file was read again",
    "down": "no bot runs any more",
}


def ask(path: Path, verb: str, bot: str, timeout_s: float, *, as_json: bool) -> int:
    """Have the living orchestrator do something; 0 done, 1 it cannot or does not, 3 there is none.

    Done is: taken up, but for `down`, which waits for the bots, and needs no orchestrator: without
    one, this process ends them.
    """
    fleet = load_fleet(path)
    code, said, bots = _asked(fleet, verb, bot, timeout_s)
    if verb == "down" and code == EXIT_OK and (runs := _still_running(fleet)):
        code, said = EXIT_FAILED, runs
    if as_json:
        told: dict[str, Any] = {
            "verb": verb,
            "bot": bot or None,
            "done": code == EXIT_OK,
            "text": said,
        }
        told |= {} if bots is None else {"bots": bots}
        sys.stdout.write(json.dumps(told, sort_keys=True, default=msgspec.structs.asdict) + "\n")
    elif code == EXIT_OK:
        sys.stdout.write(f"{said}\n")
    else:
        _complain(said)
    return code


def _asked(
    fleet: FleetConfig, verb: str, bot: str, timeout_s: float
) -> tuple[int, str, Reloaded | None]:
    """Give the exit code, the sentence, and what became of whom where the file was read again."""
    done, lock = _DONE[verb].format(bot=bot), fleet.run_dir / FLEET_LOCK
    answer = _GONE if holder(lock) is None else _answered(fleet, verb, bot, timeout_s)
    if answer == _GONE and verb == "down":
        if _take_down(fleet, timeout_s):
            return EXIT_OK, done, None
        left = "a bot is not gone, or not noted as gone,"
        return EXIT_FAILED, f"{left} after {timeout_s:g} s: it was asked to end", None
    if answer == _GONE:
        up = f"watchkeeper orchestrate up {typed(fleet.path)}"
        return EXIT_NOTHING_THERE, f"nobody runs this fleet: {up}", None
    if answer == OK:
        return EXIT_OK, done, None
    if answer.startswith(f"{OK} {{"):
        reloaded = msgspec.json.decode(answer.removeprefix(OK), type=Reloaded)
        return EXIT_OK, f"{done}: {reloaded}", reloaded
    return EXIT_FAILED, answer or f"no answer in {timeout_s:g} s; it is still asked for", None


def ps(path: Path, *, as_json: bool) -> int:
    """Show the bots; 0 all run or ended in order, 1 one does not, 3 nothing is there."""
    fleet = load_fleet(path)
    return _showing(fleet, _row, lambda rows: _show_rows(fleet, rows, as_json=as_json))


def _show_rows(fleet: FleetConfig, rows: list[dict[str, Any]], *, as_json: bool) -> int:
    orchestrator = holder(fleet.run_dir / FLEET_LOCK)
    if as_json:
        shown = {"fleet": fleet.name, "orchestrator": orchestrator and orchestrator.pid}
        sys.stdout.write(json.dumps({**shown, "bots": rows}, sort_keys=True) + "\n")
    else:
        _print_table(rows, orchestrator)
    return EXIT_OK if all(map(_is_fine, rows)) else EXIT_FAILED


def _is_fine(row: dict[str, Any]) -> bool:
    """What was noted as running may be gone since: with its machine, or its orchestrator."""
    return row["phase"] == Phase.STOPPED or (row["phase"] == Phase.RUNNING and bool(row["pid"]))


def page(path: Path, out: Path | None, *, as_json: bool) -> int:
    """Write how a fleet stands as one HTML file, or as one object; 3 it was never up.

    Raises:
        ConfigError: it would replace another file.
        OSError: the file cannot be written.
    """
    check_replaceable(Wanted("--out", None if as_json else out))
    fleet = load_fleet(path)
    return _showing(fleet, _seen, lambda bots: _write_page(fleet, bots, out, as_json=as_json))


def _write_page(fleet: FleetConfig, bots: list[Seen], out: Path | None, *, as_json: bool) -> int:
    orchestrator = holder(fleet.run_dir / FLEET_LOCK)
    model = standing(fleet.name, orchestrator.pid if orchestrator else None, bots)
    if as_json:
        sys.stdout.write(json.dumps(model) + "\n")
        return EXIT_OK
    from ops.fleet.page import page as html_of

    text, place = html_of(model), out or fleet.run_dir / PAGE
    if str(place) == "-":
        sys.stdout.write(text)
        return EXIT_OK
    write_page(place, text)
    sys.stdout.write(f"{place} ({len(text.encode()) / 1024:.0f} kB): open it in any browser\n")
    return EXIT_OK


def _showing(
    fleet: FleetConfig, take: Callable[[Kept], Told], show: Callable[[list[Told]], int]
) -> int:
    """Show of each bot what `take` makes of what was written down of it, if anything was."""
    up = f"watchkeeper orchestrate up {typed(fleet.path)}"
    if not (fleet.run_dir / STATE).is_file():
        _complain(f"this fleet was never up: {up}")
        return EXIT_NOTHING_THERE
    with closing(FleetStore(fleet.run_dir / STATE)) as store:
        try:
            told = [take(kept) for kept in store.bots()]
        except msgspec.DecodeError as error:
            _complain(f"{STATE} is of another version ({error}): {up}")
            return EXIT_FAILED
    return show(told)


def logs(path: Path, bot: str, lines: int) -> int:
    """Print the last lines of one bot's log, of what it said since it started, and as it died."""
    fleet = load_fleet(path)
    spec = next((one for one in fleet.bots if one.bot == bot), None)
    if spec is None:
        known = ", ".join(one.bot for one in fleet.bots)
        _complain(f"there is no bot {bot} (there are: {known})")
        return EXIT_FAILED
    tails = {name: _tail(Path(spec.run_dir) / name, lines) for name in _SAID}
    for name, tail in tails.items():
        if tail:
            sys.stdout.write(f"==> {name} <==\n{tail}\n")
    if not any(tails.values()):
        _complain(
            f"{bot} has written nothing yet: watchkeeper orchestrate ps {typed(path)} shows why"
        )
    return EXIT_OK


def _take_down(fleet: FleetConfig, timeout_s: float) -> bool:
    """End all bots; False: the time is over, and one is left, or could not be written down."""
    deadline = time.monotonic() + timeout_s
    with Orchestrator(fleet, lambda *_, **__: None) as orchestrator:
        orchestrator.end()
        orchestrator.step()
        while not orchestrator.is_over and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            orchestrator.step()
        return orchestrator.is_over


def _still_running(fleet: FleetConfig) -> str:
    """Say which bots run though all were ended: a person has started them, in their directories."""
    dirs = {spec.bot: spec.run_dir for spec in fleet.bots if holder(Path(spec.run_dir) / LOCK)}
    stops = "; ".join(f"watchkeeper stop --run-dir {typed(d)}" for d in dirs.values())
    return f"{' and '.join(dirs)} still runs, started by somebody else: {stops}" if dirs else ""


def _answered(fleet: FleetConfig, verb: str, bot: str, timeout_s: float) -> str:
    """Give the orchestrator's answer; empty where none came in time, `_GONE` where it ended first.

    What one that ended has not answered is withdrawn, so that the next does not do it. `down` is
    answered once the orchestrator has ended, or the time is over.
    """
    deadline, lock = time.monotonic() + timeout_s, fleet.run_dir / FLEET_LOCK
    with closing(FleetStore(fleet.run_dir / STATE)) as store:
        number = store.ask(verb, bot, time.time_ns())
        is_there = True
        while not (answer := store.answer_to(number)) and is_there and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            is_there = holder(lock) is not None
        if not (answer or is_there):
            store.answer(number, answer := _GONE)
    while answer == OK and verb == "down" and holder(lock) and time.monotonic() < deadline:
        time.sleep(_POLL_S / 10)  # it answers with its last breath, and another may be started now
    return answer


def _row(kept: Kept) -> dict[str, Any]:
    spec = msgspec.json.decode(kept.spec, type=BotSpec)
    memory = msgspec.json.decode(kept.memory, type=BotMemory)
    process = BotProcess(spec)
    pid = process.see()
    usage = process.usage()
    return {
        "bot": kept.bot,
        "phase": str(memory.phase),
        "pid": pid,
        "since_s": max(time.time_ns() - memory.since_ns, 0) / 1e9 if memory.since_ns else None,
        "restarts": memory.restarts,
        "exit": None if kept.exit_code is None else ending(kept.exit_code),
        "cpu_s": None if usage is None else round(usage[0], 2),
        "rss_mb": None if usage is None else round(usage[1] / 1e6, 1),
        "why": memory.why,
        "warnings": memory.warnings,
        "run_dir": spec.run_dir,
    }


def _seen(kept: Kept) -> Seen:
    spec = msgspec.json.decode(kept.spec, type=BotSpec)
    memory = msgspec.json.decode(kept.memory, type=BotMemory)
    how = None if kept.exit_code is None else ending(kept.exit_code)
    return seen_of(kept.bot, spec.run_dir, memory, BotProcess(spec).see(), how)


def _print_table(rows: list[dict[str, Any]], orchestrator: psutil.Process | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    by = f"orchestrator {orchestrator.pid}" if orchestrator else "no orchestrator is running"
    table = Table(title=by, title_justify="left", box=None)
    for name in ("bot", "phase", "pid", "for", "restarts", "cpu s", "MB", "why"):
        table.add_column(name)
    for row in rows:
        since = row["since_s"]
        cells = [
            row["bot"], row["phase"], row["pid"], None if since is None else duration(since),
            row["restarts"], row["cpu_s"], row["rss_mb"], "; ".join([row["why"], *row["warnings"]]),
        ]  # fmt: skip
        # As text: what a bot says of itself may look like markup, and be none.
        table.add_row(*(Text("" if cell is None else one_line(cell).strip("; ")) for cell in cells))
    Console(soft_wrap=True).print(table)


def _complain(sentence: str) -> None:
    sys.stderr.write(f"watchkeeper: {sentence}\n")


def _tail(path: Path, lines: int) -> str:
    """Give the last lines of a file, whose end alone is read, as a terminal may show them."""
    if not path.is_file():  # a pipe would be waited for
        return ""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - min(_LINE_BYTES * max(lines, 1), _MOST_BYTES), 0))
            text = file.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""
    shown = text.rstrip("\n").split("\n")[-lines:] if lines else []
    return "\n".join(one_line_kept(line) for line in shown)
