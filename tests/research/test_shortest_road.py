"""An order alone on its market goes from the decision to its fill in one go; others do not."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest

from decisions.risk_limits import RiskLimits
from exchanges.paper_settings import PaperSettings
from research.backtest.desk import Desk
from research.backtest.loop import Backtest
from research.backtest.plan import MarketPlan, Plan
from tests.research.test_plain_road import BTC, blocks_of, strategy, told


def plan(seed: int, sizes: Sequence[int]) -> Plan:
    return Plan(
        markets=(MarketPlan(symbol=BTC, blocks=partial(blocks_of, BTC, seed, sizes)),),
        strategies=(strategy("s", "sma_cross", BTC, 300, -1),),
        venue=PaperSettings(),
        limits=RiskLimits(max_order_notional=Decimal(450)),
    )


@pytest.fixture
def went_the_long_road(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []
    decided = Desk.decided

    def noted(desk: Desk, intents: Sequence[Any]) -> None:
        seen.extend(intents)
        decided(desk, intents)

    monkeypatch.setattr(Desk, "decided", noted)
    return seen


def test_an_order_that_the_next_candle_fills_goes_the_shortest(
    went_the_long_road: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.research.test_plain_road.VOLUMES", (1e6,))

    outcome = Backtest(plan(3, [500])).run()

    assert len(outcome.orders) > 50
    *filled, last = outcome.orders
    assert {str(order.state) for order in filled} == {"filled"}
    assert went_the_long_road == [last.intent], "no candle comes after the last one"


def test_behind_an_order_that_waited_the_next_goes_the_shortest_again(
    went_the_long_road: list[Any],
) -> None:
    """Most candles give less than is asked for, some nothing."""
    one = plan(3, [500, 1, 700])

    outcome = Backtest(one).run()

    assert any(order.executions > 1 for order in outcome.orders)
    assert 0 < len(went_the_long_road) < len(outcome.orders) / 2
    long_road = msgspec.structs.replace(one, fast_doors=False)
    assert told(outcome) == told(Backtest(long_road).run())


def test_what_is_refused_is_judged_as_any_other_and_the_next_goes_on(
    went_the_long_road: list[Any],
) -> None:
    per_minute = RiskLimits(max_orders_per_minute=1, max_position_notional=Decimal(400))
    one = msgspec.structs.replace(plan(5, [400]), limits=per_minute)

    outcome = Backtest(one).run()

    refused = sum(order.state == "refused" for order in outcome.orders)
    assert refused
    assert refused <= len(went_the_long_road) < len(outcome.orders)


def test_executions_are_counted_without_being_made() -> None:
    orders = Backtest(plan(3, [500])).run().orders

    assert [order.executions for order in orders] == [len(order.fills) for order in orders]
    assert {order.executions for order in orders} >= {1, 2}
