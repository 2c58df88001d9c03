"""Whatever is decoded by more than one thread was looked at by msgspec before there were two.

Of a type that it sees first when two threads decode it, the second is given half, and the
interpreter crashes (`messages.learning`). So a type that a function decodes is learnt at import.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import cli

ROOT = Path(cli.__file__).parent
FOLDERS = ("actors", "decisions", "exchanges", "messages", "ops", "persistence", "strategies")
ONE_THREAD = ("exchanges/local/",)
"""A process, or a thread, of its own that alone decodes its types."""
PLAIN = {"bytes", "dict", "float", "int", "list", "msgspec", "Raw", "str", "tuple"}
LEARNT_WHERE_IT_IS_DECODED = {
    ("messages/codec.py", "AnyMessage"),
    ("messages/learning.py", "kind"),
    ("ops/operator_control.py", "kind"),
    ("strategies/__init__.py", "struct"),
}
NO_STRUCT = {
    ("decisions/histogram.py", "_Encoded"),
    ("ops/dashboard/market.py", "kind"),
    ("strategies/__init__.py", "kind"),
}


def files() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if not name_of(path).startswith(ONE_THREAD)]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def names_in(kind: ast.AST) -> set[str]:
    names = {node.id for node in ast.walk(kind) if isinstance(node, ast.Name)}
    return names - PLAIN


def targets_of(tree: ast.AST) -> Iterator[str]:
    """Give the names of all types that are decoded or converted within functions."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in (node for function in functions for node in ast.walk(function)):
        if not isinstance(node, ast.Call):
            continue
        if called(node).endswith((".json.decode", ".msgpack.decode")):
            for keyword in node.keywords:
                yield from names_in(keyword.value) if keyword.arg == "type" else ()
        elif called(node) == "msgspec.convert":
            yield from names_in(node.args[1])
        elif called(node).endswith((".json.Decoder", ".msgpack.Decoder")) and node.args:
            yield from names_in(node.args[0])


def learnt_at_import(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        value = getattr(statement, "value", None)
        if isinstance(value, ast.Call) and called(value).endswith(("learn", "Decoder")):
            for kind in value.args:
                yield from names_in(kind)


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name_of(path): ast.parse(path.read_text()) for path in files()}


def test_what_functions_decode_was_learnt_at_import(trees: dict[str, ast.Module]) -> None:
    learnt = {name for tree in trees.values() for name in learnt_at_import(tree)}
    decoded = {(file, name) for file, tree in trees.items() for name in targets_of(tree)}
    unknown = {(file, name) for file, name in decoded if name not in learnt}

    assert unknown == LEARNT_WHERE_IT_IS_DECODED | NO_STRUCT


@pytest.mark.parametrize(
    "code",
    [
        "def f(b): return msgspec.json.decode(b, type=list[Late] | None)",
        "def f(b): return msgspec.msgpack.decode(b, type=Late)",
        "def f(b): return msgspec.convert(b, dict[str, Late])",
        "class C:\n async def f(self): self.d = msgspec.json.Decoder(Late)",
    ],
)
def test_each_way_to_decode_is_seen(code: str) -> None:
    assert set(targets_of(ast.parse(code))) == {"Late"}
