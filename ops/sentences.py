"""What a person is told of a command that failed: what he can do something about, or nothing."""

from errno import EDQUOT, EFBIG, EIO, EMFILE, ENFILE, ENOMEM, ENOSPC, EROFS
from pathlib import Path

from messages.errors import ConfigError, WatchkeeperError

_OF_THE_MACHINE = (ENOSPC, EDQUOT, EFBIG, EIO, EROFS, EMFILE, ENFILE, ENOMEM)


def sentences_of(error: Exception) -> list[str]:
    """Say what the user can do something about; nothing for a bug, which keeps its traceback.

    A sentence quotes names that others have chosen: there is nothing in it that a terminal obeys.
    """
    return [_readable(sentence) for sentence in _said(error)]


def _readable(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """Give what stands for one in a source: a backslash, and its number."""
    return character.encode("unicode_escape").decode()


def _said(error: Exception) -> list[str]:
    if isinstance(error, ConfigError):
        return error.problems
    if isinstance(error, WatchkeeperError):
        return [str(error)]
    if isinstance(error, OSError) and error.filename and error.strerror:
        return [f"{error.filename}: {error.strerror.lower()}"]
    return _of_the_machine(error)


def _of_the_machine(error: Exception) -> list[str]:
    """Say what the machine does not give: no bug, though nothing says where."""
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return [f"this machine refuses it: {(error.strerror or str(error)).lower()}"]
    if isinstance(error, MemoryError):
        return ["there is not enough memory: free some, or raise the limit (ulimit -v)"]
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return ["no more threads can be started: raise the limit of processes or of memory"]
    if isinstance(error, FileNotFoundError) and not _has_working_directory():
        return ["the working directory is gone: change to one that is there (cd)"]
    return []


def _has_working_directory() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True
