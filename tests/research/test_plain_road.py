"""The road on which no candle is made a message ends where the long one does, to the last digit."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from decisions.risk_limits import RiskLimits
from exchanges.event_blocks import Block, CandleBlock
from exchanges.paper_settings import PaperSettings
from messages.errors import ConfigError
from messages.ids import PAPER_ACCOUNT, DurationNs, StrategyId, Symbol
from messages.orders import OrderUpdate
from messages.values import Instrument
from research.backtest.desk import Desk
from research.backtest.driver import Driver
from research.backtest.loop import Backtest, Outcome
from research.backtest.plan import MarketPlan, Plan, StrategyPlan
from strategies.crossover import CrossParams
from strategies.protocol import Decision
from strategies.sma_cross import SmaCross

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
MINUTE_NS = DurationNs(60_000_000_000)
START_NS = 1_700_000_040_000_000_000
VOLUMES = (0.0, 0.3, 3.0, 60.0, 60.00004, 1e6)
"""An order takes a tenth of it at most, and is of 3 to 6."""


def blocks_of(symbol: Symbol, seed: int, sizes: Sequence[int]) -> Iterator[Block]:
    chance, price, begin_ns = Random(seed), 100.0, START_NS
    for size in sizes:
        rows = []
        for _ in range(size):
            opened = round(max(price + chance.choice((0.0, 0.0, 0.01, -0.003)), 50.0), 3)
            price = round(max(opened + chance.randint(-9, 9) / 10, 50.0), 2)
            high, low = max(opened, price), min(opened, price)
            rows.append((opened, high, low, price, chance.choice(VOLUMES)))
        columns = tuple(map(list, zip(*rows, strict=True)))
        times = range(begin_ns, begin_ns + size * MINUTE_NS, MINUTE_NS)
        begin_ns = times.stop
        yield CandleBlock(symbol, times, MINUTE_NS, columns, columns[3])


def strategy(name: str, uses: str, symbol: Symbol, notional: int, until_ns: int) -> StrategyPlan:
    def build() -> strategies.Strategy:
        params = {"fast": 1, "slow": 2 if uses == "ema_cross" else 3}
        return strategies.build(uses, params, symbol, Decimal(notional), Instrument(symbol=symbol))

    return StrategyPlan(id=StrategyId(name), symbol=symbol, build=build, decided_until_ns=until_ns)


def told(outcome: Outcome) -> str:
    orders = [
        (one.intent, one.state, one.filled_quantity, one.average_price, one.fills, one.state_reason)
        for one in outcome.orders
    ]
    money = sorted((name, amount) for name, amount in outcome.balances.items() if amount)
    walks = [vars(meter.walk) for meter in outcome.meters.values()]
    return "\n".join(map(repr, [*orders, money, walks, outcome.markets]))


LIMITS = [
    RiskLimits(),
    RiskLimits(max_order_notional=Decimal(450), max_orders_per_minute=1),
    RiskLimits(max_position_notional=Decimal("500.1")),
    RiskLimits(cooldown_ms=180_000),
    RiskLimits(max_drawdown={"USDT": Decimal(30)}),
]


@pytest.mark.slow
@given(
    seed=st.integers(0, 10**6),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    traded=st.lists(
        st.tuples(
            st.sampled_from(["sma_cross", "ema_cross"]),
            st.sampled_from([BTC, BTC, ETH]),
            st.sampled_from([300, 500]),
            st.sampled_from([-1, START_NS + 5 * MINUTE_NS]),
        ),
        min_size=1,
        max_size=3,
    ),
    limits=st.sampled_from(LIMITS),
    venue=st.builds(
        PaperSettings,
        balances=st.sampled_from([{"USDT": Decimal(10**6)}, {"USDT": Decimal(500)}]),
        latency_ms=st.sampled_from([0, 50, 150_000]),
        taker_fee_bps=st.sampled_from([Decimal(10), Decimal("-1.5")]),
        instruments=st.sampled_from([(), (Instrument(symbol=BTC, min_quantity=Decimal(4)),)]),
    ),
)
def test_the_two_roads_end_alike(
    seed: int, sizes: list[int], traded: list[Any], limits: RiskLimits, venue: PaperSettings
) -> None:
    plan = Plan(
        markets=tuple(
            MarketPlan(symbol=symbol, blocks=partial(blocks_of, symbol, seed + place, sizes))
            for place, symbol in enumerate((BTC, ETH))
        ),
        strategies=tuple(strategy(f"s{n}", *one) for n, one in enumerate(traded)),
        venue=venue,
        limits=limits,
    )

    outcome = Backtest(plan).run()

    long_road = msgspec.structs.replace(plan, fast_doors=False)
    assert told(outcome) == told(Backtest(long_road).run())


class Failing(SmaCross):
    """Fails at a close, or in its door at a place, and not before."""

    fails_at, in_door = 40, False

    def pass_closes(self, closes: Sequence[float], start: int) -> int:
        if self.in_door and start >= self.fails_at:
            raise ZeroDivisionError
        return min(super().pass_closes(closes, start), max(self.fails_at, start))

    def on_close(self, close: Decimal, position: Decimal) -> Sequence[Decision]:
        self.seen = getattr(self, "seen", 0) + 1
        if self.seen == 15 and not self.in_door:
            raise RuntimeError("enough")
        return super().on_close(close, position)


@pytest.mark.parametrize("in_door", [False, True])
def test_one_that_fails_ahead_fails_where_it_stands_when_all_before_is_done(
    monkeypatch: pytest.MonkeyPatch, in_door: bool
) -> None:
    monkeypatch.setattr(Failing, "in_door", in_door)
    params, grid = CrossParams(fast=1, slow=3), Instrument(symbol=BTC)
    failing = StrategyPlan(
        id=StrategyId("s"),
        symbol=BTC,
        build=lambda: Failing(params, BTC, Decimal(300), grid),
    )
    plan = msgspec.structs.replace(plain_plan(), strategies=(failing,))
    run = Backtest(plan)
    where = "in pass_closes" if in_door else "on the candle of BTC/USDT at"

    with pytest.raises(ConfigError, match=rf"strategy s failed {where}.*test_plain_road\.py:\d+"):
        run.run()

    done = [order.intent for order in run._desk.orders]
    assert len(done) > 5
    undisturbed = [order.intent for order in Backtest(plain_plan()).run().orders]
    assert done == undisturbed[: len(done)]


def test_one_that_listens_to_its_orders_decides_nothing_ahead() -> None:
    class Listens(SmaCross):
        def on_update(self, update: OrderUpdate) -> None:
            pass

    params, grid = CrossParams(fast=1, slow=3), Instrument(symbol=BTC)
    for cls, ahead in ((SmaCross, True), (Listens, False)):
        build = partial(cls, params, BTC, Decimal(300), grid)
        plan = StrategyPlan(id=StrategyId("x"), symbol=BTC, build=build)
        assert Driver(plan, PAPER_ACCOUNT, fast_doors=True).by_closes is ahead


def plain_plan() -> Plan:
    return Plan(
        markets=(MarketPlan(symbol=BTC, blocks=partial(blocks_of, BTC, 3, [500])),),
        strategies=(strategy("s", "sma_cross", BTC, 300, -1),),
        venue=PaperSettings(),
        limits=LIMITS[1],
    )


def test_a_plain_run_makes_no_message_of_a_candle(monkeypatch: pytest.MonkeyPatch) -> None:
    """But of the first of each block and of the last, which prices are taken from."""
    shown: list[Any] = []
    monkeypatch.setattr(Desk, "market", lambda self, event, **how: shown.append(event))
    monkeypatch.setattr(f"{__name__}.VOLUMES", (1e6,))

    outcome = Backtest(plain_plan()).run()

    assert len(outcome.orders) > 50
    assert shown == []
