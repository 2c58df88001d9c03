"""A paper book that cannot even be opened, and one of another user."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exchanges.paper import PaperSettings, PaperVenue
from exchanges.paper_book import read_book, read_deposits
from exchanges.paper_reading import BookReader
from messages.errors import DataError

NOBODY = 65_534


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A file whose path SQLite does not take: no permission keeps root out."""
    folder = tmp_path.joinpath(*["x" * 200] * 3)
    folder.mkdir(parents=True)
    path = folder / "paper.db"
    path.touch()
    return path


def test_it_is_an_error_of_the_data_that_names_the_file(book: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as a paper book: unable to open"):
        BookReader(book)
    with pytest.raises(DataError, match="cannot be read as a paper book: unable to open"):
        next(read_book(book))


@contextmanager
def only_reading(folder: Path) -> Iterator[None]:
    """Nothing may be written there; root, whom no permission keeps out, is nobody meanwhile."""
    mine = os.geteuid()
    folder.chmod(0o555)
    os.seteuid(mine or NOBODY)
    try:
        yield
    finally:
        os.seteuid(mine)
        folder.chmod(0o755)


@pytest.fixture
def left_behind() -> Iterator[Path]:
    """The book of a run that has ended, in a folder that everybody may go into."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "paper.db"
        PaperVenue(path, PaperSettings()).close()
        path.chmod(0o644)
        yield path


def test_one_in_a_folder_that_may_only_be_read_is_read_as_it_is(left_behind: Path) -> None:
    assert [one.name for one in left_behind.parent.iterdir()] == ["paper.db"]

    with only_reading(left_behind.parent):
        with BookReader(left_behind) as book:
            assert book.file_problems() == []
            assert list(book.walk()) == []
        assert list(read_book(left_behind)) == []
        assert read_deposits(left_behind)
    assert [one.name for one in left_behind.parent.iterdir()] == ["paper.db"]


def test_one_whose_log_cannot_be_joined_is_no_difference_but_a_sentence_that_says_who_may(
    left_behind: Path,
) -> None:
    left_behind.with_name("paper.db-wal").write_bytes(b"what its run has written last")
    with only_reading(left_behind.parent), pytest.raises(DataError, match="ask as the user that"):
        BookReader(left_behind)
