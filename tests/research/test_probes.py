"""The probes pass what may be believed and catch what may not."""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

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
    CountsOnceItWasStopped,
    LooksAcross,
    PeeksThroughItsDoor,
    RemembersLastTime,
    make,
)

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
CANDLES = list(DemoSource(BTC, limit=1_500).events())


def failed(build: Callable[[], Strategy]) -> dict[str, str]:
    """The probes that a strategy does not pass, with what they say."""
    plan = Plan(
        markets=(MarketPlan(symbol=BTC, blocks=lambda: event_blocks(CANDLES)),),
        strategies=(StrategyPlan(id=StrategyId("s"), symbol=BTC, build=build),),
        venue=PaperSettings(),
        limits=RiskLimits(),
    )
    return {finding.probe: finding.text for finding in verify(plan) if finding.passed is False}


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


def pair_of(build: Callable[[], Strategy], **changes: Any) -> Plan:
    markets = {one: list(DemoSource(one, limit=800).events()) for one in (BTC, ETH)}
    strategy = StrategyPlan(id=StrategyId("s"), symbol=BTC, build=build, symbols=(BTC, ETH))
    return Plan(
        markets=tuple(
            MarketPlan(symbol=symbol, blocks=partial(event_blocks, events))
            for symbol, events in markets.items()
        ),
        strategies=(strategy,),
        venue=PaperSettings(balances={"USDT": Decimal(10_000), "BTC": Decimal(1)}),
        limits=RiskLimits(),
        **changes,
    )


@pytest.mark.slow
def test_one_of_two_symbols_is_probed_on_both() -> None:
    params, grids = {"lookback": 20, "entry": 1.5}, (Instrument(symbol=BTC), Instrument(symbol=ETH))
    build = partial(strategies.build, "pairs", params, BTC, Decimal(500), grids[0], {ETH: grids[1]})

    found = {finding.probe: finding for finding in verify(pair_of(build))}

    assert [finding.passed for finding in found.values()] == [True, True, True]
    assert "a warm-up of 90 events as of 360" in found["recursion"].text
    decided = int(found["repeat"].text.split()[0])
    assert decided > 20


@pytest.mark.slow
def test_one_that_knows_the_other_symbol_s_candle_of_the_same_moment_is_caught() -> None:
    LooksAcross.seen.clear()

    def build() -> Strategy:
        made = make(LooksAcross)
        made.symbols = (BTC, ETH)
        return made

    failed = {one.probe for one in verify(pair_of(build)) if one.passed is False}

    assert "repeat" in failed


@pytest.mark.slow
def test_a_warm_up_that_is_too_short_is_caught() -> None:
    found = failed(partial(make, CountsFromTheStart))

    assert found.keys() == {"recursion"}
    assert re.match(
        r"begun at event \d+ after a warm-up of 0 events, it decides .+ of BTC/USDT at .+"
        r" where after one of 256 decides ",
        found["recursion"],
    )
    assert found["recursion"].endswith(
        "; it declares no warm-up: say in warmup_events how many events a fresh one must see"
    )


@pytest.mark.slow
def test_one_that_shows_only_after_a_stop_has_acted_is_caught() -> None:
    """A probe without stops would see one entry, and nothing after it."""
    found = failed(partial(make, CountsOnceItWasStopped))

    assert found.keys() == {"recursion"}
