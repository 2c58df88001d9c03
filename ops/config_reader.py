"""Takes one table of a TOML document apart and notes everything that is wrong with it.

A getter always gives a value of its type, so that reading goes on to the next mistake;
nothing that was read may be used once there are problems.
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from ops.bounds import LARGEST_INTEGER, most_of
from ops.secret_names import is_secret_name

Choice = TypeVar("Choice", bound=StrEnum)

_PLAIN_DECIMAL = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+(\[[0-9]+\])?")
_LONGEST_SHOWN = 40
_TYPE_NAMES: dict[type, str] = {dict: "a table", list: "a list", bool: "true or false"}


class TableReader:
    """Reads one table. `problems` is shared by all readers of a document."""

    def __init__(self, table: Mapping[str, Any], path: str, problems: list[str]) -> None:
        self._table = table
        self._path = path
        self._asked: list[str] = []
        self.problems = problems

    def has(self, key: str) -> bool:
        """Whether the file says anything under this key."""
        return key in self._table

    def path(self, key: str) -> str:
        """Give the key as a person finds it in the file: ``venue.balances.USDT``."""
        return joined(self._path, key)

    def problem(self, key: str, sentence: str) -> None:
        """Note one mistake at this key."""
        self.problems.append(f"{self.path(key)}: {sentence}")

    def expected(self, key: str, expectation: str) -> None:
        """Note that the value at this key is not what it should be."""
        got = "nothing" if key not in self._table else shown(key, self._table[key])
        self.problem(key, f"got {got}, expected {expectation}")

    def is_refused(self, key: str) -> bool:
        """Whether what the file says at this very key is noted to be none that can be used."""
        return any(one.startswith(f"{self.path(key)}: got ") for one in self.problems)

    def raw(self, key: str, default: Any = None) -> Any:
        """Give whatever is there; asking makes the key a known one."""
        self._asked.append(key)
        return self._table.get(key, default)

    def text(self, key: str, default: str | None, expectation: str = "a text") -> str:
        """Give a text that is not blank; without a default it must be there."""
        value = self.raw(key, default)
        if isinstance(value, str) and (value.strip() or value == default) and "\0" not in value:
            return value
        self.expected(key, expectation)
        return default or ""

    def optional_text(self, key: str) -> str | None:
        """Give a text, or None where there is none."""
        return self.text(key, "") or None

    def matching(self, key: str, default: str | None, pattern: str, expectation: str) -> str:
        """Give a text of a certain form."""
        before = len(self.problems)
        value = self.text(key, default, expectation)
        if len(self.problems) == before and not re.fullmatch(pattern, value, re.ASCII):
            self.expected(key, expectation)
        return value

    def choice(self, key: str, kind: type[Choice], default: Choice) -> Choice:
        """Give one of a closed set."""
        value = self.raw(key, default.value)
        known = [member.value for member in kind]
        if value in known:
            return kind(value)
        self.expected(key, f"one of {', '.join(known)}{did_you_mean(value, known)}")
        return default

    def money(self, key: str, default: str, *, least: str | None = "0") -> Decimal:
        """Give an exact number of at least `least`: quoted, or a whole one as it is."""
        value = self.raw(key, default)
        if isinstance(value, float) and math.isfinite(value):
            quoted = f"{Decimal(repr(value)):f}"[:_LONGEST_SHOWN]
            self.problem(key, f'got {value}, expected it quoted, to be exact: "{quoted}"')
            return Decimal(default)
        number = exact(value)
        if number is None or (least is not None and number < Decimal(least)):
            bound = "" if least is None else f" of {least} or more"
            self.expected(key, f'a quoted decimal{bound}, such as "{default}"')
            return Decimal(default)
        return number

    def integer(self, key: str, default: int, *, least: int, most: int | None = None) -> int:
        """Give a whole number of at least `least`, and at most what its unit allows."""
        value, most = self.raw(key, default), most_of(key) if most is None else most
        if is_integer(value) and least <= value <= most:
            return int(value)
        self.expected(key, f"a whole number of {least} or more{_unless(value, most)}")
        return default

    def optional_integer(self, key: str, *, least: int) -> int | None:
        """Give a whole number, or None where there is none."""
        return self.integer(key, least, least=least) if self.raw(key) is not None else None

    def number(self, key: str, default: float) -> float:
        """Give a finite number of 0 or more."""
        value = self.raw(key, default)
        numeric, most = isinstance(value, float) or is_integer(value), most_of(key)
        if numeric and 0 <= value <= most and math.isfinite(value):
            return float(value)
        self.expected(key, f"a number of 0 or more{_unless(value, most)}")
        return default

    def flag(self, key: str, *, default: bool) -> bool:
        """Give true or false."""
        value = self.raw(key, default)
        if isinstance(value, bool):
            return value
        self.expected(key, "true or false")
        return default

    def table(self, key: str) -> "TableReader":
        """Give the reader of a table inside this one; an absent table is an empty one."""
        value = self.raw(key, {})
        if not isinstance(value, Mapping):
            self.expected(key, f"a table, written [{self.path(key)}]")
            value = {}
        return TableReader(value, self.path(key), self.problems)

    def tables(self, key: str) -> "list[TableReader]":
        """Give a reader per table of a list of tables, numbered from 0 in problems."""
        value = self.raw(key, [])
        if not (isinstance(value, list) and all(isinstance(item, Mapping) for item in value)):
            self.expected(key, f"tables, each written [[{self.path(key)}]]")
            return []
        place = self.path(key)
        return [TableReader(t, f"{place}[{i}]", self.problems) for i, t in enumerate(value)]

    def items(self) -> dict[str, Any]:
        """Give everything in a table whose keys are free."""
        self._asked += self._table
        return dict(self._table)

    def beside(self, table: Mapping[str, Any]) -> "TableReader":
        """Give the reader of a list's items, under made-up keys: ``symbols[0]``."""
        return TableReader(table, self._path, self.problems)

    def finish(self) -> None:
        """Note every key that nobody asked for. Secrets have been reported before."""
        for key in self._table:
            if key not in self._asked and not is_secret_name(key):
                hint = did_you_mean(key, self._asked) or f" (known: {', '.join(self._asked)})"
                self.problem(key, f"unknown key{hint}")


