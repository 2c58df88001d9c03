"""Which run directory a command line means. Only the standard library: `health` is here."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from messages.exit_codes import EXIT_NOTHING_THERE
from ops.run_files import find_latest, is_run, no_run

Command = Callable[[argparse.Namespace], int]
"""From the command line to the exit code of the process."""
OfRun = Callable[[argparse.Namespace, Path], int]


def run_dir_of(arguments: argparse.Namespace) -> Path | None:
    """Give the run directory that was named, or the newest; None after saying there is none."""
    run_dir: Path | None = arguments.run_dir or find_latest()
    if run_dir is None:
        say_no_run("./runs")
    return run_dir


def named_run_of(arguments: argparse.Namespace) -> Path | None:
    """Give the run directory that was named either way, or the newest."""
    arguments.run_dir = arguments.run or arguments.run_dir
    return run_dir_of(arguments)


def acted_upon(arguments: argparse.Namespace) -> Path | None:
    """Give the run directory of what changes a run; say which, where nobody has named it."""
    is_named = arguments.run or arguments.run_dir
    run_dir = named_run_of(arguments)
    if run_dir is not None and not is_named:
        sys.stderr.write(f"watchkeeper: no run is named: this is about the newest, {run_dir}\n")
    return run_dir


def of_run(find: Callable[[argparse.Namespace], Path | None]) -> Callable[[OfRun], Command]:
    """Make a command of what is done with a run directory; where there is no run it says so."""

    def command_of(do: OfRun) -> Command:
        def command(arguments: argparse.Namespace) -> int:
            run_dir = find(arguments)
            if run_dir is None:
                return EXIT_NOTHING_THERE
            return _done(do, arguments, run_dir) if is_run(run_dir) else say_no_run(run_dir)

        return command

    return command_of


def _done(do: OfRun, arguments: argparse.Namespace, run_dir: Path) -> int:
    try:
        return do(arguments, run_dir)
    except Exception as error:
        from ops.forgotten_ledger import said_of  # more than the standard library

        if (sentence := said_of(error, run_dir)) is None:
            raise
        raise sentence from error


def say_no_run(place: str | Path) -> int:
    """Say it, and give the exit code of every command that looks for a run and finds none."""
    sys.stderr.write(f"watchkeeper: {no_run(place)}\n")
    return EXIT_NOTHING_THERE
