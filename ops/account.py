"""The `account` command: what a live account holds, beside what the executions explain."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from decisions.account import Baseline, Flows, compare, record, row_of
from decisions.spoken import spoken_quantity
from messages.errors import ConfigError
from messages.exit_codes import EXIT_FAILED, EXIT_NOTHING_THERE, EXIT_OK
from messages.ids import NS_PER_S, Symbol
from ops.client import NoAnswer, ask, unanswered
from ops.health_text import duration, moment, one_line
from ops.run_files import CONTROL_SOCKET, LEDGER
from ops.run_state import NO_ACCOUNT, last_config, traded_by, trades_on_paper
from ops.tables import write_table
from persistence.reader import LedgerReader

_ANSWER_S = 5.0
_ACCEPT_S = 60.0
_POLL_S = 0.2
_STALE_LEAST_S = 10.0
"""A reading is never stale sooner: one that is to be seen again takes a few seconds."""
_COLUMNS = ("currency", "baseline", "traded", "expected", "venue", "difference")
_ORDER_COLUMNS = ("symbol", "venue_order_id", "client_order_id", "state", "filled_quantity")


def account(run_dir: Path, *, as_json: bool, accept: str | None) -> int:
    """Print the last comparison, after a new baseline where one was asked for; give the exit code.

    Raises:
        ConfigError: `accept` says nothing.
        LedgerUnavailable: there is neither a process nor a ledger.
    """
    if accept is not None and not accept.strip():
        raise ConfigError(['--accept: say why, such as --accept "deposit of 500 USDT"'])
    try:
        found = ask(run_dir / CONTROL_SOCKET, "account", timeout_s=_ANSWER_S)
        if "error" in found:
            said = f"the process of {run_dir} tells of no account: {one_line(found['error'])}"
            sys.stderr.write(f"watchkeeper: {said}\n")
            return EXIT_FAILED
        if accept is not None:
            return _accept(run_dir, accept.strip(), found, as_json=as_json)
    except NoAnswer as problem:
        if accept is not None:
            said = f"{problem} in {run_dir}: start the run, then accept"
            if not problem.gone:
                unknown, then = (
                    "nothing is known to be accepted",
                    "look at health, then accept again",
                )
                said = unanswered(run_dir, problem, unknown, then)
            sys.stderr.write(f"watchkeeper: {said}\n")
            return EXIT_NOTHING_THERE
        found = _left_behind(run_dir)
        _print(found, as_json=as_json)
        return EXIT_NOTHING_THERE
    return _judge(found, as_json=as_json)


def _judge(found: dict[str, Any], *, as_json: bool) -> int:
    """Print it with the age of its reading; only a fresh one that is the same proves anything."""
    dated = _dated(found)
    _print(dated, as_json=as_json)
    is_now = not dated.get("stale") and not dated.get("away")
    return EXIT_OK if dated.get("state") == "same" and is_now else EXIT_FAILED


def _dated(found: dict[str, Any]) -> dict[str, Any]:
    """Add how old the last reading is, and whether another should have come since."""
    read_at_ns = found.get("read_at_ns")
    if read_at_ns is None:
        return found
    age_s = max(time.time_ns() - read_at_ns, 0) / NS_PER_S
    limit_s = max(2 * found.get("interval_s", 0), _STALE_LEAST_S)
    return {**found, "age_s": round(age_s, 3), "stale": age_s > limit_s}


def _accept(run_dir: Path, why: str, found: dict[str, Any], *, as_json: bool) -> int:
    """Tell the process, and wait until a reading after the one `found` is the baseline."""
    socket, before = run_dir / CONTROL_SOCKET, found.get("baseline_at_ns")
    if not ask(socket, "account_accept", timeout_s=_ANSWER_S, reason=why).get("told"):
        sys.stderr.write("watchkeeper: nobody takes it: the executor has ended; see health\n")
        return EXIT_FAILED
    deadline = time.monotonic() + _ACCEPT_S
    while time.monotonic() < deadline:
        found = ask(socket, "account", timeout_s=_ANSWER_S)
        if found.get("baseline_at_ns") != before and found.get("baseline_why") == why:
            return _judge(found, as_json=as_json)
        time.sleep(_POLL_S)
    skipped = found.get("skipped") or found.get("state")
    sys.stderr.write(
        f"watchkeeper: the account could not be read within {_ACCEPT_S:g} s ({skipped}): it is"
        " accepted at its next reading; look again with `watchkeeper account`\n"
    )
    return EXIT_FAILED


def _left_behind(run_dir: Path) -> dict[str, Any]:
    """Give what the ledger expects; what the venue says only a running process asks."""
    if trades_on_paper(run_dir):
        return {"state": NO_ACCOUNT, "rows": [], "foreign_orders": []}
    flows = Flows()
    with LedgerReader(run_dir / LEDGER) as ledger, ledger.one_moment():
        text = ledger.note("account")
        # Before its first fill a run has no position: what it trades stands in its config.
        symbols = {symbol for _, symbol in ledger.positions()} | _configured(run_dir)
        for one in ledger.newest_executions():
            record(one.symbol, one.side, one.fill, flows)
    baselines = msgspec.json.decode(text, type=list[Baseline]) if text else []
    if not baselines:
        return {"state": "never compared", "rows": [], "foreign_orders": []}
    rows = [
        {**row_of(row), "told": None, "difference": None}
        for row in compare(baselines[-1], flows, {}, symbols)
    ]
    return {
        "state": "no process: the venue was not asked",
        "baseline_at_ns": baselines[-1].at_ns,
        "baseline_why": baselines[-1].why,
        "rows": rows,
        "foreign_orders": [],
    }


def _configured(run_dir: Path) -> set[Symbol]:
    traded = traded_by(last_config(run_dir)) or ()
    return {Symbol(symbol) for _, symbol in traded if "/" in symbol}


def _print(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(found, sort_keys=True) + "\n")
        return
    if found.get("baseline_at_ns"):
        at, why = moment(found["baseline_at_ns"]), one_line(found.get("baseline_why"))
        sys.stdout.write(f"since {at} ({why}), free and locked together\n")
    rows = [_shown(row) for row in found.get("rows") or ()]
    if rows:
        write_table(_COLUMNS, rows)
    foreign = found.get("foreign_orders") or ()
    if foreign:
        sys.stdout.write(f"\n{len(foreign)} open orders of others, seen and left alone:\n")
        write_table(_ORDER_COLUMNS, foreign)
    if rows or foreign or found.get("baseline_at_ns"):
        sys.stdout.write("\n")
    sys.stdout.write(
        f"{one_line(found.get('difference') or found.get('state') or '')}{_as_of(found)}\n"
    )
    if found.get("away"):
        sys.stdout.write(f"the venue is away: {one_line(found['away'])}\n")
    elif found.get("skipped"):
        sys.stdout.write(f"last not compared because: {one_line(found['skipped'])}\n")


def _as_of(found: Mapping[str, Any]) -> str:
    """Say of when it is, where a reading is behind it."""
    if found.get("read_at_ns") is None:
        return ""
    age = f"{duration(found['age_s'])} ago"
    too_old = f", too old: it is read every {found['interval_s']} s" if found["stale"] else ""
    return f", as of {moment(found['read_at_ns'])} ({age}{too_old})"


def _shown(row: Mapping[str, Any]) -> dict[str, str | None]:
    named = {**row, "venue": row["told"]}
    amounts = {name: named[name] for name in _COLUMNS[1:]}
    told = {name: None if text is None else spoken_quantity(text) for name, text in amounts.items()}
    return {"currency": row["currency"], **told}