def joined(path: str, key: str) -> str:
    """Give the dotted path of a key, quoted as TOML would where it must be."""
    name = key if _BARE_KEY.fullmatch(key) else f'"{printable(key)}"'
    return f"{path}.{name}" if path else name


def _unless(value: object, most: int) -> str:
    """Say where the end is to a number that goes beyond it."""
    is_beyond = isinstance(value, int | float) and value > most
    return f", at most {most}" if is_beyond else ""


def exact(value: object) -> Decimal | None:
    """Give a plain decimal text or a whole number exactly; None for anything else."""
    if isinstance(value, str) and _PLAIN_DECIMAL.fullmatch(value):
        return Decimal(value)
    if is_integer(value) and abs(value) <= LARGEST_INTEGER:
        return Decimal(value)
    return None


def is_integer(value: object) -> TypeGuard[int]:
    """Whether this is a whole number; Python counts true and false among them."""
    return isinstance(value, int) and not isinstance(value, bool)


def shown(key: str, value: object) -> str:
    """Give a value as a problem names it: short, on one line, and never a secret."""
    if is_secret_name(key) or key.endswith("_env"):
        return "a value that is not shown"
    for kind, name in _TYPE_NAMES.items():
        if isinstance(value, kind) and kind is not bool:
            return name
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_integer(value) and abs(value) > LARGEST_INTEGER:
        return "a very large number"
    return f'"{printable(value)}"' if isinstance(value, str) else printable(str(value))


def printable(text: str) -> str:
    """Give a text as a problem quotes it: short, on one line, nothing a terminal obeys."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def is_there(path: Path) -> bool:
    """Whether this is a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether this is a folder; a name that none can have is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def did_you_mean(word: object, known: list[str]) -> str:
    """Give ``; did you mean "speed"?`` where something is close, else nothing."""
    from difflib import get_close_matches  # only for who has mistyped

    folded = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), folded, n=1) if isinstance(word, str) else []
    return f'; did you mean "{folded[close[0]]}"?' if close else ""
