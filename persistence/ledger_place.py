"""Where a run's ledger is, when it is in no file: what then stands in the place of the file.

The run directory's ``ledger.db`` is a few words of JSON that name the database's schema and the
environment variable that holds the address; the address itself is a secret and stands nowhere.
In that very place, so that whoever takes it for a file of SQLite's is told that it is none, and
nobody begins a second ledger beside the first.
"""

from pathlib import Path

import msgspec

from messages.errors import ConfigError, LedgerUnavailable
from messages.learning import learn
from persistence.secret_files import SUFFIX, secret

_HEAD = b'{"watchkeeper_ledger":'
_LEAST_DATABASE = 512
"""Bytes. A file of SQLite's is empty or at least one page, which is never smaller than this."""


class LedgerPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger in a PostgreSQL database: a schema of its own."""

    watchkeeper_ledger: str = "postgres"
    schema: str
    url_env: str

    @property
    def url(self) -> str:
        """The address of the database: a secret, read anew each time, for its file may change.

        Raises:
            LedgerUnavailable: neither the variable is set nor its file, or that cannot be read.
        """
        try:
            url = secret(self.url_env)
        except ConfigError as error:
            raise LedgerUnavailable(f"{self}: {'; '.join(error.problems)}") from error
        if not url:
            raise LedgerUnavailable(
                f"{self}: put the address of the database into the environment variable"
                f" {self.url_env}, or into a file that {self.url_env}{SUFFIX} names"
            )
        return url

    def __str__(self) -> str:
        return f"the ledger {self.schema} in PostgreSQL"


learn(LedgerPlace)


def place_in(path: Path) -> LedgerPlace | None:
    """Give where the ledger is that this file stands for; None: the file is the ledger, or absent.

    The ledger itself is never opened to find out: a process that closes any handle of a file
    gives up all locks that it has on it, also those of its SQLite connections. Then whoever else
    closes the ledger takes itself for the last one, and deletes the log that is written to.

    Raises:
        LedgerUnavailable: it is a few words of a newer version.
    """
    try:
        if not 0 < path.stat().st_size < _LEAST_DATABASE:
            return None
        words = path.read_bytes()
    except OSError:
        return None  # who opens it as a ledger says what is wrong with it
    if not words.startswith(_HEAD):
        return None
    try:
        place = msgspec.json.decode(words, type=LedgerPlace)
    except msgspec.DecodeError as error:
        raise LedgerUnavailable(f"{path} cannot be read: {error}") from error
    if place.watchkeeper_ledger != "postgres":
        raise LedgerUnavailable(
            f"{path} names a ledger that this version does not know"
            f" ({place.watchkeeper_ledger}): use the one that wrote it"
        )
    return place


def words_of(place: LedgerPlace) -> bytes:
    """Give the content of the file that stands for a ledger.

    Raises:
        LedgerUnavailable: the name of the variable is too long for it.
    """
    words = msgspec.json.encode(place) + b"\n"
    if len(words) >= _LEAST_DATABASE:
        raise LedgerUnavailable(
            f"the name of the environment variable {place.url_env[:40]}... is too long: take a"
            " shorter one"
        )
    return words
