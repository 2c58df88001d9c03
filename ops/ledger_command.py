"""The `ledger migrate` command: a run's orders from its file into PostgreSQL, and back.

The run directory is held meanwhile, and so is the lease of the ledger in the database: nobody
writes either side. The new side is filled in one transaction and compared row by row before the
run directory is turned to it, which is one rename. Killed anywhere, the run has the one ledger or
the other, and the command can be given again: it does what is left to do.
"""

import json
import os
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec

from messages.errors import ConfigError, LedgerUnavailable
from messages.exit_codes import EXIT_OK
from ops.config import IdempotencyBackend, load
from ops.config_schema import Config, IdempotencyConfig
from ops.held_ledger import hold_of
from ops.ledger_choice import wanted_place
from ops.ledger_moves import ENTERED, LEFT, forget, note, noted
from ops.run_dir import RunDir, sync_folder
from ops.run_files import LEDGER, typed
from persistence.database import open_ledger_database
from persistence.ledger_place import LedgerPlace, place_in, words_of
from persistence.read_connection import open_reading
from persistence.transfer import Moved, compare, copy, is_empty

FORMER = "ledger.before-postgres.db"
"""The file that a run had before its orders went into a database."""
_NEW = ".ledger.db.migrating"
_TELL_S = 1.0


def ledger_migrate(run_dir: Path, to: str, url_env: str | None, *, as_json: bool) -> int:
    """Move the ledger of a run whose process is gone, and print what was moved.

    Raises:
        NotFound, RunDirBusy, LeaseError, LedgerUnavailable, ConfigError: nothing was changed.
    """
    if not (run_dir / LEDGER).exists():
        raise LedgerUnavailable(f"there is no ledger at {run_dir / LEDGER}")
    with closing(RunDir(run_dir).open()) as held:
        move = _to_postgres if to == "postgres" else _to_sqlite
        where, moved = move(held, url_env)
    if as_json:
        found = {"ledger": where, "tables": [msgspec.structs.asdict(one) for one in moved]}
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        sys.stdout.write("".join(f"{one.table:14}{one.rows:10}  {one.digest}\n" for one in moved))
        alike = "all rows are alike; " if moved else ""
        sys.stdout.write(f"{alike}the ledger of {run_dir} is {where}\n")
    return EXIT_OK


def _to_postgres(held: RunDir, url_env: str | None) -> tuple[str, list[Moved]]:
    if (found := place_in(held.ledger)) is not None:
        raise ConfigError([f"--to postgres: {held.path} has its ledger there already: {found}"])
    if not url_env:
        raise ConfigError(["--database-url-env: name the variable that holds the address"])
    open_ledger_database(held.ledger).close()  # what a killed process left in its log is in it then
    place = wanted_place(_config(held, url_env), held.path, noted(held, ENTERED))
    note(held, ENTERED, place)
    with hold_of(place, held, url_env=url_env) as lease:
        _fill_database(held, place, lease.got.lease.token)
        with closing(open_reading(held.ledger)) as one, closing(open_reading(place)) as other:
            moved = compare(one, other, _not_ours(place))
    _set_aside(held)
    held.atomic_write(LEDGER, words_of(place))
    forget(held, ENTERED)
    forget(held, LEFT)  # it is in use again
    return str(place), moved


def _fill_database(held: RunDir, place: LedgerPlace, token: int) -> None:
    from persistence.postgres.ledger import open_writing
    from persistence.transfer_targets import PostgresTarget

    with closing(open_reading(place)) as there:
        if not is_empty(there):
            return  # of a former try, which was whole: it is compared
    with (
        closing(open_writing(place, token)) as session,
        closing(open_reading(held.ledger)) as source,
    ):
        copy(source, PostgresTarget(session), _Tell())


def _to_sqlite(held: RunDir, url_env: str | None) -> tuple[str, list[Moved]]:
    from persistence.transfer_targets import FileTarget

    place = place_in(held.ledger)
    if place is None:
        return _leave_at_last(held, url_env)
    place = _reached_by(place, url_env)
    new = held.path / _NEW
    for left in held.path.glob(f"{_NEW}*"):
        left.unlink()
    with hold_of(place, held, url_env=place.url_env) as lease:
        with closing(open_reading(place)) as source:
            with closing(FileTarget(new)) as target:
                copy(source, target, _Tell())
            with closing(open_reading(new)) as other:
                moved = compare(source, other, "the run has the ledger it had; try it again")
        note(held, LEFT, place)
        _turn_to_file(held, new)
        _leave(place, lease.got.lease.token)
        lease.is_quiet = False  # it went with the ledger: there is nothing to give back
    forget(held, LEFT)
    return str(held.ledger), moved


