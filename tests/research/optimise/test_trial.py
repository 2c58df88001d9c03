"""A trial is a backtest: the same orders, and on a stretch nothing from beyond it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from messages.errors import ConfigError
from messages.ids import Symbol
from messages.patience import Patience
from research.backtest.loop import Backtest
from research.optimise.columns import ColumnFile, MappedMarket
from research.optimise.figures import Figures
from research.optimise.trial import (
    GivenUp,
    Refused,
    Task,
    Work,
    capital_of,
    make,
    refusal,
    with_params,
)
from tests.research.optimise.markets import plan_of, work_of, write_candles

MEMORY = """
from messages.values import Side
from strategies import Strategy
from strategies.protocol import market_order
from decimal import Decimal

class Noting(Strategy):
    warmup_events = {warmup}
    def __init__(self, params, symbol, order_notional, instrument):
        self.seen = 0
        self.path = params.get("path")
    def on_candle(self, candle, position):
        self.seen += 1
        if self.path:
            with open(self.path, "a") as file:
                file.write(f"{{candle.ts_event_ns}} {{position}}\\n")
        side = Side.SELL if position else Side.BUY
        return (market_order(side, Decimal("0.01"), f"candle {{self.seen}}"),)
"""


class World:
    """A market, a plan, and what workers get of it."""

    def __init__(self, folder: Path, params: dict[str, Any], uses: str, count: int = 1_200) -> None:
        self.plan = plan_of(write_candles(folder / "c.csv", count), params, uses)
        self.work, self.columns = work_of(self.plan)
        self.data = self.columns.mapped()
        self.market = MappedMarket(self.work.indices[0], self.data)
        self.begin_ns, self.end_ns = self.market.span_ns[0] - 1, self.market.span_ns[1]

    def task(
        self, begin: float = 0, end: float = 1, cuts: Sequence[float] = (), **params: Any
    ) -> Task:
        def at(part: float) -> int:
            return self.begin_ns + int((self.end_ns - self.begin_ns) * part)

        return Task(
            ticket=1,
            params={"s": params} if params else {},
            begin_ns=at(begin),
            end_ns=at(end),
            cuts_ns=tuple(map(at, cuts)),
        )

    def make(self, task: Task) -> Figures:
        return make(self.work, self.data, task, lambda part, figures: True)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, {"fast": 5, "slow": 20}, "sma_cross")
    yield made
    made.columns.close()


def test_the_whole_market_gives_what_a_backtest_gives(world: World) -> None:
    outcome = Backtest(world.plan).run()
    (market,) = outcome.markets
    (meter,) = outcome.meters.values()

    found = world.make(world.task())

    assert len(outcome.orders) > 20
    assert (found.net, found.fees, found.orders) == (
        market.profit,
        market.fees,
        len(outcome.orders),
    )
    assert found.drawdown == meter.drawdown
    assert found.days == {min(meter.days) - 1: 0.0} | meter.days


def test_parts_are_told_of_and_change_nothing(world: World) -> None:
    told: list[tuple[int, Figures]] = []

    def go_on(part: int, figures: Figures) -> bool:
        told.append((part, figures))
        return True

    found = make(world.work, world.data, world.task(cuts=(0.25, 0.5, 0.75)), go_on)

    assert found == world.make(world.task())
    assert [part for part, _ in told] == [1, 2, 3]
    for part, so_far in told:
        alone = world.make(world.task(end=part / 4))
        assert so_far.days == alone.days
        assert float(so_far.net) == pytest.approx(float(alone.net))
        assert so_far.drawdown == alone.drawdown


def test_a_trial_may_be_given_up_after_a_part(world: World) -> None:
    asked: list[int] = []

    def go_on(part: int, figures: Figures) -> bool:
        asked.append(part)
        return part < 2

    with pytest.raises(GivenUp):
        make(world.work, world.data, world.task(cuts=(0.25, 0.5, 0.75)), go_on)
    assert asked == [1, 2]


def test_values_that_a_strategy_refuses_are_refused_with_its_words(world: World) -> None:
    with pytest.raises(Refused, match="slow must be greater than fast"):
        world.make(world.task(fast=30))
    assert "slow must be greater" in refusal(world.plan, {"s": {"fast": 30}}, Patience())
    assert refusal(world.plan, {"s": {"fast": 3}}, Patience()) == ""


def test_values_with_which_a_strategy_is_never_made_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "made.py"
    file.write_text(
        "from strategies import Strategy\n"
        "class Made(Strategy):\n"
        "    def __init__(self, params, *_):\n"
        "        while params['n'] == 3:\n"
        "            pass\n"
        "    def on_candle(self, *_):\n"
        "        pass\n"
    )
    plan = plan_of(write_candles(tmp_path / "c.csv", 10), {"n": 1}, f"{file}:Made")
    patience = Patience(0.1)

    with patience.watching():
        assert refusal(plan, {"s": {"n": 2}}, patience) == ""
        said = refusal(plan, {"s": {"n": 3}}, patience)

    assert said.startswith("making it did not end within 0.1 s (")
    assert said.endswith(("made.py:4)", "made.py:5)"))


def test_only_what_is_asked_for_is_changed(world: World) -> None:
    (strategy,) = world.plan.strategies

    changed: Any = with_params(strategy, {"fast": 7}).build()
    same: Any = with_params(strategy, {}).build()

    assert (changed.params.fast, changed.params.slow) == (7, 20)
    assert (same.params.fast, same.params.slow) == (5, 20)


def test_a_stretch_is_warmed_up_with_what_came_before_it_and_decides_nothing_there(
    tmp_path: Path,
) -> None:
    file, log = tmp_path / "noting.py", tmp_path / "seen"
    file.write_text(MEMORY.format(warmup=25))
    world = World(tmp_path, {"path": str(log)}, f"{file}:Noting", 400)
    task = world.task(0.5, 0.75)

    found = world.make(task)

    rows = [line.split() for line in log.read_text().splitlines()]
    before = [position for ts, position in rows if int(ts) <= task.begin_ns]
    inside = [int(ts) for ts, _ in rows if int(ts) > task.begin_ns]
    assert before == ["0"] * 25
    assert rows[25][1] == "0"
    assert max(inside) <= task.end_ns
    assert found.orders == len(inside) - 1  # the last one's market is over
    world.columns.close()


@pytest.mark.parametrize("name", ["sma_cross", "ema_cross"])
def test_one_that_decides_on_closes_alone_decides_nothing_there_either(
    tmp_path: Path, name: str
) -> None:
    """A class below it with an `on_candle` of its own is asked by that, candle by candle."""
    file, upper = tmp_path / "slow.py", "SmaCross" if name == "sma_cross" else "EmaCross"
    file.write_text(
        f"from strategies.{name} import {upper}\n"
        f"class Slow({upper}):\n"
        "    def on_candle(self, candle, position):\n"
        "        return super().on_candle(candle, position)\n"
    )
    found = []
    for uses in (name, f"{file}:Slow"):
        folder = tmp_path / uses.rpartition(":")[2]
        folder.mkdir()
        world = World(folder, {"fast": 3, "slow": 25}, uses)
        found.append(world.make(world.task(0.5, 1)))
        world.columns.close()

    quick, slow = found
    assert quick == slow
    assert quick.orders > 10


def test_where_the_market_has_less_before_it_that_is_all_it_is_warmed_up_with(
    tmp_path: Path,
) -> None:
    file, log = tmp_path / "noting.py", tmp_path / "seen"
    file.write_text(MEMORY.format(warmup=10_000))
    world = World(tmp_path, {"path": str(log)}, f"{file}:Noting", 100)

    world.make(world.task(0.5, 1))

    assert len(log.read_text().splitlines()) == world.market.count
    world.columns.close()


def test_nothing_beyond_the_end_is_shown(world: World) -> None:
    whole = world.make(world.task(0.2, 0.6))
    (index,) = world.work.indices
    shorter = ColumnFile()
    stop = world.market.place_after(world.task(0.2, 0.6).end_ns)
    cut = shorter.add(index.symbol, world.market.blocks(0, stop))

    alone = make(
        Work(plan=world.work.plan, indices=(cut,)),
        shorter.mapped(),
        world.task(0.2, 0.6),
        lambda part, figures: True,
    )

    assert alone == whole
    shorter.close()


def test_a_strategy_that_raises_is_no_refusal(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text(MEMORY.format(warmup=0).replace("self.seen += 1", "1 / 0"))
    world = World(tmp_path, {}, f"{file}:Noting", 50)

    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        world.make(world.task())
    world.columns.close()


def test_several_currencies_have_no_sum(world: World) -> None:
    assert capital_of(world.plan)[0] == "USDT"
    (market,) = world.plan.markets
    other = msgspec.structs.replace(market, symbol=Symbol("ETH/BTC"))
    two = msgspec.structs.replace(world.plan, markets=(*world.plan.markets, other))
    with pytest.raises(ConfigError, match="BTC, USDT: search one currency"):
        capital_of(two)
