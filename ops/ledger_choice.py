"""Which ledger a run directory has: its own file, or one in a database that it stands for."""

import secrets
from pathlib import Path

from messages.errors import ConfigError, LedgerTooNew, LedgerUnavailable
from ops.config_schema import Config, IdempotencyBackend, VenueType
from ops.ledger_moves import LEFT, noted
from ops.run_dir import RunDir
from ops.run_files import LEDGER, typed
from persistence.ledger_place import LedgerPlace, place_in, words_of


def settle_place(config: Config, run_dir: RunDir) -> LedgerPlace | None:
    """Say where the ledger of a run is, and leave that in its directory; None: in its file.

    A run directory keeps the ledger that it began with. Of a live run that is its account's; of a
    paper run, whose account is a file beside it, one of its own.

    Raises:
        ConfigError: the directory holds, or stands for, another ledger.
        LedgerUnavailable: what it holds is damaged, or a newer version wrote it.
    """
    found = place_in(run_dir.ledger)
    wants = config.idempotency.backend is IdempotencyBackend.POSTGRES
    if not wants:
        if found is not None:
            raise ConfigError([_other(run_dir, f"is {found}", "postgres")])
        _check_left(run_dir)
        _check_version(run_dir.ledger)
        return None
    if found is None and run_dir.ledger.exists():
        raise ConfigError([_other(run_dir, f"is its own {LEDGER}", "sqlite")])
    place = wanted_place(config, run_dir.path, found)
    if found is not None and found.schema != place.schema:
        raise ConfigError(
            [f"run_dir: {run_dir.path} holds {found}, and this run would have {place}: give it a"
             " run_dir of its own"]
        )  # fmt: skip
    if found is None and config.venue.type is not VenueType.CCXT:
        _make(place)
    if found != place:
        run_dir.atomic_write(LEDGER, words_of(place))
    return place


def _check_left(run_dir: RunDir) -> None:
    """Pass a directory whose ledger is in use in no other place."""
    if (left := noted(run_dir, LEFT)) is not None:
        raise ConfigError(
            [f"run_dir: {run_dir.path} was moved from {left}, which could still be traded with:"
             f" give watchkeeper ledger migrate {typed(run_dir.path)} --to sqlite once more, or,"
             f" where that database is gone for good, delete {run_dir.path / LEFT}"]
        )  # fmt: skip


def _check_version(ledger: Path) -> None:
    """Pass a file that this version can bring to its schema, or that its writer will judge."""
    from persistence.database import is_damaged, open_for_reading

    try:
        open_for_reading(ledger).close()
    except LedgerUnavailable as error:
        if isinstance(error, LedgerTooNew) or is_damaged(error.__cause__):
            raise


def _make(place: LedgerPlace) -> None:
    """Make the ledger before anything says that it is there; a live one is made with its lease."""
    from persistence.postgres.ledger import open_writing  # a driver that few need

    open_writing(place, None).close()


def wanted_place(config: Config, run_dir: Path, found: LedgerPlace | None) -> LedgerPlace:
    """Say where the ledger of a run would be whose config names a database.

    `found` is where that of its directory is.
    """
    if config.venue.type is VenueType.CCXT:
        from ops.lease_place import (
            place_of,
        )  # an exchange's parts, which a paper run can do without

        place = place_of(config).ledger
        assert place is not None, "the backend is postgres"
        return place
    schema = found.schema if found is not None else _new_schema(run_dir)
    return LedgerPlace(schema=schema, url_env=config.idempotency.database_url_env or "")


def _new_schema(run_dir: Path) -> str:
    """Name a ledger after its run directory; two of one name are two. A name has 63 bytes."""
    name = "".join(c for c in run_dir.absolute().name.lower() if c.isascii() and c.isalnum())
    return f"wk_paper_{name[:40]}_{secrets.token_hex(4)}"


def _other(run_dir: RunDir, held: str, backend: str) -> str:
    return (
        f"idempotency.backend: the ledger of {run_dir.path} {held}: start it with"
        f' "{backend}", or move its orders with watchkeeper ledger migrate'
    )
