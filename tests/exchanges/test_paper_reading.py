"""A paper book that cannot even be opened, as one of another user."""

from pathlib import Path

import pytest

from exchanges.paper_book import read_book
from exchanges.paper_reading import BookReader
from messages.errors import DataError


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
