"""docs/venues.md, held against the data and the sentences of the code."""

import ast
import re
from pathlib import Path

import pytest

from exchanges.capabilities import CAPABILITIES, Capability
from exchanges.ccxt_settings import DEFAULT_RECV_WINDOW_MS
from exchanges.outcomes import LOCAL_ERRORS, REFUSALS, THROTTLES, UNSURE_CODES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "venues.md").read_text(encoding="utf-8")
SPEAKERS = (
    "capabilities", "ccxt_client", "ccxt_gate", "ccxt_right", "ccxt_settings", "ccxt_shapes",
)  # fmt: skip


def rows(heading: str) -> list[list[str]]:
    """Give the cells of a section's table, without its head."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def documented(row: Capability) -> list[str]:
    window_ms = DEFAULT_RECV_WINDOW_MS if row.recv_window_parameter else 0
    after = f"{(window_ms + row.settle_ms) / 1000:g} s" if row.proves_absence else "never"
    checks = "yes" if row.checks_orders_at else "no"
    return [row.lookup.value, str(row.id_length_max), row.id_scope.value, after, checks, row.notes]


def test_the_table_of_exchanges_is_the_data() -> None:
    told = {
        codes(name)[0]: [codes(lookup)[0], length.split()[0], codes(scope)[0], after, checks, notes]
        for name, lookup, length, scope, after, checks, _, notes in rows("Exchanges")
    }

    assert told == {name: documented(row) for name, row in CAPABILITIES.items()}


def test_the_tested_exchanges_are_named_so() -> None:
    told = {codes(cells[0])[0] for cells in rows("Exchanges") if cells[6] == "yes"}

    assert told == {row.exchange for row in CAPABILITIES.values() if row.tested}


def test_the_evidence_is_that_of_the_code() -> None:
    table = {
        codes(cells[0])[0]: set(codes(cells[1]))
        for cells in rows("What an answer to an order proves")
    }

    assert table["NotSent"] == set(LOCAL_ERRORS)
    assert table["Rejected"] == {*REFUSALS, *THROTTLES}
    assert {f"`{code}`" for code in UNSURE_CODES} <= set(re.findall(r"`-\d+`", TEXT))


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    """All text literals of the files that refuse, the parts of one sentence joined."""
    found = []
    for name in SPEAKERS:
        tree = ast.parse((ROOT / "exchanges" / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else "{}" for p in node.values]
                found.append("".join(str(part) for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


@pytest.mark.parametrize("cell", [cells[0] for cells in rows("The gate")])
def test_the_gate_says_what_is_documented(cell: str, sentences: list[str]) -> None:
    parts = codes(cell)

    assert any(all(part in sentence for part in parts) for sentence in sentences), parts


@pytest.mark.slow
def test_every_trap_is_a_test_and_every_such_test_is_documented() -> None:
    files = (ROOT / "tests" / "exchanges" / "ccxt_traps").glob("test_*.py")
    bodies = [ast.parse(file.read_text(encoding="utf-8")).body for file in files]
    tests = {node.name for body in bodies for node in body if isinstance(node, ast.FunctionDef)}

    documented = {f"test_trap_{codes(cells[2])[0]}" for cells in rows("The traps of ccxt")}

    assert documented == {name for name in tests if name.startswith("test_trap_")}
    assert len(documented) >= 14
