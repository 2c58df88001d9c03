"""Finds the sources of the packages under test, in a checkout or in an installed wheel."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

PACKAGES = (
    "messages",
    "strategies",
    "decisions",
    "exchanges",
    "persistence",
    "actors",
    "ops",
    "research",
    "cli",
)


class Source(msgspec.Struct, frozen=True):
    """One file of ours. `name` is its path from the package up: ``exchanges/demo.py``."""

    package: str
    name: str
    tree: ast.Module


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    return [source for package in PACKAGES for source in _sources_of(package)]


def _sources_of(package: str) -> Iterator[Source]:
    spec = importlib.util.find_spec(package)
    if spec is None:
        return
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    if not folders and spec.origin is not None:
        files = [Path(spec.origin)]
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
        folder = next((one.parent for one in folders if file.is_relative_to(one)), file.parent)
        yield Source(package, file.relative_to(folder).as_posix(), tree)
