"""Where the lease of an account stands: one row, that is changed only as it was when it was judged.

Who may take it is decided in `decisions.lease`; a store only keeps two from taking it at once.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, Self

import msgspec
from peewee import (
    BigIntegerField,
    BooleanField,
    IntegerField,
    Model,
    PeeweeException,
    SchemaManager,
    SqliteDatabase,
    TextField,
)

from messages.errors import LeaseUnavailable
from messages.lease import Holder, Lease
from persistence.database import first_cause, is_damaged
from persistence.private_file import make_private

BUSY_MS = 1_000
_VERSION = 1
_FULL, _NORMAL = 2, 1
_TOKENS, _PIDS = 2**62, 2**31
"""What is not below them was never given: the one is counted, the other is a kernel's int."""
_DELETE = "it is damaged: delete it when no process trades the account"


class LeaseStore(Protocol):
    """One account's lease. Used from one thread. A method that raises may have been carried out.

    Raises:
        LeaseUnavailable: from any method but `is_in_place` and `close`: nothing is known.
    """

    def read(self) -> Lease | None:
        """Give what stands there; None: the account was never held."""

    def take(self, lease: Lease, instead_of: Lease | None) -> bool:
        """Put a new holder's lease in the place of the one that was judged.

        False when another stands there by now, or that one was renewed: nothing was changed.
        """

    def renew(self, token: int, expires_ns: int) -> bool:
        """Put off the end of the lease; False when it is another's by now, or was given back."""

    def give_back(self, token: int) -> bool:
        """Say that nothing of this holder's is under way any more; False when it is another's."""

    def is_in_place(self) -> bool:
        """Whether others still look for the lease where this store has it; True: nothing is seen.

        For any thread, and after `close`: it costs no more than a look at the directory.
        """

    def close(self) -> None:
        """Let go of it; the lease stands as it is."""


class LeaseRow(Model):
    """The one row of an account's file."""

    account = TextField(primary_key=True)
    token = BigIntegerField()
    renewals = BigIntegerField()
    host = TextField()
    pid = IntegerField()
    started = BigIntegerField()
    space = TextField()
    run_dir = TextField()
    clock = TextField()
    expires_ns = BigIntegerField()
    term_ns = BigIntegerField()
    returned = BooleanField()

    class Meta:
        """One file may hold several accounts; each of ours holds one."""

        table_name = "leases"
        without_rowid = True


class SqliteLeases:
    """The lease in a small SQLite file that all processes of this user on this machine open.

    In WAL mode, so that who only looks, and is stopped while looking, holds up nobody. A new
    holder is flushed to disk. A renewal is not: it must be seen by the processes of this boot,
    which it is without, and after a loss of power none of them is left; and so a slow disk
    does not end a lease. `flushes` says which of the two this connection is for.

    Raises:
        LeaseUnavailable: the file cannot be used; the text says why.
    """

    def __init__(self, path: Path, account: str, *, flushes: bool = True) -> None:
        self._path, self._account = path, account
        pragmas = {
            "busy_timeout": BUSY_MS,
            "journal_mode": "wal",
            "synchronous": _FULL if flushes else _NORMAL,
        }
        self._database = SqliteDatabase(
            str(path), pragmas=pragmas, timeout=BUSY_MS / 1_000, thread_safe=False,
            autoconnect=False,
        )  # fmt: skip
        with self._errors():
            make_private(path)
            self._file = self._identity()  # first: of one that is replaced now, too much is said
            try:
                self._database.connect()
                self._bring_up()
            except BaseException:
                self.close()
                raise

    def read(self) -> Lease | None:
        """See `LeaseStore.read`."""
        with self._errors():
            return self._row()

    def take(self, lease: Lease, instead_of: Lease | None) -> bool:
        """See `LeaseStore.take`."""
        with self._errors(), self._database.atomic("IMMEDIATE"):
            self._check_place()
            if self._row() != instead_of:
                return False
            row = LeaseRow.replace(**_fields(lease))  # type: ignore[no-untyped-call]  # peewee has no types
            row.execute(self._database)
            return True

    def renew(self, token: int, expires_ns: int) -> bool:
        """See `LeaseStore.renew`. One statement, so one transaction."""
        return self._change(token, expires_ns=expires_ns, renewals=LeaseRow.renewals + 1)

    def give_back(self, token: int) -> bool:
        """See `LeaseStore.give_back`."""
        return self._change(token, returned=True)

    def is_in_place(self) -> bool:
        """See `LeaseStore.is_in_place`. A file that was deleted is open still, and nobody's."""
        try:
            return self._identity() == self._file
        except OSError:
            return False

    def close(self) -> None:
        """See `LeaseStore.close`."""
        with suppress(PeeweeException, sqlite3.Error):
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _change(self, token: int, **fields: object) -> bool:
        with self._errors():
            self._check_place()
            ours = (
                (LeaseRow.account == self._account)
                & (LeaseRow.token == token)
                & (LeaseRow.returned == False)  # noqa: E712 - SQL's
            )
            return bool(LeaseRow.update(**fields).where(ours).execute(self._database))

    def _row(self) -> Lease | None:
        ours = LeaseRow.select().where(LeaseRow.account == self._account)
        try:
            row = ours.first(self._database)
            return None if row is None else _lease_of(row)
        except (UnicodeDecodeError, msgspec.ValidationError) as error:
            text = f"the lease {self._path} cannot be used: {error}; {_DELETE}"
            raise LeaseUnavailable(text) from error

    def _bring_up(self) -> None:
        version = self._database.pragma("user_version")
        if version > _VERSION:
            raise LeaseUnavailable(
                f"{self._path} was written by a newer version of watchkeeper: use that one"
            )
        if version < _VERSION:
            # A model that is bound to a database is so for all threads: whoever asks names it.
            with self._database.atomic("IMMEDIATE"):
                SchemaManager(LeaseRow, self._database).create_all(safe=True)
                self._database.pragma("user_version", _VERSION)

    def _check_place(self) -> None:
        if self._identity() != self._file:
            raise LeaseUnavailable(
                f"{self._path} was replaced while it was in use: the account may have a second"
                " holder"
            )

    def _identity(self) -> tuple[int, int]:
        found = os.stat(self._path)  # noqa: PTH116 - at each send: half of what Path's costs
        return found.st_dev, found.st_ino

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (PeeweeException, sqlite3.Error, OSError) as error:
            todo = f"; {_DELETE}" if is_damaged(first_cause(error)) else ""
            text = f"the lease {self._path} cannot be used: {error}{todo}"
            raise LeaseUnavailable(text) from error


def _lease_of(row: LeaseRow) -> Lease:
    """Read a row; SQLite keeps whatever it was given in each column.

    Raises:
        msgspec.ValidationError: what stands there can be no lease.
    """
    holder = {name: getattr(row, name) for name in Holder.__struct_fields__}
    names = set(Lease.__struct_fields__) - {"holder"}
    fields = {name: getattr(row, name) for name in names}
    lease = msgspec.convert({**fields, "holder": holder}, Lease)
    if not (0 < lease.token < _TOKENS and 0 < lease.holder.pid < _PIDS and lease.term_ns > 0):
        raise msgspec.ValidationError("its numbers can be nobody's")
    return lease


def _fields(lease: Lease) -> dict[str, object]:
    holder = {name: getattr(lease.holder, name) for name in Holder.__struct_fields__}
    names = set(Lease.__struct_fields__) - {"holder"}
    return {name: getattr(lease, name) for name in names} | holder
