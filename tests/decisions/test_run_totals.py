from decimal import Decimal

from decisions.audit import run_totals
from messages.ids import StrategyId, Symbol
from messages.values import OrderState

PLACE = (StrategyId("sma"), Symbol("BTC/USDT"))


def test_a_position_of_nothing_is_left_out() -> None:
    nothing = run_totals({OrderState.REFUSED: 3}, {PLACE: Decimal("0.00")})

    assert nothing == run_totals({OrderState.REFUSED: 3}, {})
    assert run_totals({}, {PLACE: Decimal("1.50")})["positions"] == {"sma": {"BTC/USDT": "1.5"}}
