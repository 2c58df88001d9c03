"""From the command line to a ledger's copies and its moves. Imports nothing before it is due."""

import argparse
from collections.abc import Callable


def _backup(arguments: argparse.Namespace) -> int:
    from ops.ledger_copies import backup

    return backup(arguments.run_dir, arguments.file, as_json=arguments.json)


def _restore(arguments: argparse.Namespace) -> int:
    from ops.ledger_copies import restore

    return restore(
        arguments.file, arguments.run_dir, replace=arguments.replace, as_json=arguments.json
    )


def _mark(arguments: argparse.Namespace) -> int:
    from ops.ledger_copies import mark

    return mark(arguments.run_dir, as_json=arguments.json)


def _accept(arguments: argparse.Namespace) -> int:
    from ops.ledger_copies import accept

    return accept(
        arguments.run_dir,
        arguments.evidence,
        config_path=arguments.config,
        despite_open=arguments.despite_open,
        stops=arguments.stops,
        as_json=arguments.json,
        timeout_s=arguments.timeout,
    )


def _migrate(arguments: argparse.Namespace) -> int:
    from ops.ledger_command import ledger_migrate

    return ledger_migrate(
        arguments.run_dir, arguments.to, arguments.database_url_env, as_json=arguments.json
    )


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "ledger_backup": _backup,
    "ledger_restore": _restore,
    "ledger_mark": _mark,
    "ledger_accept": _accept,
    "ledger_migrate": _migrate,
}
