"""What a doctor says: one line, and what to do about it."""

from enum import StrEnum
from typing import Any

import msgspec


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"

    @property
    def exit_code(self) -> int:
        """0, 1 or 2."""
        return list(Level).index(self)


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `todo` is empty where there is nothing to do."""

    level: Level
    about: str
    """A word or two; stable."""
    text: str
    todo: str = ""

    def row(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {
            "finding": self.about,
            "level": str(self.level),
            "text": self.text,
            "todo": self.todo,
        }


def ok(about: str, text: str) -> Finding:
    """Say that something is as it should be."""
    return Finding(Level.OK, about, text)


def warning(about: str, text: str, todo: str) -> Finding:
    """Say that something may cause trouble."""
    return Finding(Level.WARNING, about, text, todo)


def problem(about: str, text: str, todo: str) -> Finding:
    """Say that something must be changed before trading."""
    return Finding(Level.PROBLEM, about, text, todo)
