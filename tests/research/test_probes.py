"""The probes pass what may be believed and catch what may not."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pytest

import strategies
from decisions.risk_limits import RiskLimits
from exchanges.demo import DemoSource
from exchanges.event_blocks import event_blocks
from exchanges.paper_settings import PaperSettings
from messages.ids import StrategyId, Symbol
from messages.values import Instrument
from research.backtest.plan import MarketPlan, Plan, StrategyPlan
from research.backtest.verify import verify
from strategies.protocol import Strategy
from tests.research.peeking import (
    CountsFromTheStart,
    PeeksThroughItsDoor,
    RemembersLastTime,
    make,
)

BTC = Symbol("BTC/USDT")
CANDLES = list(DemoSource(BTC, limit=1_500).events())


def failed(build: Callable[[], Strategy]) -> dict[str, str]:
    """The probes that a strategy does not pass, with what they say."""
    plan = Plan(
        markets=(MarketPlan(symbol=BTC, blocks=lambda: event_blocks(CANDLES)),),
        strategies=(StrategyPlan(id=StrategyId("s"), symbol=BTC, build=build),),
        venue=PaperSettings(),
        limits=RiskLimits(),
    )
    return {finding.probe: finding.text for finding in verify(plan) if not finding.passed}


@pytest.mark.slow
@pytest.mark.parametrize("uses", ["sma_cross", "ema_cross"])
def test_what_is_in_the_library_passes(uses: str) -> None:
    build = partial(
        strategies.build, uses, {"fast": 5, "slow": 15}, BTC, Decimal(500), Instrument(symbol=BTC)
    )

    assert failed(build) == {}


@pytest.mark.slow
def test_a_look_ahead_is_caught() -> None:
    assert {"look-ahead", "repeat"} <= failed(partial(make, PeeksThroughItsDoor)).keys()


@pytest.mark.slow
def test_a_memory_of_an_earlier_run_is_caught() -> None:
    RemembersLastTime.seen.clear()

    assert "repeat" in failed(partial(make, RemembersLastTime))


@pytest.mark.slow
def test_a_warm_up_that_is_too_short_is_caught() -> None:
    found = failed(partial(make, CountsFromTheStart))

    assert found.keys() == {"recursion"}
    assert found["recursion"].startswith("other decisions begun at event ")
