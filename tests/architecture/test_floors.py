"""Who may import whom: the house of ARCHITECTURE, held against the imports themselves."""

import ast
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

FLOORS = {
    "messages": 0,
    "strategies": 1,
    "decisions": 1,
    "exchanges": 1,
    "persistence": 1,
    "actors": 2,
    "ops": 3,
    "research": 3,
    "cli": 4,
}
PURE = {"strategies", "decisions"}
PURE_LIBRARIES = {"msgspec"}
ONE_IMPORTER = {
    "pykka": {"actors"},
    "peewee": {"persistence"},
    "playhouse": {"persistence"},
    "psycopg": {"persistence"},
    "ccxt": {"exchanges"},
    "nats": {"exchanges"},
    "cryptography": {"exchanges"},
    "aiohttp": {"exchanges"},
    "loguru": {"actors"},
    "pyarrow": {"exchanges", "research"},
    "starlette": {"ops"},
    "uvicorn": {"ops"},
    "optuna": {"research"},
    "sqlalchemy": {"research"},
    "ray": {"research"},
}


@cache
def imported(tree: ast.Module) -> tuple[tuple[str, int], ...]:
    """Give the top-level name of every import, wherever in the file it stands, and its line."""
    return tuple(_imported(tree))


def _imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0], node.lineno


def may_import(importer: str, other: str) -> bool:
    return importer == other or FLOORS[other] < FLOORS[importer]


def test_the_lowest_packages_are_found(sources: list[Any]) -> None:
    assert {"messages", "strategies", "decisions"} <= {source.package for source in sources}


def test_a_floor_imports_only_lower_floors_and_never_its_neighbours(sources: list[Any]) -> None:
    violations = [
        f"{source.name}:{line} imports {other}"
        for source in sources
        for other, line in imported(source.tree)
        if other in FLOORS and not may_import(source.package, other)
    ]

    assert violations == []


@pytest.mark.parametrize("library", sorted(ONE_IMPORTER))
def test_a_given_library_is_imported_on_its_own_floor_only(
    library: str, sources: list[Any]
) -> None:
    violations = [
        f"{source.name}:{line}"
        for source in sources
        for other, line in imported(source.tree)
        if other == library and source.package not in ONE_IMPORTER[library]
    ]

    assert violations == []


@pytest.mark.parametrize("library", ["ccxt", "loguru", "nats"])
def test_a_library_that_has_one_door_is_imported_in_one_file(
    library: str, sources: list[Any]
) -> None:
    importers = {
        source.name for source in sources for other, _ in imported(source.tree) if other == library
    }

    assert len(importers) <= 1, importers


def test_pure_packages_import_nothing_but_the_language_messages_and_msgspec(
    sources: list[Any],
) -> None:
    import sys

    allowed = sys.stdlib_module_names | PURE_LIBRARIES
    violations = [
        f"{source.name}:{line} imports {other}"
        for source in sources
        if source.package in PURE
        for other, line in imported(source.tree)
        if other not in allowed and not may_import(source.package, other)
    ]

    assert violations == []


def test_imports_say_the_whole_name(sources: list[Any]) -> None:
    violations = [
        f"{source.name}:{node.lineno}"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert violations == []
