"""Modules that lie beside a strategy's file: it may import them, and they are part of its code."""

import ast
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from messages.errors import ConfigError

_OURS = Path(__file__).parents[1]
_reached: dict[Path, None] = {}
"""The folders of the strategies' files, in the order in which they were met."""


class _Beside(MetaPathFinder):
    """Finds what no other finder does: nothing of ours or of a library is hidden.

    A folder at the end of `sys.path` would not do: what is installed for editing, and other
    things too, are found by finders of their own, after the whole of that path.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Look for a module of no package in the folders; see `MetaPathFinder`."""
        if path is not None:
            return None
        return PathFinder.find_spec(fullname, [str(folder) for folder in _reached], target)


_BESIDE = _Beside()


def reach(path: Path) -> None:
    """Let a strategy's file import what lies beside it, where no other module has the name.

    Raises:
        ConfigError: it would get a module that lies beside another strategy's file.
    """
    folder = path.parent
    _reached[folder] = None
    others = [finder for finder in sys.meta_path if finder is not _BESIDE]
    # The last, also of those that came since; in a list of its own: another thread may import.
    sys.meta_path = [*others, _BESIDE]
    for name in sorted(_siblings_of(path)):
        found = _folder_of(name)
        if found != folder and found in _reached:
            raise ConfigError(
                [
                    f"{path} imports {name}, and {found} has a module of that name too, which is"
                    " taken for it in this process: call one of them otherwise"
                ]
            )


def code_files(path: Path) -> list[Path]:
    """Give a strategy's file, and after it what it imports of what lies beside it, by name.

    Read and not run: an import that no statement shows is not seen.
    """
    siblings = _siblings_of(path)
    return [path, *(file for name in sorted(siblings) for file in siblings[name])]


def code_of(path: Path) -> bytes:
    """Give what is in these files: of one that imports none of them, what is in it alone.

    Raises:
        OSError: one cannot be read.
    """
    first, *others = code_files(path)
    beside = (b"\0" + str(one.relative_to(path.parent)).encode() for one in others)
    return first.read_bytes() + b"".join(
        name + b"\0" + one.read_bytes() for name, one in zip(beside, others, strict=True)
    )


def _siblings_of(path: Path) -> dict[str, list[Path]]:
    """Give the files of each module beside it that it imports, or that one of those does."""
    found: dict[str, list[Path]] = {}
    unread = [path]
    while unread:
        for name in _imported(unread.pop()):
            if name not in found and (files := _files_of(path.parent, name)) and path not in files:
                found[name] = files
                unread += files
    return found


def _imported(path: Path) -> Iterator[str]:
    """Give the first word of each name that a file imports; nothing of what is no Python."""
    try:
        tree = ast.parse(path.read_bytes() if path.is_file() else b"")  # a pipe would hang
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _files_of(folder: Path, name: str) -> list[Path]:
    if name in sys.stdlib_module_names or _is_ours(name):
        return []
    inside = sorted((folder / name).rglob("*.py")) if (folder / name).is_dir() else []
    return inside or [one for one in [folder / f"{name}.py"] if one.is_file()]


def _is_ours(name: str) -> bool:
    return (_OURS / name / "__init__.py").is_file() or (_OURS / f"{name}.py").is_file()


def _folder_of(name: str) -> Path | None:
    """Give where a module of this name is taken from in this process."""
    module = sys.modules.get(name)
    spec: ModuleSpec | None = getattr(module, "__spec__", None) if module else find_spec(name)
    if spec is None:
        return None
    inside = list(spec.submodule_search_locations or [])
    if inside:
        return Path(inside[0]).parent
    return Path(spec.origin).parent if spec.origin else None
