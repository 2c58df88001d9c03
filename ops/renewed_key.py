"""`account --renewed-key`: a person's word that a new key opens the account of before."""

import sys
import time
from contextlib import closing
from pathlib import Path

from messages.errors import ConfigError
from messages.ids import TimestampNs
from ops.config_schema import Config, Mode
from ops.halt_offline import held_run
from ops.lease_place import place_of
from ops.live_venue import check_variables
from ops.one_account import OpenedBy, note_key
from ops.secret_values import secret_variables
from persistence.secret_files import take_secret_files


def renewed_key(run_dir: Path, why: str) -> int:
    """Note that the key in the environment opens the account that the run has always traded.

    Which exchange it is, and which variable holds the key, is what the last start ran with.

    Raises:
        ConfigError: `why` says nothing; it is no live run, or its ledger is in a database, whose
            name is the key's; or the key is not there.
        RunDirBusy: its process lives.
        LedgerUnavailable: the ledger cannot be written.
    """
    if not why.strip():
        raise ConfigError(
            ['--renewed-key: say why, such as --renewed-key "the old one had expired"']
        )
    with held_run(run_dir, time.monotonic()) as held:
        config = held.config()
        _check(run_dir, config, is_file=held.lease is None)
        take_secret_files(secret_variables(config))
        check_variables(config)
        now_ns = TimestampNs(time.time_ns())
        opened = OpenedBy(account=place_of(config).account, since_ns=now_ns, why=why.strip())
        with closing(held.open_ledger()) as ledger:
            note_key(ledger, opened)
    sys.stdout.write(f"{run_dir} goes on with this key ({opened.account}): {opened.why}\n")
    return 0


def _check(run_dir: Path, config: Config, *, is_file: bool) -> None:
    if config.mode is not Mode.LIVE:
        raise ConfigError([f"--renewed-key: {run_dir} is of no live run, so no key was ever noted"])
    if not is_file:
        raise ConfigError(
            [
                f"--renewed-key: the ledger of {run_dir} bears its key's name in PostgreSQL: move"
                " it into a file while the old key is in the environment (watchkeeper ledger"
                " migrate), say --renewed-key, and move it back"
            ]
        )
