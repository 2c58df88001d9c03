"""What the sized strategies may spend: the order_notional is the most, whatever the capital."""

from decimal import Decimal
from typing import Any

import pytest

from messages.values import Side
from strategies import build
from tests.strategies.market import BTC, NOTIONAL, generated, make

RICH: dict[str, dict[str, Any]] = {
    "donchian_breakout": {"capital": "1000000", "risk": 1.0},
    "time_series_momentum": {"lookback": 60, "capital": "1000000", "target": 10.0},
}


@pytest.mark.parametrize("name", sorted(RICH))
def test_no_position_is_bought_for_more_than_the_order_notional(name: str) -> None:
    strategy, position, spent = make(name, RICH[name]), Decimal(0), Decimal(0)

    for bar in generated(1_500, seed=4):
        for decision in strategy.on_candle(bar, position):
            position += decision.side.sign * decision.quantity
            if decision.side is Side.BUY:
                spent = max(spent, position * bar.close)

    assert NOTIONAL * Decimal("0.99") < spent <= NOTIONAL


@pytest.mark.parametrize("name", sorted(RICH))
def test_without_a_capital_the_order_notional_is_it(name: str) -> None:
    def bought(params: dict[str, Any]) -> list[Decimal]:
        strategy = build(name, params, BTC.symbol, NOTIONAL, BTC)
        decisions = (strategy.on_candle(bar, Decimal(0)) for bar in generated(800, seed=4))
        return [one.quantity for made in decisions for one in made]

    own = {key: value for key, value in RICH[name].items() if key == "lookback"}
    given = bought({**own, "capital": str(NOTIONAL)})
    assert bought(own) == given
    assert given


@pytest.mark.parametrize("name", sorted(RICH))
def test_a_notional_too_small_for_the_venue_decides_nothing(name: str) -> None:
    strategy = build(name, RICH[name], BTC.symbol, Decimal("4.99"), BTC)

    for bar in generated(800, seed=4):
        assert not strategy.on_candle(bar, Decimal(0))


def test_a_difference_too_small_for_the_venue_waits() -> None:
    params = {"lookback": 60, "band": 0.0, "target": 0.2}
    strategy = build("time_series_momentum", params, BTC.symbol, Decimal(40), BTC)
    position, parts = Decimal(0), 0

    for bar in generated(1_500, seed=4):
        for decision in strategy.on_candle(bar, position):
            left = position + decision.side.sign * decision.quantity
            if left and position:
                parts += 1
                assert decision.quantity * bar.close >= BTC.min_notional
            position = left

    assert parts, "some were large enough"
