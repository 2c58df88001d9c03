"""What a symbol is paid in is reckoned in one place: two ways differ for ``BTC/USDT:USDT``."""

import ast

import pytest

from messages.ids import Symbol, base_of, quote_of
from messages.values import Instrument
from tests.architecture.conftest import Source

APART = {
    "messages/ids.py": "the one place",
    "research/series.py": "a folder's name has what it settles in too",
    "exchanges/parquet_rows.py": "how a file may be called",
    "ops/venue.py": "whether a person's word is a symbol at all",
}


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTC/USDT:USDT"])
def test_what_a_contract_settles_in_is_no_part_of_its_quote(symbol: str) -> None:
    grid = Instrument(symbol=Symbol(symbol))

    assert (base_of(symbol), quote_of(symbol)) == ("BTC", "USDT") == (grid.base, grid.quote)


def test_no_symbol_is_taken_apart_anywhere_else(sources: list[Source]) -> None:
    found = {source.name for source in sources if any(map(_cuts_symbol, ast.walk(source.tree)))}

    assert found == APART.keys()


def _cuts_symbol(node: ast.AST) -> bool:
    """Whether it is ``symbol.partition("/")``, by any name that ends so."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    if node.func.attr not in {"partition", "split"} or not node.args:
        return False
    stroke = isinstance(node.args[0], ast.Constant) and node.args[0].value == "/"
    return stroke and ast.unparse(node.func.value).rpartition(".")[2] in {"symbol", "wanted"}
