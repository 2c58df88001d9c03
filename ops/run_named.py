"""Which run directory a command line means. Only the standard library: `health` is here."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

Command = Callable[[argparse.Namespace], int]
"""From the command line to the exit code of the process."""
OfRun = Callable[[argparse.Namespace, Path], int]


def run_dir_of(arguments: argparse.Namespace) -> Path | None:
    """Give the run directory that was named, or the newest; None after saying there is none."""
    from ops.run_files import find_latest

    run_dir: Path | None = arguments.run_dir or find_latest()
    if run_dir is None:
        sys.stderr.write("watchkeeper: there is no run in ./runs; name one with --run-dir\n")
    return run_dir


def named_run_of(arguments: argparse.Namespace) -> Path | None:
    """Give the run directory that was named either way, or the newest."""
    arguments.run_dir = arguments.run or arguments.run_dir
    return run_dir_of(arguments)


def of_run(
    find: Callable[[argparse.Namespace], Path | None], otherwise: int
) -> Callable[[OfRun], Command]:
    """Make a command of what is done with a run directory; `otherwise` is the code without one."""

    def command_of(do: OfRun) -> Command:
        def command(arguments: argparse.Namespace) -> int:
            run_dir = find(arguments)
            return otherwise if run_dir is None else do(arguments, run_dir)

        return command

    return command_of
