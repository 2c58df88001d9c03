"""A study's database for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="the extra `optimize` is not installed")

from research.optimise.opening import open_storage
from tests.research.optimise.study.studies import Place


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables, which take a fifth of a second to make."""
    file = tmp_path_factory.mktemp("empty") / "study.db"
    engine, storage = open_storage(f"sqlite:///{file}", "study.db")
    storage.remove_session()
    engine.dispose()
    return file


@pytest.fixture
def place(tmp_path: Path, empty: Path) -> Iterator[Place]:
    made = Place(tmp_path, empty)
    yield made
    made.die()
