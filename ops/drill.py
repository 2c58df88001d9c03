"""The `drill` command: the user's strategy, struck at every step of an order's life."""

import importlib.util
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec

import strategies
from decisions.drill import LEDGER_BLOWS, Case
from messages.errors import ConfigError, DataError
from messages.exit_codes import EXIT_FAILED, EXIT_OK
from messages.extras import how_to_install
from ops.config import Config, demo_config, load
from ops.drill_cases import AnyCase, chosen_cases, parse_any
from persistence.secret_files import take_secret_files

if TYPE_CHECKING:
    from ops.drill_ledger import Database
    from ops.drill_life import Nursery
    from ops.drill_setting import Baseline, Result, Setting

JOBS_PER_CPU = 4
CANDLES = 100
ENOUGH = (CANDLES, 4 * CANDLES, 16 * CANDLES)
"""How much market is tried until a strategy sends two orders."""

_TELL_EVERY_S = 5.0


class DrillOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    config_path: Path | None = None
    """None is the demo."""
    full: bool = False
    cases: tuple[str, ...] = ()
    """POINT/FAULT/BLOW or ROAD/POINT/FAULT/BLOW, instead of a choice of ours."""
    seed: int | None = None
    """Of the market and of the order of the cases; None: the config's."""
    candles: int | None = None
    """How much of the market; None: as much as it takes for two orders, within reason."""
    jobs: int | None = None
    """Cases at once; None: four for each CPU, since most of the time is waiting."""
    keep: Path | None = None
    database_url_env: str | None = None
    """The ledgers are in that PostgreSQL; None: in files."""
    as_json: bool = False


def drill(options: DrillOptions) -> int:
    """Play the cases, print what came of them; 0 when none failed, else 1.

    Raises:
        ConfigError: the config or a case cannot be used, or the extra is not installed.
        DataError: the strategy sends no order, or an undisturbed run fails already.
    """
    if any(importlib.util.find_spec(name) is None for name in ("aiohttp", "ccxt")):
        raise ConfigError([f"the drill needs aiohttp and ccxt: {how_to_install('exchange')}"])
    if options.keep is not None and options.keep.is_dir() and any(options.keep.iterdir()):
        raise ConfigError([f"--keep: {options.keep} is not empty: name a new directory"])
    cases, config = _cases(options), _config(options)
    database = _database(options)
    from ops.drill_life import Nursery

    with _ending_on_sigterm(), Nursery() as nursery:
        return _played(options, config, cases, nursery, database)


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Take a SIGTERM as a Ctrl-C: what is under way is ended, and its folders are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _played(
    options: DrillOptions,
    config: Config,
    cases: Sequence[AnyCase],
    nursery: "Nursery",
    database: "Database | None",
) -> int:
    began = time.monotonic()
    from ops.drill_play import play

    setting, baseline = _prepared(options, config, cases, nursery, database)
    show = _progress(len(cases), sys.stderr)
    results = []
    for result in play(setting, baseline, cases, options.jobs or _usual_jobs()):
        results.append(result)
        show(result)
        if options.as_json:
            sys.stdout.write(_json_line(result))
            sys.stdout.flush()
    places = {str(case): place for place, case in enumerate(cases)}
    results.sort(key=lambda result: places[result.case])
    seconds = time.monotonic() - began
    text = _json_end(results, seconds) if options.as_json else _text(results, seconds, options)
    sys.stdout.write(text)
    return EXIT_OK if all(result.passed for result in results) else EXIT_FAILED


def _prepared(
    options: DrillOptions,
    config: Config,
    cases: Sequence[AnyCase],
    nursery: "Nursery",
    database: "Database | None",
) -> "tuple[Setting, Baseline]":
    """Find out what an undisturbed run sends, in as little market as shows two orders.

    Cases of other roads than an order's own need nothing of it.

    Raises:
        DataError: it sends nothing, or fails.
    """
    from ops.drill_case import find_baseline
    from ops.drill_setting import Baseline, Setting

    choices = ENOUGH if options.candles is None else (options.candles,)
    for candles in choices:
        setting = Setting(
            config_path=options.config_path,
            config=config,
            candles=candles,
            seed=options.seed,
            keep=options.keep,
            nursery=nursery,
            database=database,
        )
        if not any(isinstance(case, Case) for case in cases):
            return setting, Baseline(target=None, sent=frozenset())
        baseline = find_baseline(setting)
        if len(baseline.sent) > 1:
            break
    if not baseline.sent:
        raise DataError(
            f"the strategy sends no order in {setting.candles} candles, so there is nothing to"
            " rehearse: use more --candles, another --seed, or looser [risk] limits"
        )
    return setting, baseline


