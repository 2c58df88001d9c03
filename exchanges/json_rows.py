"""Candles from a JSON list of lists, as freqtrade keeps them, in flat memory.

The text of each number is handed on as it stands: none of them passes through a binary float.
"""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from exchanges.csv_rows import DAMAGE, blocks_of
from exchanges.raw_rows import Complaints, Row
from messages.errors import DataError

_ROW = re.compile(r"\[([^\[\]]*)\]")
_LONGEST_ROW = 1 << 12
_SHOWN = 40
_ENOUGH = 2
"""So many characters tell a list of lists."""


def json_rows(path: Path, tally: Complaints) -> Iterator[Row]:
    """Give the first six values of every inner list: time, open, high, low, close, volume.

    Raises:
        DataError: the file cannot be read, or is no list of lists.
    """
    number, rest, is_begun = 0, "", False
    try:
        for block in blocks_of(path):
            rest += block.decode("ascii", "replace")
            if not is_begun and len(rest.strip()) < _ENOUGH:
                continue
            if not is_begun:
                rest, is_begun = _opened(path, rest), True
            end = 0
            for match in _ROW.finditer(rest):
                between, end = rest[end : match.start()], match.end()
                number += 1
                if between.strip() != ("," if number > 1 else ""):
                    tally.malformed(number, f"before it stands {between[:_SHOWN]!a}, not a comma")
                    number += 1
                yield number, [text.strip(' \t\r\n"') for text in match[1].split(",")[:6]]
            rest = rest[end:]
            if len(rest) > _LONGEST_ROW:
                tally.malformed(number + 1, "the rest is no list of lists")
                return
    except DAMAGE as error:
        if isinstance(error, gzip.BadGzipFile) and not number:
            raise DataError(f"{path}: is named .gz but is not gzip") from error
        tally.cut_off(number + 1, f"the rest cannot be read: {error}")
        return
    if not is_begun:
        _opened(path, rest)
    if rest.strip() != "]":
        tally.cut_off(number + 1, "the list is cut off here")


def _opened(path: Path, text: str) -> str:
    """Give what follows the opening bracket of the outer list."""
    head, bracket, inner = text.partition("[")
    if head.strip() or not bracket or inner.lstrip()[:1] not in ("[", "]"):
        raise DataError(f"{path}: is not a JSON list of candles like [[time, open, ...], ...]")
    return inner
