"""A study's database: opened, let go of whatever happens, and its problems in a sentence."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import optuna
import sqlalchemy

from messages.errors import ConfigError, WatchkeeperError
from research.optimise.guard import FileGuard, Guard, PostgresGuard, one_at_a_time
from research.optimise.storage import Storage


def open_study(storage: Storage, name: str, stack: ExitStack) -> tuple[Guard, Any]:
    """Open it for this process; `stack` lets go of it, the guard before the database.

    Raises:
        ConfigError: it cannot be reached, or is of another version of Optuna.
        StudyInUse: another process has it.
        OSError: there can be no file.
    """
    if storage.file is None:
        engine, database = _opened(storage, stack)
        guard: Guard = PostgresGuard(engine, name)
        stack.callback(guard.close)
        return guard, database
    storage.file.parent.mkdir(parents=True, exist_ok=True)
    guard = FileGuard(storage.file)  # before the file is made: one process makes its tables
    stack.callback(guard.close)
    return guard, _opened(storage, stack)[1]


def _opened(storage: Storage, stack: ExitStack) -> tuple[Any, Any]:
    engine, database = open_storage(storage.url, storage.shown)
    stack.callback(engine.dispose)
    stack.callback(database.remove_session)
    return engine, database


def open_storage(url: str, shown: str) -> tuple[Any, Any]:
    """Open it, and make its tables where there are none: the engine below it, and itself.

    `shown` is what a person may see of its address.

    Raises:
        ConfigError: it cannot be reached, or is of another version of Optuna.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    is_file = url.startswith("sqlite")
    try:
        with nullcontext() if is_file else one_at_a_time(url):
            _make_tables(url)
        storage = optuna.storages.RDBStorage(
            url, skip_table_creation=True, skip_compatibility_check=True
        )
    except (sqlalchemy.exc.SQLAlchemyError, RuntimeError, ImportError) as error:
        text = f"the study's database {shown} cannot be used: {_first(error)}"
        raise ConfigError([text]) from error
    if is_file:
        storage.remove_session()  # which holds a connection, and would keep it from being closed
        storage.engine.dispose()
        sqlalchemy.event.listen(storage.engine, "connect", _fast_and_safe)
    return storage.engine, optuna.storages.get_storage(storage)


def _make_tables(url: str) -> None:
    """Make them, and see that they are of this Optuna, on connections that nobody keeps.

    Optuna lets go of its engine when that fails, with the connections that are in its pool.
    """
    pool = {"poolclass": sqlalchemy.pool.NullPool}
    storage = optuna.storages.RDBStorage(url, engine_kwargs=pool)
    storage.remove_session()


def _fast_and_safe(connection: Any, _: Any) -> None:
    """A killed process loses nothing; a power cut perhaps the last trials, which are tried again.

    Without it every step of a trial waits for the disk, longer than a short trial takes.
    """
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")


@contextmanager
def database_problems(shown: str) -> Iterator[None]:
    """Say what went wrong with the database in a sentence; nothing that was tried is lost."""
    problems = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError)
    try:
        yield
    except problems as error:
        why = _first(error.__cause__ or error)
        text = f"the study's database {shown} failed: {why}; the same command goes on from there"
        raise WatchkeeperError(text) from error


def _first(error: BaseException) -> str:
    """Give the first line of what a driver says, without SQL behind it."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
