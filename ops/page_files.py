"""Where a page goes that a person asked for, and what it may replace there."""

from pathlib import Path

import msgspec

from messages.errors import ConfigError
from ops.run_dir import atomic_write

_AS_THE_UMASK_SAYS = 0o666
_DEVICES = Path("/dev")


class Wanted(msgspec.Struct, frozen=True):
    """A file that a person named for a result."""

    flag: str
    path: Path | None
    """None where the flag was not given; ``-`` is stdout."""
    kind: str = "page"
    head: bytes = b"<!doctype html>"
    """How every file of this kind begins."""


def check_replaceable(*wanted: Wanted) -> None:
    """Pass where each result can be there, and is new or replaces one of its own kind.

    One word at the wrong place in a command line, and the file is a ledger or a recording.

    Raises:
        ConfigError: a file is there that is something else, there is no place for one, or two
            results have one name.
        OSError: a file that is there cannot be read.
    """
    problems = [*filter(None, map(_problem, wanted))]
    taken: dict[Path, str] = {}
    for one in wanted:
        if one.path is None or not _is_file_to_be(one.path):
            continue
        first = taken.setdefault(one.path.resolve(), one.flag)
        if first != one.flag:
            problems.append(f"{one.flag} {one.path}: {first} goes there: name another one")
    if problems:
        raise ConfigError(problems)


def _problem(one: Wanted) -> str | None:
    if one.path is None or str(one.path) == "-":
        return None
    if one.path.is_dir():
        return f"{one.flag} {one.path}: is a directory: name a file in it"
    if not one.path.parent.is_dir():
        return f"{one.flag} {one.path}: no such file or directory: make its folder first"
    if not one.path.is_file() or not _is_file_to_be(one.path):
        return None
    with one.path.open("rb") as file:
        found = file.read(len(one.head))
    if found in (b"", one.head):
        return None
    return (
        f"{one.flag} {one.path}: there is such a file already, which is no {one.kind} of ours:"
        " name another one"
    )


def _is_file_to_be(path: Path) -> bool:
    """Whether something would be replaced: not stdout, whatever it leads to, nor a pipe."""
    if str(path) == "-" or _is_device(path):
        return False
    return path.is_file() or not path.exists()


def write_page(path: Path, text: str) -> None:
    """Replace a file as a whole: who looks, and a full disk, find the old one or the new one.

    Links stay, and so does who may read it.

    Raises:
        OSError: it cannot be written, with the name that was asked for.
    """
    try:
        place = path.resolve()
        if _is_device(path) or (place.exists() and not place.is_file()):
            path.write_text(text, encoding="utf-8")
        else:
            _replace(place, text)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _is_device(path: Path) -> bool:
    """Whether it is /dev/stdout or the like, wherever that leads: into a file, perhaps.

    What is in /dev/shm is none.
    """
    folder = path.parent.resolve()
    return folder == _DEVICES or folder.parts[1:2] == ("proc",)


def _replace(place: Path, text: str) -> None:
    mode = place.stat().st_mode & 0o777 if place.exists() else None
    atomic_write(place, text.encode(), mode=_AS_THE_UMASK_SAYS if mode is None else mode)
    if mode is not None:
        place.chmod(mode)  # the umask may have taken of it
