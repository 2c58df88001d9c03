"""What holds for any run of the plain loop: money is conserved, equity is that of the curve."""

import os
from decimal import Decimal
from functools import partial
from itertools import accumulate
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.equity_curve import curve
from decisions.risk_limits import RiskLimits
from exchanges.event_blocks import event_blocks
from exchanges.paper_settings import PaperSettings
from messages.errors import ConfigError
from messages.ids import DAY_NS, PAPER_ACCOUNT, StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketEvent
from messages.orders import Fill, OrderUpdate
from messages.values import Instrument, OrderState
from research.backtest.driver import Driver
from research.backtest.equity import EquityMeter
from research.backtest.loop import Backtest, Outcome
from research.backtest.plan import MarketPlan, Plan, StrategyPlan
from research.backtest.report import as_json, report_on
from strategies.protocol import Strategy
from tests.research.scripted import Scripted

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
MINUTE_NS = 60_000_000_000
START_NS = 1_700_000_040_000_000_000
BALANCES = {"USDT": Decimal(1000), "BTC": Decimal(2), "ETH": Decimal(2)}

Row = tuple[int, int, int, int, int, str]


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    found, minute = [], 0
    for _ in range(draw(st.integers(1, 15))):
        minute += draw(st.sampled_from([1, 1, 1, 700]))
        low, one, two, high = sorted(draw(st.tuples(*[st.integers(80, 120)] * 4)))
        found.append((minute, one, high, low, two, draw(st.sampled_from(["0", "3", "400"]))))
    return found


scripts = st.lists(
    st.tuples(
        st.integers(0, 14),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["gtc", "ioc"]),
        st.sampled_from(["0.01", "0.5", "1.33333", "7"]),
        st.sampled_from(["", "", "100.5"]),
    ),
    max_size=6,
)


def candles(symbol: Symbol, some: list[Row]) -> list[MarketEvent]:
    return [
        Candle(
            symbol=symbol,
            open=Decimal(opened),
            high=Decimal(high),
            low=Decimal(low),
            close=Decimal(close),
            volume=Decimal(volume),
            ts_open_ns=TimestampNs(START_NS + (minute - 1) * MINUTE_NS),
            ts_event_ns=TimestampNs(START_NS + minute * MINUTE_NS),
        )
        for minute, opened, high, low, close, volume in some
    ]


def strategy(symbol: Symbol, script: Any) -> StrategyPlan:
    def build() -> Strategy:
        return Scripted({"orders": script}, symbol, Decimal(1), Instrument(symbol=symbol))

    return StrategyPlan(id=StrategyId(f"s-{symbol}"), symbol=symbol, build=build)


def plan_of(markets: dict[Symbol, list[MarketEvent]], scripts: dict[Symbol, Any]) -> Plan:
    return Plan(
        markets=tuple(
            MarketPlan(symbol=symbol, blocks=partial(event_blocks, some, 4))
            for symbol, some in markets.items()
        ),
        strategies=tuple(strategy(symbol, script) for symbol, script in scripts.items()),
        venue=PaperSettings(balances=BALANCES, taker_fee_bps=Decimal("7.77")),
        limits=RiskLimits(),
    )


def assert_conserved(outcome: Outcome) -> None:
    """What the account has is what it had, and every execution, to the last digit."""
    moved = dict(BALANCES)
    for order in outcome.orders:
        base, quote = order.intent.symbol.split("/")
        for fill in order.fills:
            moved[base] += order.intent.side.sign * fill.quantity
            moved[quote] -= order.intent.side.sign * fill.quantity * fill.price + fill.fee
    assert outcome.balances == moved
    assert all(amount >= 0 for amount in moved.values())
    cash = sum((market.cash for market in outcome.markets), start=BALANCES["USDT"])
    assert cash == moved["USDT"]
    for market in outcome.markets:
        base = market.symbol.partition("/")[0]
        assert BALANCES[base] + market.quantity == moved[base]


@pytest.mark.slow
@settings(max_examples=1_000 if os.environ.get("WATCHKEEPER_STRESS") else 30)
@given(first=rows(), second=rows(), one=scripts, other=scripts)
def test_money_is_conserved_and_equity_is_the_curves(
    first: Any, second: Any, one: Any, other: Any
) -> None:
    markets = {BTC: candles(BTC, first), ETH: candles(ETH, second)}
    outcome = Backtest(plan_of(markets, {BTC: one, ETH: other})).run()

    assert_conserved(outcome)
    prices = sorted(
        (event.ts_event_ns, symbol, event.close)
        for symbol, events in markets.items()
        for event in events
        if isinstance(event, Candle)
    )
    executions = sorted(
        (
            (fill.ts_event_ns, order.intent.symbol, order.intent.side, fill)
            for order in outcome.orders
            for fill in order.fills
        ),
        key=lambda execution: execution[0],
    )
    exact = curve("USDT", prices, executions, capital=Decimal(1000))
    profit = sum((market.profit for market in outcome.markets), start=Decimal(0))
    assert abs(profit - exact.profit[-1]) < Decimal("1e-18")
    meter = outcome.meters["USDT"]
    last_of_day = {
        (at - 1) // DAY_NS: p for at, p in zip(exact.times_ns, exact.profit, strict=True)
    }
    assert meter.days.keys() == last_of_day.keys()
    for day, value in last_of_day.items():
        assert meter.days[day] == pytest.approx(float(value), abs=1e-9)


