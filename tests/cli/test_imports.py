"""What a command imports, and what it can do without: people and probes wait for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.runs import ROOT


def modules_after(*arguments: str) -> set[str]:
    code = f"import sys, cli; cli.main({list(arguments)!r}); print(*sys.modules, file=sys.stderr)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return set(done.stderr.split("\n")[-2].split())


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["health"],
        ["health", "--probe", "live"],
        ["health", "--stacks"],
        ["health", "--errors", "--deep", "x"],
    ],
)
def test_help_and_health_import_the_standard_library_only(
    tmp_path: Path, arguments: list[str]
) -> None:
    run_dir = [] if arguments == ["--help"] else ["--run-dir", str(tmp_path)]

    imported = modules_after(*arguments, *run_dir) - {"messages", "messages.exit_codes"}
    foreign = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names

    # Site packages may bring their own start-up hooks; ours and our libraries may not be there.
    ours = {"actors", "decisions", "exchanges", "messages", "persistence", "strategies"}
    assert foreign & {*ours, "msgspec", "rich", "loguru", "pykka", "peewee", "ccxt"} == set()


def test_health_imports_no_large_part_of_the_standard_library(tmp_path: Path) -> None:
    """A probe runs it every few seconds: what argparse brings to ask a width is half its time."""
    imported = modules_after("health", "--run-dir", str(tmp_path))

    assert "argparse" in imported
    assert imported & {"dataclasses", "datetime", "inspect", "shutil", "subprocess"} == set()


@pytest.mark.slow
def test_a_start_imports_nothing_large_that_it_can_do_without() -> None:
    """What `start` imports until it is ready; loguru comes with the first line that is logged."""
    code = "import ops.process, sys; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, env=environment
    )

    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"ops", "actors", "msgspec", "peewee", "pykka"} <= imported
    large = {"aiohttp", "asyncio", "ccxt", "loguru", "multiprocessing", "playhouse", "rich", "ssl"}
    assert imported & large == set()
