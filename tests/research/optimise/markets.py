"""Small markets and plans to search on."""

import random
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import strategies
from decisions.risk_limits import RiskLimits
from exchanges.paper_settings import PaperSettings
from exchanges.replay import ReplaySource
from messages.ids import StrategyId, Symbol
from messages.values import Instrument
from research.backtest.plan import MarketPlan, Plan, StrategyPlan
from research.optimise.columns import ColumnFile
from research.optimise.trial import Work

BTC = Symbol("BTC/USDT")
HOUR_MS = 3_600_000
T0_MS = 1_704_067_200_000
"""2024-01-01 00:00 UTC."""

CONFIG = """
name = "searched"
[feed]
type = "replay"
path = "candles.csv"
symbols = ["BTC/USDT"]
timeframe = "1h"
[[strategy]]
id = "s"
uses = "{uses}"
order_notional = "500"
[strategy.params]
{params}
"""


def write_candles(path: Path, count: int, seed: int = 3, gaps: bool = True) -> Path:
    """Hourly candles of a market with trends in it; some are missing."""
    chance, price, drift = random.Random(seed), 30_000.0, 0.0
    with path.open("w") as file:
        file.write("ts,open,high,low,close,volume\n")
        for number in range(count):
            if chance.random() < 0.02:
                drift = chance.choice((-0.001, 0.0, 0.001))
            opened, price = price, round(price * (1 + drift + chance.gauss(0, 0.004)), 2)
            if gaps and chance.random() < 0.002:
                continue
            high, low = max(opened, price) + 1.5, min(opened, price) - 1.25
            row = (T0_MS + number * HOUR_MS, opened, high, low, price, 500)
            file.write(",".join(map(str, row)) + "\n")
    return path


def write_config(
    folder: Path, uses: str = "sma_cross", params: str = "fast = 5\nslow = 20"
) -> Path:
    """A configuration of one strategy on `candles.csv` beside it."""
    path = folder / "bot.toml"
    path.write_text(CONFIG.format(uses=uses, params=params))
    return path


def plan_of(path: Path, params: dict[str, Any], uses: str = "sma_cross") -> Plan:
    """The plan that a configuration makes."""
    source = ReplaySource(path, BTC, "1h")
    build = partial(strategies.build, uses, params, BTC, Decimal(500), Instrument(symbol=BTC))
    return Plan(
        markets=(MarketPlan(symbol=BTC, blocks=source.blocks),),
        strategies=(StrategyPlan(id=StrategyId("s"), symbol=BTC, build=build),),
        venue=PaperSettings(),
        limits=RiskLimits(max_order_notional=Decimal(1000), max_orders_per_minute=60),
    )


def work_of(plan: Plan) -> tuple[Work, ColumnFile]:
    """What workers get of a plan."""
    import msgspec

    columns = ColumnFile()
    for market in plan.markets:
        columns.add(market.symbol, market.blocks())
    bare = msgspec.structs.replace(plan, markets=())
    return Work(plan=bare, indices=tuple(columns.indices)), columns
