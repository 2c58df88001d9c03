"""A study's database that cannot be used: a sentence, and nothing of it is held on to."""

import gc
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from messages.errors import ConfigError, WatchkeeperError
from research.optimise.guard import PostgresGuard, StudyInUse
from research.optimise.storage import Storage

pytest.importorskip("optuna", reason="the extra `optimize` is not installed")

import sqlalchemy

from research.optimise.opening import database_problems, open_study
from research.optimise.rows import Rows

pytestmark = pytest.mark.slow  # only `slow` installs Optuna


@pytest.fixture
def kept_garbage() -> Iterator[None]:
    """What nobody closes stays open, and is not closed by chance."""
    gc.disable()
    yield
    gc.enable()


def storage_of(file: Path) -> Storage:
    return Storage(url=f"sqlite:///{file}", shown=file.name, file=file)


def open_files(folder: Path) -> list[str]:
    return [one.path for one in psutil.Process().open_files() if one.path.startswith(str(folder))]


def of_another_version(file: Path) -> None:
    with ExitStack() as stack:
        open_study(storage_of(file), "bot", stack)
    with closing(sqlite3.connect(file)) as database:
        database.execute("update version_info set schema_version = 99")
        database.execute("update alembic_version set version_num = 'v99.0.0'")
        database.commit()


@pytest.mark.usefixtures("kept_garbage")
@pytest.mark.parametrize("is_junk", [True, False])
def test_what_is_no_study_of_ours_is_told_and_let_go_of(tmp_path: Path, is_junk: bool) -> None:
    file = tmp_path / "study.db"
    if is_junk:
        file.write_bytes(b"no database at all" * 100)
    else:
        of_another_version(file)
    said = "file is not a database" if is_junk else "no longer compatible with the table schema"

    for _ in range(2):  # the second one is not told that the first one searches
        with ExitStack() as stack, pytest.raises(ConfigError, match=said):
            open_study(storage_of(file), "bot", stack)

        assert open_files(tmp_path) == []


@pytest.mark.usefixtures("kept_garbage")
def test_what_is_open_is_let_go_of_when_the_search_is_over(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    with ExitStack() as stack:
        guard, database = open_study(storage_of(file), "bot", stack)
        Rows(database, "bot/1", guard, {})
        assert str(file) in open_files(tmp_path)
        with pytest.raises(StudyInUse), ExitStack() as second:
            open_study(storage_of(file), "bot", second)

    assert open_files(tmp_path) == []


def test_a_database_that_becomes_read_only_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    with ExitStack() as stack:
        guard, database = open_study(storage_of(file), "bot", stack)
        engine = database._backend.engine
        sqlalchemy.event.listen(
            engine, "connect", lambda one, _: one.execute("pragma query_only = 1")
        )
        database.remove_session()
        engine.dispose()

        with pytest.raises(WatchkeeperError) as caught, database_problems("study.db"):
            Rows(database, "bot/1", guard, {})

    said = str(caught.value)
    assert "study.db failed: attempt to write a readonly database; the same command" in said


def test_a_guard_that_cannot_be_had_gives_its_connection_back(tmp_path: Path) -> None:
    """As when the server goes right then; here it is one that knows no such locks."""
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'other.db'}")

    with pytest.raises(sqlalchemy.exc.OperationalError, match="pg_advisory_lock"):
        PostgresGuard(engine, "bot")

    assert engine.pool.checkedout() == 0
    engine.dispose()
