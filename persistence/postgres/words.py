"""The ledger's constant SQL in PostgreSQL's words, put into them once a statement.

All that the two databases say otherwise of the ledger's statements is here.
"""

from collections.abc import Sequence
from functools import cache

_OTHERWISE = (
    (" INDEXED BY orders_open", ""),
    (" INDEXED BY stops_kept", ""),
    (" CROSS JOIN ", " JOIN "),
)
"""What is SQLite's alone: both only tell its planner what PostgreSQL's finds by itself."""

NO_NUL = "\N{SYMBOL FOR NULL}"
"""Stands for the character 0, which PostgreSQL's text cannot hold."""


@cache
def in_words(statement: str) -> str:
    """Give a statement with its values numbered: ``?, ?`` is ``$1, $2``.

    No constant statement holds a question mark of its own: values are never part of the text.
    """
    for theirs, ours in _OTHERWISE:
        statement = statement.replace(theirs, ours)
    first, *others = statement.split("?")
    return first + "".join(f"${at}{text}" for at, text in enumerate(others, 1))


def in_values(values: Sequence[object]) -> Sequence[object]:
    """Give values that its text can hold: a hostile answer of a venue must not stop the ledger."""
    for value in values:
        if type(value) is str and "\0" in value:
            return [v.replace("\0", NO_NUL) if isinstance(v, str) else v for v in values]
    return values
