"""What the reading commands print: plain tables, or one JSON object a line."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from ops.health_text import one_line

Row = Mapping[str, Any]

_MEASURED = 1_000
"""So many rows set the widths; a table of a million is not held for its widest cell."""

Rounding = Mapping[str, Callable[[str], str]]
"""How a person reads the amount of a column."""


def spoken(rows: Iterable[Row], rounding: Rounding) -> Iterator[Row]:
    """Give rows as a person reads them; what is not there stays so."""
    for row in rows:
        told = {key: how(row[key]) for key, how in rounding.items() if row[key] is not None}
        yield {**row, **told}


def write_json(rows: Iterable[Row]) -> int:
    """Print one object a line, and give how many."""
    count = 0
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")
        count += 1
    return count


def write_table(columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Print the columns of the rows, aligned, and give how many rows there were."""
    count = -1  # the heading is none
    for line in table(columns, rows):
        sys.stdout.write(line + "\n")
        count += 1
    return count


def table(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Give the lines of a table, the heading first."""
    texts = (["-" if row[key] is None else one_line(row[key]) for key in columns] for row in rows)
    head = [[key.upper() for key in columns], *islice(texts, _MEASURED)]
    widths = [max(map(len, column)) for column in zip(*head, strict=True)]
    for cells in chain(head, texts):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()
