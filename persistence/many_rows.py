"""Many rows in one statement: SQLite writes them all while Python lets other threads run.

Row by row each is a call of its own that gives the interpreter away, and waits for it, up to a
switch interval, when another thread was quick enough to take it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain

from persistence.statements import Row

MOST_VALUES = 2_700 if sqlite3.sqlite_version_info >= (3, 32) else 900
"""In one statement: SQLite before 3.32 takes 999, later ones 32,766."""
EXACT = 16
"""Up to so many rows have a statement of their own; more are cut to powers of two.

So there are few statements, and each is prepared once in the life of its connection.
"""

Statement = tuple[str, Sequence[object]]


def together(statement: str, rows: Sequence[Row]) -> Iterator[Statement]:
    """Give the statements, one or few, that write these rows in their order.

    `statement` is an INSERT of one row with as many marks as a row has values.
    """
    most = _most(len(rows[0])) if len(rows) > 1 else 1
    start = 0
    while start < len(rows):
        count = _count(min(len(rows) - start, most))
        if count == 1:
            yield statement, rows[start]
        else:
            some = rows[start : start + count]
            yield _widened(statement, count), list(chain.from_iterable(some))
        start += count


def _count(left: int) -> int:
    return left if left <= EXACT else 1 << (left.bit_length() - 1)


@cache
def _most(width: int) -> int:
    return max(MOST_VALUES // max(width, 1), 1)


@cache
def _widened(statement: str, rows: int) -> str:
    head, values, rest = statement.partition(" VALUES ")
    marks, end, tail = rest.partition(")")
    return head + values + ", ".join([marks + end] * rows) + tail
