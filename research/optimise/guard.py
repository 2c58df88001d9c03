"""Who may write in a study, and whose trials are nobody's any more.

A SQLite study is one process's: a lock of the kernel says so, and whatever another process had in
hand is nobody's. A PostgreSQL study is shared: each process holds an advisory lock of its own on
one connection, which the server gives back when that connection ends, however it ends. So who
lives is told by the server and not by clocks, and no living trial is taken away. What is written
about the study as a whole is written under one more such lock, by one process at a time.
"""

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from messages.errors import WatchkeeperError

_KEEPALIVES = (("idle", 30), ("interval", 10), ("count", 3))
"""How the server finds out that a machine is gone without a word: after a minute, in seconds."""


class StudyInUse(WatchkeeperError):
    """Another process has it."""


class Guard(Protocol):
    """One thread uses it."""

    token: str
    """This process's name in the study."""
    is_shared: bool
    """Whether others may be at work on it."""

    def alone(self) -> Any:
        """Give a context in which no other process writes about the study as a whole."""
        ...

    def lives(self, token: str) -> bool:
        """Whether the process of that name is still there; call it in `alone`."""
        ...

    def close(self) -> None:
        """Leave: what this process has in hand is nobody's from now on."""
        ...


class FileGuard:
    """Of a SQLite study.

    Raises:
        StudyInUse: another process has it.
    """

    is_shared = False

    def __init__(self, file: Path) -> None:
        self.token = uuid.uuid4().hex
        real = file.resolve()  # by whatever name it is known
        self._path = real.with_name(real.name + ".lock")
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._fd, 32).decode(errors="replace").strip()
            os.close(self._fd)
            text = (
                f"{file} is being searched by another optimize (process {holder or 'unknown'}):"
                " let it end, or stop it and give this one more --jobs"
            )
            raise StudyInUse(text) from error
        with suppress(OSError):  # a full disk: who looks is told of an unknown process
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See `Guard`: it always is."""
        yield

    def lives(self, token: str) -> bool:
        """See `Guard`."""
        return token == self.token

    def close(self) -> None:
        """See `Guard`. The file stays: another process may be waiting to lock it."""
        os.close(self._fd)


class PostgresGuard:
    """Of a PostgreSQL study, on a connection of its own that nothing else may end."""

    is_shared = True

    def __init__(self, engine: Any, study: str) -> None:
        import sqlalchemy

        self._text = sqlalchemy.text
        self.token = uuid.uuid4().hex
        self._study = _key("study", study)
        self._connection = engine.connect()
        try:
            self._connection = self._connection.execution_options(isolation_level="AUTOCOMMIT")
            for name, value in _KEEPALIVES:
                with suppress(sqlalchemy.exc.DBAPIError):  # a local socket has none
                    self._ask(f"set tcp_keepalives_{name} = {value}")
            self._ask("select pg_advisory_lock(:key)", _key("member", self.token))
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See `Guard`."""
        self._ask("select pg_advisory_lock(:key)", self._study)
        try:
            yield
        finally:
            self._ask("select pg_advisory_unlock(:key)", self._study)

    def lives(self, token: str) -> bool:
        """See `Guard`: a lock that can be had has no holder."""
        if token == self.token:
            return True
        key = _key("member", token)
        if not self._ask("select pg_try_advisory_lock(:key)", key):
            return True
        self._ask("select pg_advisory_unlock(:key)", key)
        return False

    def close(self) -> None:
        """See `Guard`."""
        self._connection.close()

    def _ask(self, statement: str, key: int | None = None) -> Any:
        values = {} if key is None else {"key": key}
        found = self._connection.execute(self._text(statement), values)
        return found.scalar() if found.returns_rows else None


@contextmanager
def one_at_a_time(url: str) -> Iterator[None]:
    """Let one process of all make the tables of a PostgreSQL database: two at once fail."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:
        connection.execute(
            sqlalchemy.text("select pg_advisory_lock(:key)"), {"key": _key("tables", "")}
        )
        yield  # the lock ends with the connection


def _key(kind: str, name: str) -> int:
    """Give the number that PostgreSQL knows a lock by."""
    hashed = blake2b(f"watchkeeper {kind} {name}".encode(), digest_size=8).digest()
    return int.from_bytes(hashed, "big", signed=True)