def _turn_to_file(held: RunDir, new: Path) -> None:
    _check_whole(new)
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    new.rename(held.ledger)
    sync_folder(held.path)


def _leave_at_last(held: RunDir, url_env: str | None) -> tuple[str, list[Moved]]:
    """Do what a try that was killed behind its rename has left to do."""
    place = noted(held, LEFT)
    if place is None:
        raise ConfigError([f"--to sqlite: the ledger of {held.path} is a file already"])
    place, moved = _reached_by(place, url_env), list[Moved]()
    if _is_there(place):
        with hold_of(place, held, url_env=place.url_env) as lease:
            with closing(open_reading(place)) as one, closing(open_reading(held.ledger)) as other:
                moved = compare(one, other, _went_on(held, place))
            _leave(place, lease.got.lease.token)
            lease.is_quiet = False
    forget(held, LEFT)
    return str(held.ledger), moved


def _is_there(place: LedgerPlace) -> bool:
    from persistence.postgres.migrate import is_there
    from persistence.postgres.session import Session

    with closing(Session(place, f"reads {place.schema}", writes=False)) as session:
        return is_there(session)


def _leave(place: LedgerPlace, token: int) -> None:
    """Put the database's copy out of use, so that no other host goes on with it."""
    from persistence.postgres.ledger import open_writing

    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime())
    name = f"{place.schema[:40]}_left_{stamp}"
    with closing(open_writing(place, token)) as session:
        schemas = [one.replace('"', '""') for one in (place.schema, name)]
        session.say(f'ALTER SCHEMA "{schemas[0]}" RENAME TO "{schemas[1]}"')


def _set_aside(held: RunDir) -> None:
    """Give the file a second name before the first is taken from it."""
    _check_whole(held.ledger)
    former = held.path / FORMER
    former.unlink(missing_ok=True)
    os.link(held.ledger, former)
    sync_folder(held.path)


def _check_whole(file: Path) -> None:
    """Pass a database without a log of its own: nobody writes it, and it may be moved."""
    log, index = (file.with_name(f"{file.name}-{suffix}") for suffix in ("wal", "shm"))
    if log.exists() and log.stat().st_size:
        raise LedgerUnavailable(
            f"{file} is still open somewhere ({log.name} is not empty): close what reads it, then"
            " give the command again"
        )
    for left in (log, index):
        left.unlink(missing_ok=True)


# ---------------------------------------------------------------- small parts


def _not_ours(place: LedgerPlace) -> str:
    """Say what to do where the place that is to be filled holds something else."""
    return (
        f"the run has the file it had, and {place} is not written over. It is of a try before the"
        " run went on in its file, or another run's: if no run goes on there, put it aside in the"
        f" database ({_aside(place)}), then try it again"
    )


def _went_on(held: RunDir, place: LedgerPlace) -> str:
    """Say what to do where one of two ledgers that were alike has been written since."""
    left, file = typed(held.path / LEFT), typed(held.ledger)
    return (
        "one of them went on since they were alike. If that in the database did, it is the run's:"
        f" mv {left} {file}, and start with it; if the file did, put the other aside in the"
        f" database ({_aside(place)}), then try it again"
    )


def _aside(place: LedgerPlace) -> str:
    return f'ALTER SCHEMA "{place.schema}" RENAME TO "{place.schema[:50]}_aside"'


def _reached_by(place: LedgerPlace, url_env: str | None) -> LedgerPlace:
    return msgspec.structs.replace(place, url_env=url_env) if url_env else place


def _config(held: RunDir, url_env: str) -> Config:
    config = load(held.effective_config, {"run_dir": str(held.path)})
    there = IdempotencyConfig(backend=IdempotencyBackend.POSTGRES, database_url_env=url_env)
    return msgspec.structs.replace(config, idempotency=there)


class _Tell:
    """Says on the terminal how far it is, now and then."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _TELL_S

    def __call__(self, table: str, rows: int) -> None:
        if sys.stderr.isatty() and time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL_S
            sys.stderr.write(f"{table}: {rows} rows\n")
            sys.stderr.flush()
