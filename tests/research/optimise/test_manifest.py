"""What makes another study of a search: each thing that its results depend on, and no other."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

import strategies
from decisions.risk_limits import RiskLimits
from exchanges.paper_settings import PaperSettings
from messages.ids import StrategyId
from messages.values import Instrument
from research.backtest.plan import Plan, StrategyPlan
from research.optimise.manifest import manifest_of
from research.optimise.space import Axis
from research.optimise.windows import windows_of
from tests.research.optimise.markets import BTC

AXES = (Axis(strategy="s", name="fast", low=2, high=40, is_int=True),)
AIM = ("sharpe", 5, "median")
MINE = "from strategies import Strategy\n\nclass Mine(Strategy):\n    pass\n"
GRID = Instrument(symbol=BTC, quantity_step=Decimal("0.00001"))


def plan_of(
    uses: str = "sma_cross", notional: str = "500", grid: Instrument = GRID, **params: Any
) -> Plan:
    values = {"fast": 5, "slow": 20, **params}
    build = partial(strategies.build, uses, values, BTC, Decimal(notional), grid)
    return Plan(
        markets=(),
        strategies=(StrategyPlan(id=StrategyId("s"), symbol=BTC, build=build),),
        venue=PaperSettings(),
        limits=RiskLimits(),
    )


def manifest(plan: Plan, data: str = "d", axes: Any = AXES, aim: Any = AIM) -> dict[str, str]:
    return manifest_of(plan, data, axes, windows_of(0, 10**15, 2, 3.0), aim)


def differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


CHANGES: dict[str, Callable[[], dict[str, str]]] = {
    "data": lambda: manifest(plan_of(), data="e"),
    "strategies": lambda: manifest(plan_of(slow=21)),
    "order sizes": lambda: manifest(plan_of(notional="501")),
    "venue settings": lambda: manifest(
        msgspec.structs.replace(plan_of(), venue=PaperSettings(latency_ms=9))
    ),
    "limits": lambda: manifest(
        msgspec.structs.replace(plan_of(), limits=RiskLimits(max_open_orders=3))
    ),
    "ranges": lambda: manifest(plan_of(), axes=(msgspec.structs.replace(AXES[0], high=41),)),
    "windows": lambda: manifest_of(plan_of(), "d", AXES, windows_of(0, 10**15, 3, 3.0), AIM),
    "objective, least orders or pruning": lambda: manifest(plan_of(), aim=("return", 5, "median")),
}


@pytest.mark.parametrize("what", CHANGES)
def test_each_thing_is_a_part_of_its_own(what: str) -> None:
    assert differing(manifest(plan_of()), CHANGES[what]()) == [what]


def test_another_grid_is_another_size_of_orders() -> None:
    other = plan_of(grid=Instrument(symbol=BTC, quantity_step=Decimal("0.001")))

    assert differing(manifest(plan_of()), manifest(other)) == ["order sizes"]


def test_what_is_searched_is_not_what_is_configured() -> None:
    assert manifest(plan_of(fast=7)) == manifest(plan_of(fast=9))


def test_every_part_of_a_manifest_is_changed_here() -> None:
    assert list(CHANGES) == list(manifest(plan_of()))


def test_a_strategy_in_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    before = manifest(plan_of(f"{file}:Mine"))
    moved = tmp_path / "elsewhere.py"
    moved.write_text(MINE)

    assert manifest(plan_of(f"{moved}:Mine")) == before
    file.write_text(MINE.replace("pass", "warmup_events = 2"))
    assert differing(before, manifest(plan_of(f"{file}:Mine"))) == ["strategies"]
