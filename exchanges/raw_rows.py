"""What the reader of a recording gives, and whom it tells of what it cannot read."""

from collections.abc import Sequence
from typing import Protocol

Row = tuple[int, Sequence[str]]
"""A row's number in its file, from 1, and its fields as text."""


class Complaints(Protocol):
    """Whom a reader tells of rows that are not there or cannot be read."""

    def malformed(self, row: int, why: str) -> None:
        """Count a row that makes no sense."""
        ...

    def cut_off(self, row: int, why: str) -> None:
        """Count a file whose end, from this row on, cannot be read."""
        ...
