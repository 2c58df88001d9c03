"""What `ledger` takes: copies taken, put back and accepted; orders moved to another backend."""

from pathlib import Path
from typing import TYPE_CHECKING

from ops.arguments_shared import a_directory, add_command, add_timeout

if TYPE_CHECKING:
    from ops.arguments_shared import Add, Commands

_RUN = "its run directory"


def _add_ledger(commands: "Commands") -> None:
    ledger = add_command(
        commands, "ledger", "back up the ledger of a run, put a copy back, move it into PostgreSQL"
    )
    what = ledger.add_subparsers(
        title="what", metavar="backup|restore|mark|accept|migrate", required=True
    )
    _add_backup(what)
    _add_restore(what)
    _add_mark(what)
    _add_accept(what)
    _add_migrate(what)


def _add_backup(commands: "Commands") -> None:
    summary = "copy the ledger of a run, alive or not, into one file: 0 done, 3 no such run"
    backup = add_command(commands, "backup", summary)
    backup.add_argument("run_dir", type=a_directory, metavar="RUN_DIR", help=_RUN)
    backup.add_argument("file", type=Path, metavar="FILE", help="which is not there yet")
    backup.add_argument("--json", action="store_true", help="one JSON object")
    backup.set_defaults(command="ledger_backup")


def _add_restore(commands: "Commands") -> None:
    summary = "make a copy the ledger of a run that has no process; it is halted then"
    restore = add_command(commands, "restore", summary)
    restore.add_argument("file", type=Path, metavar="FILE", help="what `backup` made")
    restore.add_argument("run_dir", type=a_directory, metavar="RUN_DIR", help=_RUN)
    restore.add_argument(
        "--replace",
        action="store_true",
        help="set a ledger that is there aside, under another name",
    )
    restore.add_argument("--json", action="store_true", help="one JSON object")
    restore.set_defaults(command="ledger_restore")


def _add_mark(commands: "Commands") -> None:
    summary = (
        "say of a ledger that was restored by other means that it is a copy; it is halted then"
    )
    mark = add_command(commands, "mark", summary)
    mark.add_argument("run_dir", type=a_directory, metavar="RUN_DIR", help=_RUN)
    mark.add_argument("--json", action="store_true", help="one JSON object")
    mark.set_defaults(command="ledger_mark")


def _add_accept(commands: "Commands") -> None:
    summary = "ask the venue, then go on with a copy: 0 it may be resumed, 1 nothing is proved"
    accept = add_command(commands, "accept", summary)
    accept.add_argument("run_dir", type=a_directory, metavar="RUN_DIR", help=_RUN)
    accept.add_argument(
        "--evidence", required=True, metavar="TEXT", help="what you have compared; kept for ever"
    )
    accept.add_argument(
        "--config", type=Path, metavar="CONFIG", help="where the run's last start left none"
    )
    accept.add_argument(
        "--despite-open", action="store_true", help="open orders of others are not of this run"
    )
    accept.add_argument(
        "--stops",
        choices=("keep", "end"),
        help="where the copy has stops: what they protect is still held, or it is not",
    )
    accept.add_argument("--json", action="store_true", help="one JSON object")
    add_timeout(accept, 60)
    accept.set_defaults(command="ledger_accept")


def _add_migrate(commands: "Commands") -> None:
    summary = "move the orders of a run that has ended into PostgreSQL, or back; rows are compared"
    migrate = add_command(commands, "migrate", summary)
    migrate.add_argument("run_dir", type=a_directory, metavar="RUN_DIR", help=_RUN)
    migrate.add_argument(
        "--to", choices=("postgres", "sqlite"), required=True, help="where they go"
    )
    migrate.add_argument(
        "--database-url-env", metavar="NAME", help="for postgres: the variable with its address"
    )
    migrate.add_argument("--json", action="store_true", help="one JSON object")
    migrate.set_defaults(command="ledger_migrate")


ADD: "dict[str, Add]" = {"ledger": _add_ledger}
