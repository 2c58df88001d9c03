"""A ledger that others could open too, held: its lease first, then all that goes with it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from actors.log import drain_log, logger
from messages.errors import ConfigError
from messages.exit_codes import EXIT_TAKEN_OVER
from ops.config import VenueType, load
from ops.lease import HeldAccount, Tell, hold_place
from ops.lease_place import paper_place, place_of
from ops.run_dir import RunDir
from ops.secret_values import secret_variables
from ops.waiting import say
from persistence.ledger import Ledger
from persistence.ledger_place import LedgerPlace, place_in
from persistence.secret_files import take_secret_files


def ledger_opener(place: LedgerPlace, held: HeldAccount) -> Callable[[], Ledger]:
    """Give what opens a ledger in PostgreSQL for writing, as the holder of its lease."""
    from persistence.postgres.ledger import PostgresLedger  # a driver that few need

    return partial(PostgresLedger, place, held.got.lease.token)


@contextmanager
def hold_ledger(
    place: LedgerPlace, run_dir: Path, *, standby: bool, tell: Tell = say
) -> Iterator[HeldAccount]:
    """Hold the ledger of a paper run that stands in PostgreSQL; `tell` as in `hold_lease`.

    Raises:
        LeaseError: another process has it, or the database cannot be used.
    """
    where = paper_place(place)
    with hold_place(where, run_dir, standby=standby, on_lost=end_at_once, tell=tell) as held:
        yield held


@contextmanager
def hold_of(
    place: LedgerPlace, run_dir: RunDir, *, url_env: str | None = None
) -> Iterator[HeldAccount]:
    """Hold the ledger that a run directory stands for, or will, whose process is gone.

    `url_env` names the variable with its address where the config of the run does not.

    Raises:
        LeaseError: another process has it, on whatever host, or the database cannot be used.
        ConfigError: what it ran with last cannot be read, or its key is not set.
    """
    overrides = {
        "run_dir": str(run_dir.path),
        "idempotency.backend": "postgres",
        "idempotency.database_url_env": url_env or place.url_env,
    }
    config = load(run_dir.effective_config, overrides)
    take_secret_files(secret_variables(config))  # the key names the account
    is_live = config.venue.type is VenueType.CCXT
    makes = place_in(run_dir.ledger) is None
    where = place_of(config) if is_live else paper_place(place, makes=makes)
    if where.ledger != place:
        raise ConfigError([f"run_dir: {run_dir.path} stands for {place}, not for {where.ledger}"])
    with hold_place(where, run_dir.path, standby=False, on_lost=end_at_once) as held:
        yield held


def end_at_once(sentence: str) -> None:
    """End at once: every orderly step would write into what is another process's now."""
    logger.critical(sentence)
    say(sentence)
    drain_log()
    os._exit(EXIT_TAKEN_OVER)
