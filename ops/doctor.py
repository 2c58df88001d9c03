"""The `doctor` command: what this machine, and a config, are good for. Places no order."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from decisions.halting import reason_in
from messages.errors import ConfigError, WatchkeeperError
from ops.config_schema import Config
from ops.doctor_bus import bus_findings
from ops.doctor_database import database_findings
from ops.doctor_disk import disk_findings
from ops.doctor_finding import Finding, Level, ok, problem, warning
from ops.doctor_lease import lease_findings
from ops.doctor_machine import machine_findings
from ops.doctor_venue import venue_findings
from ops.health_text import one_line
from ops.lost_ledger import said_of_loss
from ops.run_files import LEDGER, find_latest, typed
from persistence.reader import LedgerReader


def doctor(config_path: Path | None, *, online: bool, as_json: bool) -> int:
    """Print a line per finding; give 0 when all is well, 1 for a warning, 2 for a problem."""
    worst = 0
    for finding in findings(config_path, online=online):
        worst = max(worst, finding.level.exit_code)
        line = json.dumps(finding.row()) if as_json else _line(finding)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return worst


def findings(config_path: Path | None, *, online: bool) -> Iterator[Finding]:
    """Look at everything, the cheap things first."""
    yield from machine_findings()
    config = None
    if config_path is not None:
        config, problems = _config(config_path)
        yield from problems
        if config is None:
            return  # nobody knows which run was meant
    run_dir = find_latest() if config is None else config.run_dir
    yield from disk_findings(run_dir or Path("runs"))
    if run_dir is not None:
        yield from ledger_findings(run_dir)
    if config is not None:
        yield from venue_findings(config, online=online)
        yield from bus_findings(config, online=online)
        yield from lease_findings(config)
        yield from database_findings(config)


def ledger_findings(run_dir: Path) -> Iterator[Finding]:
    """Look at the ledger of a run, if it has one, or had."""
    if lost := said_of_loss(run_dir):
        yield problem("ledger", lost, "it says what to do; nothing is started before that")
        return
    path = run_dir / LEDGER
    if not path.is_file():
        yield ok("ledger", f"{run_dir} has none yet")
        return
    try:
        with LedgerReader(path) as ledger:
            found, halted = ledger.problems(), ledger.halt_reason()
            states = ledger.states()
    except (WatchkeeperError, ValueError) as error:
        yield problem("ledger", str(error), f"keep a copy of {run_dir}, then look into it")
        return
    if found:
        yield problem(
            "ledger", f"{path}: {'; '.join(found)}", f"watchkeeper audit {typed(run_dir)}"
        )
    else:
        yield ok("ledger", f"{path} is sound and holds {sum(states.values())} orders")
    if halted:
        text = f"{run_dir} is halted: {reason_in(halted)}"
        yield warning("halt", text, f"look into it, then watchkeeper resume {typed(run_dir)}")


def _config(path: Path) -> tuple[Config | None, list[Finding]]:
    from ops.config import load
    from ops.config_window import check_window
    from ops.secret_values import secret_variables
    from persistence.secret_files import take_secret_files
    from strategies import check_params

    try:
        config = load(path, {}, check_params)
        check_window(config)
        take_secret_files(secret_variables(config))
        return config, [ok("config", f"{path} has no mistake")]
    except ConfigError as error:
        todo = f"correct it, then watchkeeper check {typed(path)}"
        return None, [problem("config", text, todo) for text in error.problems]


def _line(finding: Finding) -> str:
    todo = f" -> {finding.todo}" if finding.todo else ""
    level = str(finding.level) if finding.level is not Level.OK else "ok"
    return one_line(f"{level:8}{finding.about:12} {finding.text}{todo}")
