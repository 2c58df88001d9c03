"""A ledger that is deleted or replaced under its writer is told of: it goes with the writer."""

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from persistence.ledger import SqliteLedger
from tests.persistence.conftest import make_claim


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    with closing(SqliteLedger(path)) as ledger:
        ledger.claim([make_claim(1)], 7)
        yield ledger


def replace(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


def test_where_nobody_touches_it_there_is_nothing_to_say(path: Path, ledger: SqliteLedger) -> None:
    ledger.tidy()
    with closing(SqliteLedger(path)) as second:
        assert second.taken_away() == ""
    ledger.claim([make_claim(2)], 8)

    assert ledger.taken_away() == ""


@pytest.mark.parametrize("name", ["ledger.db", "ledger.db-wal"])
@pytest.mark.parametrize("strike", [Path.unlink, replace], ids=["deleted", "replaced"])
def test_what_is_taken_away_is_named(
    path: Path, ledger: SqliteLedger, name: str, strike: Callable[[Path], object]
) -> None:
    strike(path.with_name(name))
    ledger.claim([make_claim(2)], 8)

    told = ledger.taken_away()
    assert told.startswith(f"{path.with_name(name)} was deleted or replaced under this run")


def test_a_file_system_that_does_not_answer_has_taken_nothing_away(
    path: Path, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(*_: object, **__: object) -> None:
        raise OSError(errno.ESTALE, "stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", stale)
        assert ledger.taken_away() == ""
    path.unlink()
    assert ledger.taken_away() != ""
