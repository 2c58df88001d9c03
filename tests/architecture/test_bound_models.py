"""A model of peewee's that is bound to a database is so for every thread of the process.

Two fleets looked at by two threads met one another by that: a query names its database.
"""

import ast

from tests.architecture.conftest import Source

MIGRATIONS = "persistence/migrations/"
"""Each is loaded anew, with models of its own, by whoever upgrades a file."""


def test_no_model_is_bound_to_a_database(sources: list[Source]) -> None:
    found = {source.name for source in sources if any(map(_binds_models, ast.walk(source.tree)))}

    assert {name for name in found if not name.startswith(MIGRATIONS)} == set()
    assert found, "it would see one"


def _binds_models(node: ast.AST) -> bool:
    names = {"bind_ctx", "create_tables", "drop_tables"}
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") in names
