"""From the command line to the copies of a ledger. Imports nothing before it is due."""

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


def _accept(arguments: argparse.Namespace) -> int:
    from ops.ledger_copies import accept

    return accept(
        arguments.run_dir,
        arguments.evidence,
        config_path=arguments.config,
        despite_open=arguments.despite_open,
        as_json=arguments.json,
        timeout_s=arguments.timeout,
    )


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "ledger_backup": _backup,
    "ledger_restore": _restore,
    "ledger_accept": _accept,
}
