"""A peer that was written by others fills and earns the same, where both have the same model.

That is: market orders of whole units, each filled whole at the next candle's open, no slippage, a
commission of the notional each way, and no second decision between a decision and its fill. Then
fills, prices, sizes and the equity after each fill agree. Elsewhere the models differ: there the
peer knows no volume, no fractions of a unit and no tick.

What it made of the generated market is kept beside this (`peer_fills.json`), so it is compared
with on every machine; where it is installed, it runs anew, on recorded markets too.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

import strategies
from decisions.risk_limits import RiskLimits
from exchanges.paper_settings import PaperSettings
from exchanges.replay import ReplaySource
from messages.ids import StrategyId, Symbol
from messages.values import Instrument, Side
from research.backtest.loop import Backtest
from research.backtest.plan import MarketPlan, Plan, StrategyPlan
from tests.research.beside_peer import fills_of, interpreter
from tests.strategies.market import DATA

KEPT = Path(__file__).with_name("peer_fills.json")
CASH, COMMISSION = 1_000_000, 0.001
MINUTE_MS, BEGIN_MS = 60_000, 1_704_067_200_000
HEADER = "open_time,open,high,low,close,volume"

Fills = list[tuple[Any, ...]]
"""Of each its candle, its size, its price, and the equity at that candle's close."""


@pytest.fixture
def peer() -> Path:
    python = interpreter()
    if python is None:
        pytest.skip("backtesting.py is not installed; `python -m benchmarks` makes it a home")
    return python


def asked(notional: int, tick: str, fast: int = 10, slow: int = 30) -> dict[str, Any]:
    """What both are to do."""
    return {
        "cash": CASH,
        "commission": COMMISSION,
        "fast": fast,
        "slow": slow,
        "notional": notional,
        "tick": float(tick),
    }


GENERATED = asked(5_000, "0.01", 5, 15)


def generated(path: Path) -> Path:
    """A market that jumps between candles, so that an open is no close before it."""
    chance, price, lines = Random(11), 40.0, [HEADER]
    for number in range(1_500):
        opened = round(price * (1 + chance.gauss(0, 0.002)), 2)
        price = round(opened * (1 + chance.gauss(0, 0.004)), 2)
        high, low = round(max(opened, price) + 0.05, 2), round(min(opened, price) - 0.05, 2)
        lines.append(f"{BEGIN_MS + number * MINUTE_MS},{opened},{high},{low},{price},1000")
    path.write_text("\n".join(lines) + "\n")
    return path


def ours(candles: Path, wanted: dict[str, Any], **changes: Any) -> Fills:
    """Run our loop over a file of candles."""
    symbol = Symbol("COIN/USDT")
    tick, step = Decimal(repr(wanted["tick"])), Decimal(1)
    grid = Instrument(symbol=symbol, price_tick=tick, quantity_step=step, min_quantity=step)
    params = {"fast": wanted["fast"], "slow": wanted["slow"]}
    notional = Decimal(wanted["notional"])
    plan = Plan(
        markets=(MarketPlan(symbol=symbol, blocks=ReplaySource(candles, symbol, "1m").blocks),),
        strategies=(
            StrategyPlan(
                id=StrategyId("sma"),
                symbol=symbol,
                build=partial(strategies.build, "sma_cross", params, symbol, notional, grid),
            ),
        ),
        venue=PaperSettings(
            balances={"USDT": Decimal(wanted["cash"])},
            taker_fee_bps=Decimal(repr(wanted["commission"])) * 10_000,
            slippage_bps=Decimal(0),
            participation=Decimal(1),
            instruments=(grid,),
        ),
        limits=RiskLimits(),
        **changes,
    )
    backtest = Backtest(plan)
    curve = Curve()
    backtest.meters["USDT"].walk.pass_by = curve.take  # type: ignore[method-assign]  # what it is shown is kept
    fills: Fills = []
    for order in backtest.run().orders:
        assert not order.state_reason, order.state_reason
        for fill in order.fills:
            at = curve.times_ns.index(fill.ts_event_ns)
            size = int(fill.quantity) * (1 if order.intent.side is Side.BUY else -1)
            fills.append((at, size, float(fill.price), wanted["cash"] + curve.profits[at]))
    return fills


class Curve:
    """The whole curve, of which a backtest keeps what it needs."""

    def __init__(self) -> None:
        self.times_ns: list[int] = []
        self.profits: list[float] = []

    def take(self, times_ns: Sequence[int], profits: Sequence[float]) -> None:
        """Keep what came next."""
        self.times_ns += times_ns
        self.profits += profits


def assert_agree(found: Fills, theirs: Fills, at_least: int) -> None:
    """Same candles and sizes; prices and equity but for the roundings of floats."""
    assert [one[:2] for one in found] == [one[:2] for one in theirs]
    for mine, other in zip(found, theirs, strict=True):
        assert mine[2:] == pytest.approx(other[2:], rel=1e-9, abs=0)
    assert len(theirs) >= at_least


def test_a_generated_market_is_filled_and_valued_as_the_peer_has_it(tmp_path: Path) -> None:
    theirs = [tuple(one) for one in json.loads(KEPT.read_text())["fills"]]
    candles = generated(tmp_path / "candles.csv")

    assert_agree(ours(candles, GENERATED), theirs, 100)
    assert_agree(ours(candles, GENERATED, fast_doors=False), theirs, 100)


def test_another_commission_would_be_seen(tmp_path: Path) -> None:
    """By a hundredth of it; else the comparison would prove nothing of money."""
    theirs = [tuple(one) for one in json.loads(KEPT.read_text())["fills"]]
    found = ours(generated(tmp_path / "candles.csv"), {**GENERATED, "commission": 0.00101})

    assert [one[:3] for one in found] == [one[:3] for one in theirs]
    with pytest.raises(AssertionError):
        assert_agree(found, theirs, 100)


@pytest.mark.slow
def test_the_peer_still_says_what_is_kept_of_it(peer: Path, tmp_path: Path) -> None:
    theirs = [tuple(one) for one in json.loads(KEPT.read_text())["fills"]]

    assert_agree(fills_of(peer, generated(tmp_path / "candles.csv"), GENERATED), theirs, 100)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "notional", "tick", "at_least"),
    [
        ("binance-2021/ADA_USDT", 1_000, "0.00001", 1_400),
        ("binance-2021/LTC_USDT", 3_000, "0.01", 1_400),
    ],
)
def test_a_recorded_month_with_its_crash_is_filled_and_valued_as_the_peer_has_it(
    peer: Path, tmp_path: Path, name: str, notional: int, tick: str, at_least: int
) -> None:
    source = DATA / f"{name}.parquet"
    if not source.exists():
        pytest.skip(f"recorded market data is not at hand ({source})")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    columns = parquet.read_table(source).to_pydict()
    names = ("ts", "open", "high", "low", "close", "volume")
    rows = zip(*(columns[one] for one in names), strict=True)
    candles = tmp_path / "candles.csv"
    candles.write_text("\n".join([HEADER, *(",".join(map(repr, row)) for row in rows)]) + "\n")
    wanted = asked(notional, tick)

    assert_agree(ours(candles, wanted), fills_of(peer, candles, wanted), at_least)
