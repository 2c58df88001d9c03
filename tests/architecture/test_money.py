"""No digit of money is lost: what a side does to an amount is asked of the side."""

import ast
from decimal import Decimal

from messages.values import Side
from tests.architecture.conftest import Source

APART = {"exchanges/local/book.py", "exchanges/local/market.py", "strategies/ema_cross.py"}
"""The exchange that is played compares and makes prices; an indicator is a float."""
LONG = Decimal("123456789012345.678901234567891")
"""As many digits as an amount may have and the default context, of 28, would round."""


def test_the_sign_of_a_side_takes_nothing_from_an_amount() -> None:
    assert Side.BUY.signed(LONG) == LONG
    assert Side.SELL.signed(LONG).as_tuple() == LONG.as_tuple()._replace(sign=1)


def test_no_amount_is_multiplied_by_a_sign(sources: list[Source]) -> None:
    found = {source.name for source in sources if any(map(_multiplies, ast.walk(source.tree)))}

    assert found == APART


def _multiplies(node: ast.AST) -> bool:
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
        return False
    return any(
        ast.unparse(side).lstrip("-").rpartition(".")[2] == "sign"
        for side in (node.left, node.right)
    )
