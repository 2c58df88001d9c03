"""From the command line to a ledger's copies and its moves. Imports nothing before it is due."""

import argparse
from collections.abc import Callable
from pathlib import Path

from ops.run_named import of_run


def _run_of(arguments: argparse.Namespace) -> Path:
    """Give the run directory, which these commands are always told."""
    run_dir: Path = arguments.run_dir
    return run_dir


@of_run(_run_of)
def _backup(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.ledger_copies import backup

    return backup(run_dir, arguments.file, as_json=arguments.json)


def _restore(arguments: argparse.Namespace) -> int:
    from ops.ledger_copies import restore

    return restore(
        arguments.file, arguments.run_dir, replace=arguments.replace, as_json=arguments.json
    )


@of_run(_run_of)
def _mark(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.ledger_copies import mark

    return mark(run_dir, as_json=arguments.json)


@of_run(_run_of)
def _accept(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.ledger_copies import accept

    return accept(
        run_dir,
        arguments.evidence,
        config_path=arguments.config,
        despite_open=arguments.despite_open,
        stops=arguments.stops,
        as_json=arguments.json,
        timeout_s=arguments.timeout,
    )


@of_run(_run_of)
def _migrate(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.ledger_command import ledger_migrate

    return ledger_migrate(run_dir, arguments.to, arguments.database_url_env, as_json=arguments.json)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "ledger_backup": _backup,
    "ledger_restore": _restore,
    "ledger_mark": _mark,
    "ledger_accept": _accept,
    "ledger_migrate": _migrate,
}
