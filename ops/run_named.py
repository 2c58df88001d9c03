"""Which run directory a command line means. Only the standard library: `health` is here."""

import argparse
import sys
from pathlib import Path


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