def _usual_jobs() -> int:
    return JOBS_PER_CPU * (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)


def _cases(options: DrillOptions) -> list[AnyCase]:
    in_database = options.database_url_env is not None
    if not options.cases:
        return chosen_cases(full=options.full, in_database=in_database)
    cases: list[AnyCase] = []
    wrong = []
    for text in options.cases:
        try:
            cases.append(case := parse_any(text))
        except ValueError as error:
            wrong.append(f"--case: {error}")
        else:
            if case.blow in LEDGER_BLOWS and not in_database:
                wrong.append(f"--case: {text}: a file is never lost: name a --database-url-env")
    if wrong:
        raise ConfigError(wrong)
    return cases


def _database(options: DrillOptions) -> "Database | None":
    """Look at the database, if one is named.

    Raises:
        ConfigError: its address is not there, or psycopg is not.
        LedgerUnavailable: it cannot be used.
    """
    name = options.database_url_env
    if name is None:
        return None
    take_secret_files([name])
    from ops.drill_ledger import Database

    database = Database(name)
    database.check()
    return database


def _config(options: DrillOptions) -> Config:
    check = strategies.check_params
    path = options.config_path
    return demo_config({}, check) if path is None else load(path, {}, check)


# ---------------------------------------------------------------- output


def _progress(total: int, screen: TextIO) -> "Callable[[Result], None]":
    """Count on a terminal; anywhere else say now and then how far it is, and which case failed."""
    done = failed = 0
    told_s = time.monotonic()

    def show(result: "Result") -> None:
        nonlocal done, failed, told_s
        done += 1
        failed += not result.passed
        if screen.isatty():
            end = "\n" if done == total else ""
            screen.write(f"\r\x1b[K{done}/{total} cases, {failed} failed: {result.case}{end}")
            screen.flush()
        elif done == total or not result.passed or time.monotonic() - told_s >= _TELL_EVERY_S:
            told_s = time.monotonic()
            end = "" if result.passed else f": {result.case} FAILED"
            screen.write(f"{done}/{total} cases, {failed} failed{end}\n")
            screen.flush()

    return show


def _json_line(result: "Result") -> str:
    line = {"event": "case", "passed": result.passed, **msgspec.to_builtins(result)}
    return json.dumps(line) + "\n"


def _json_end(results: "Sequence[Result]", seconds: float) -> str:
    failed = sum(not result.passed for result in results)
    end = {"event": "end", "cases": len(results), "failed": failed, "seconds": round(seconds, 1)}
    return json.dumps(end) + "\n"


def _text(results: "Sequence[Result]", seconds: float, options: DrillOptions) -> str:
    head = ("point", "fault", "blow", "orders", "expected", "state", "settled in", "verdict")
    rows = [head, *(_row(result) for result in results)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    table = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    failed, total = [result for result in results if not result.passed], len(results)
    verdict = (
        f"{len(failed)} of {total} cases FAILED"
        if failed
        else f"Passed, {total} of {total}: never two orders for one decision, none lost"
    )
    return "\n".join([*table, "", *_failures(failed, options), f"{verdict} ({seconds:.0f} s).", ""])


def _row(result: "Result") -> tuple[str, ...]:
    point, fault, blow = result.case.rsplit("/", 2)
    end = "passed" if result.passed else "FAILED"
    end += f" at try {result.tries}" if result.tries > 1 else ""
    orders, took = str(result.at_exchange), f"{result.seconds:.1f} s"
    return (point, fault, blow, orders, result.expected, result.state, took, end)


def _failures(failed: "Sequence[Result]", options: DrillOptions) -> list[str]:
    lines = []
    for result in failed:
        lines += [f"{result.case}: {problem}" for problem in result.problems]
        lines += [f"  again: {_again(result.case, options)}", ""]
    return lines


def _again(case: str, options: DrillOptions) -> str:
    """Give the one line that plays a case again."""
    words = ["watchkeeper", "drill"]
    if options.config_path is not None:
        words.append(str(options.config_path))
    words += ["--case", case]
    if options.seed is not None:
        words += ["--seed", str(options.seed)]
    if options.candles is not None:
        words += ["--candles", str(options.candles)]
    if options.database_url_env is not None:
        words += ["--database-url-env", options.database_url_env]
    return " ".join(words)
