"""`python -m benchmarks`: measure, and print a table of ratios taken in one run."""

import argparse
import importlib
import json
import logging
import os
import platform
import signal
import sqlite3
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

import msgspec
from loguru import logger

from benchmarks.common import Options, Result, say
from messages.extras import how_to_install

NAMES = (
    "pipeline",
    "tick_to_order",
    "claims",
    "step_system",
    "startup",
    "inspection",
    "live_orders",
    "order_road",
    "recovery",
    "journal",
    "bus",
    "dashboard",
    "dashboard_beside",
    "backtest",
    "postgres",
    "backtest_growth",
    "optimize",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is asked for; 1 when a goal was missed, so that a script can tell."""
    arguments = _parser().parse_args(argv)
    # What was begun is ended, and its folders removed, as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    logging.getLogger("pykka").disabled = True
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    rows = arguments.rows or (1_000_000 if arguments.quick else 10_000_000)
    options = Options(quick=arguments.quick, rows=rows, folder=arguments.dir)
    results: dict[str, list[Result]] = {}
    for name in arguments.only or NAMES:
        say(f"== {name}")
        results[name] = _measured(name, options)
    print(_table(results))
    if arguments.json is not None:
        text = json.dumps(_document(results, options), indent=2) + "\n"
        arguments.json.write_text(text, encoding="utf-8")
    missed = [r.name for found in results.values() for r in found if r.met is False]
    return 1 if missed else 0


def _measured(name: str, options: Options) -> list[Result]:
    """Run one; what breaks it is told, and costs nobody what the others have measured."""
    try:
        found: list[Result] = importlib.import_module(f"benchmarks.{name}").run(options)
    except Exception as error:  # noqa: BLE001 - the others are measured all the same
        if isinstance(error, ModuleNotFoundError) and not _is_ours(error.name or ""):
            note = f"{error.name} is not installed: {how_to_install('dev')}"
            return [Result(name=name, note=note)]
        traceback.print_exc()
        broken = f"it broke: {type(error).__name__}: {error}"
        return [Result(name=name, goal="to run", met=False, note=broken)]
    return found


def _is_ours(module: str) -> bool:
    """Whether it should be there: what has moved away under a benchmark breaks it."""
    return not module or (Path(__file__).parents[1] / module.partition(".")[0]).is_dir()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, help="may be given again")
    parser.add_argument("--quick", action="store_true", help="a few minutes instead of many")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the results for machines")
    parser.add_argument(
        "--rows", type=int, metavar="N", help="of the large table (10,000,000; quick: 1,000,000)"
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="on the disk to be measured; the large table stays there for the next run",
    )
    return parser


def _table(results: dict[str, list[Result]]) -> str:
    head = ("measured", "value", "against", "ratio", "goal", "")
    lines: list[tuple[str, ...]] = [head]
    for found in results.values():
        lines += [_line(result) for result in found]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rows = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    rows.insert(1, "-" * max(map(len, rows)))
    notes = [f"{r.name}: {r.note}" for found in results.values() for r in found if r.note]
    return "\n".join([*rows, "", *notes])


def _line(result: Result) -> tuple[str, ...]:
    against = ""
    if result.reference is not None:
        against = f"{_number(result.reference)} {result.against}"
    return (
        result.name,
        "-" if result.value is None else f"{_number(result.value)} {result.unit}",
        against,
        "" if result.ratio is None else f"{result.ratio:.2f}x",
        result.goal,
        {True: "met", False: "MISSED", None: ""}[result.met],
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}"


def _document(results: dict[str, list[Result]], options: Options) -> dict[str, object]:
    return {
        "schema": 1,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "cores": os.cpu_count(),
        "quick": options.quick,
        "results": {
            name: [{**msgspec.to_builtins(result), "ratio": result.ratio} for result in found]
            for name, found in results.items()
        },
    }


if __name__ == "__main__":
    sys.exit(main())
