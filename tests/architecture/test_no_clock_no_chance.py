"""Only a runtime knows what time it is, and chance is handed in as a seed."""

import ast
from collections.abc import Iterator
from typing import Any

import pytest

TIMELESS = {"strategies", "decisions", "actors"}
MAY_KNOW_THE_TIME = {"actors/thread_runtime.py", "actors/clock.py"}
WITHOUT_CHANCE = TIMELESS | {"exchanges"}
MAY_SEED = {"exchanges/demo.py", "exchanges/local/market.py", "exchanges/local/faults.py"}

CLOCKS = {
    "time": None,
    "datetime.datetime": {"now", "utcnow", "today"},
    "datetime.date": {"today"},
}
CHANCE = {"random": None, "secrets": None, "uuid": {"uuid1", "uuid4"}, "os": {"urandom"}}
HARMLESS = {"time.struct_time", "random.Random"}

Banned = dict[str, Any]


def used_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Give the full dotted name of everything imported or reached through an import."""
    meaning: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                meaning[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                meaning[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield f"{node.module}.{alias.name}", node.lineno
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (name := _dotted(node)):
            first, _, rest = name.partition(".")
            if first in meaning:
                yield f"{meaning[first]}.{rest}", node.lineno


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value)):
        return f"{owner}.{node.attr}"
    return None


def is_banned(name: str, banned: Banned) -> bool:
    owner, _, last = name.rpartition(".")
    return owner in banned and (banned[owner] is None or last in banned[owner])


def violations(sources: list[Any], packages: set[str], banned: Banned, free: set[str]) -> list[str]:
    return [
        f"{source.name}:{line} uses {name}"
        for source in sources
        if source.package in packages and source.name not in free
        for name, line in used_names(source.tree)
        if is_banned(name, banned) and name not in HARMLESS
    ]


def generators_made(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _dotted(node.func) in ("Random", "random.Random"):
            yield node


def test_nobody_but_the_runtime_sleeps_or_looks_at_a_clock(sources: list[Any]) -> None:
    assert violations(sources, TIMELESS, CLOCKS, MAY_KNOW_THE_TIME) == []


def test_nobody_draws_chance_but_from_a_generator_handed_in(sources: list[Any]) -> None:
    assert violations(sources, WITHOUT_CHANCE, CHANCE, set()) == []


def test_generators_are_made_for_generated_markets_and_by_runtimes_and_always_seeded(
    sources: list[Any],
) -> None:
    wrong = [
        f"{source.name}:{call.lineno}"
        for source in sources
        if source.package in WITHOUT_CHANCE
        for call in generators_made(source.tree)
        if not may_seed(source) or not (call.args or call.keywords)
    ]

    assert wrong == []


def may_seed(source: Any) -> bool:
    return source.name in MAY_SEED or source.package == "actors"


@pytest.mark.parametrize(
    "code",
    [
        "import time\ntime.time_ns()",
        "import time as t\nt.sleep(1)",
        "from time import monotonic_ns",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime\ndatetime.now()",
        "from datetime import date as d\nd.today()",
    ],
)
def test_every_way_to_a_clock_is_seen(code: str) -> None:
    assert any(is_banned(name, CLOCKS) for name, _ in used_names(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "import random\nrandom.random()",
        "from random import choice",
        "from uuid import uuid4",
        "import uuid\nuuid.uuid4()",
        "import os\nos.urandom(8)",
        "import secrets\nsecrets.token_hex()",
    ],
)
def test_every_way_to_chance_is_seen(code: str) -> None:
    assert any(is_banned(name, CHANCE) for name, _ in used_names(ast.parse(code)))