@st.composite
def curves(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Times with their profits; the times of two of them are now and then all the same."""
    gaps = draw(st.one_of(st.just([1] * 6), st.lists(st.integers(1, 3), max_size=12)))
    profits = draw(st.lists(st.integers(-50, 50), min_size=len(gaps), max_size=len(gaps)))
    return list(zip(accumulate(gaps), profits, strict=True))


@pytest.mark.slow
@given(markets=st.lists(curves(), min_size=2, max_size=4), size=st.integers(1, 5))
def test_markets_add_up_to_the_deepest_fall(
    markets: list[list[tuple[int, int]]], size: int
) -> None:
    meter = EquityMeter(range(len(markets)))
    for turn in range(13):
        for place, market in enumerate(markets):
            block = market[turn * size : (turn + 1) * size]
            profits = [float(profit) for _, profit in block]
            held = bytes(profit > 0 for profit in profits)
            meter.take(place, [at for at, _ in block], profits, held)
            if not block:
                meter.end(place)

    latest, total, peak, deepest, held_events = [0] * len(markets), 0, 0, 0, 0
    for at in sorted({at for market in markets for at, _ in market}):
        for place, market in enumerate(markets):
            latest[place] = dict(market).get(at, latest[place])
        total = sum(latest)
        held_events += any(profit > 0 for profit in latest)
        peak = max(peak, total)
        deepest = max(deepest, peak - total)
    assert meter.drawdown == deepest
    assert meter.walk.last == total
    assert meter.held_events == held_events
    assert meter.walk.events == len({at for market in markets for at, _ in market})


def test_a_strategy_that_raises_ends_the_run_with_its_own_line() -> None:
    class Broken(Strategy):
        def on_candle(self, candle: Candle, position: Decimal) -> list[Any]:
            raise ZeroDivisionError("no luck")

    plan = plan_of({BTC: candles(BTC, [(1, 90, 95, 85, 91, "3")])}, {})
    broken = StrategyPlan(id=StrategyId("b"), symbol=BTC, build=Broken)
    plan = Plan(markets=plan.markets, strategies=(broken,), venue=plan.venue, limits=plan.limits)

    with pytest.raises(
        ConfigError, match=r"strategy b failed on .*test_loop.py:\d+, in on_candle\): .* no luck"
    ):
        Backtest(plan).run()


class Counting(Scripted):
    """Wants to know of executions alone."""

    fills: ClassVar[list[tuple[Decimal, OrderState]]] = []

    def on_fill(self, fill: Fill, order: OrderUpdate) -> None:
        self.fills.append((fill.quantity, order.state))


def test_one_that_wants_to_know_of_executions_alone_is_told_of_each() -> None:
    Counting.fills.clear()
    markets = {BTC: candles(BTC, [(n, 90, 95, 85, 91, "5") for n in range(1, 5)])}
    params = {"orders": [[0, "buy", "gtc", "0.7", ""]]}
    counting = StrategyPlan(
        id=StrategyId("c"),
        symbol=BTC,
        build=lambda: Counting(params, BTC, Decimal(1), Instrument(symbol=BTC)),
    )

    Backtest(msgspec.structs.replace(plan_of(markets, {}), strategies=(counting,))).run()

    part, rest = Decimal("0.5"), Decimal("0.2")  # a tenth of what was traded at a time
    assert Counting.fills == [(part, OrderState.PARTIALLY_FILLED), (rest, OrderState.FILLED)]


class Lost(Strategy):
    """Its fast door leads nowhere."""

    def pass_closes(self, closes: Any, start: int) -> int:
        if start == 0:
            return -1
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("first", "sentence"),
    [(0, "went from 0 to -1, which is no place"), (1, r"failed in pass_closes \(.*ZeroDivision")],
)
def test_a_broken_door_ends_the_run_with_a_sentence(first: int, sentence: str) -> None:
    plan = StrategyPlan(id=StrategyId("lost"), symbol=BTC, build=Lost)
    driver = Driver(plan, PAPER_ACCOUNT, fast_doors=True)
    driver.at = first

    with pytest.raises(ConfigError, match=f"strategy lost.*{sentence}"):
        driver.pass_by([1.0, 2.0, 3.0])


def test_the_same_input_gives_the_same_bytes_and_another_another_hash() -> None:
    some = [(n, 90 + n % 7, 110, 80, 91 + n % 5, "400") for n in range(1, 40)]
    script = [[3, "buy", "gtc", "0.5", ""], [9, "sell", "gtc", "0.5", ""]]
    plan = plan_of({BTC: candles(BTC, some)}, {BTC: script})
    first, again = (as_json(report_on("x", plan, Backtest(plan).run())) for _ in range(2))

    script[1][0] = 10
    other = report_on("x", plan, Backtest(plan).run())

    assert first == again
    assert other.run_hash.encode() not in first
    assert other.fills == 2
