"""The plain loop decides, fills and earns what the whole system does on the same market."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from messages.ids import NS_PER_MS
from tests.research.parity import (
    FIRST_MINUTE,
    MINUTE_MS,
    STEP_BY_STEP,
    assert_the_same,
    markets,
    venues,
    write,
    write_both,
)
from tests.system.conftest import DATA, STRESS, WEEK, config_of

EXAMPLES = 300 if STRESS else 8
EVENTS = 3_000 if STRESS else 300
SCRIPTED = Path(__file__).with_name("scripted.py")
FEATURED = Path(__file__).parents[1] / "system" / "featured_strategies.py"


@pytest.mark.slow
def test_a_recorded_week_is_the_same(tmp_path: Path) -> None:
    if not WEEK.exists():
        pytest.skip("recorded market data is not at hand")
    config = config_of(tmp_path / "run", {"BTC/USDT": WEEK}, idempotency={"backend": "sqlite"})

    assert assert_the_same(config) > 100


def test_what_is_paid_in_bitcoins_is_traded_in_parts_of_one(tmp_path: Path) -> None:
    """The least order of a symbol paid in dollars, 5 of them, would be a fortune."""
    rng, price, rows = random.Random(4), 0.05, []
    for place in range(120):
        close = price * (1 + rng.gauss(0, 0.002))
        prices = [f"{x:.6f}" for x in (price, max(price, close), min(price, close), close)]
        rows.append(((FIRST_MINUTE + place) * MINUTE_MS, *prices, "1000"))
        price = float(prices[-1])
    cross = {"uses": "sma_cross", "symbol": "ETH/BTC", "params": {"fast": 2, "slow": 5}}
    config = config_of(
        tmp_path / "run",
        {"ETH/BTC": write(tmp_path / "ethbtc.csv", rows)},
        strategy=[{"id": "s", **cross, "order_notional": "0.01"}],
        risk={"max_order_notional": "1"},
        feed=STEP_BY_STEP,
    )

    assert assert_the_same(config) > 10


WIDE: list[dict[str, Any]] = [
    {
        "id": "pair",
        "uses": "pairs",
        "symbols": ["BTC/USDT", "ETH/USDT"],
        "params": {"lookback": 60, "entry": 1.5},
    },
    {
        "id": "other-way",
        "uses": "pairs",
        "symbols": ["ETH/USDT", "BTC/USDT"],
        "params": {"lookback": 45, "entry": 1.5, "hedge": "one"},
    },
    {"id": "bars", "uses": f"{FEATURED}:Bars", "symbol": "ETH/USDT"},
    {"id": "timer", "uses": f"{FEATURED}:Timers", "symbol": "BTC/USDT"},
    {"id": "both", "uses": f"{FEATURED}:Pairs", "symbols": ["BTC/USDT", "ETH/USDT"]},
    {"id": "sma", "uses": "sma_cross", "symbol": "ETH/USDT", "params": {"fast": 5, "slow": 15}},
]


@pytest.mark.slow
@pytest.mark.parametrize("of_one_leg", ["1000000", "160"] if STRESS else ["160"])
def test_recorded_markets_of_two_symbols_are_the_same(tmp_path: Path, of_one_leg: str) -> None:
    """With a limit that refuses one leg of most pairs, and with none that does."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    paths = {}
    for symbol in ("BTC/USDT", "ETH/USDT"):
        name = symbol.replace("/", "_")
        source = DATA / "candles_1m" / "binance-2021" / f"{name}.parquet"
        if not source.exists():
            pytest.skip(f"recorded market data is not at hand ({source})")
        paths[symbol] = tmp_path / f"{name}.parquet"
        parquet.write_table(parquet.read_table(source).slice(40_750, EVENTS), paths[symbol])
    config = config_of(
        tmp_path / "run",
        paths,
        strategy=[{**one, "order_notional": "200"} for one in WIDE],
        risk={"max_order_notional": of_one_leg},
        venue={"balances": {"USDT": "10000", "BTC": "1", "ETH": "10"}},
        feed=STEP_BY_STEP,
    )

    assert assert_the_same(config) > 150


orders = st.tuples(
    st.integers(0, 24),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from(["gtc", "gtc", "ioc", "fok"]),
    st.sampled_from(["0.01", "0.5", "3", "9.00001", "40"]),
    st.sampled_from(["", "", "90", "100", "105.5"]),
)
scripts = st.lists(orders, max_size=8).map(lambda some: [list(one) for one in some])
wide_orders = st.tuples(
    st.integers(0, 60),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from(["gtc", "gtc", "ioc", "fok"]),
    st.sampled_from(["0.01", "0.5", "3", "9.00001"]),
    st.sampled_from(["", "", "90", "100", "105.5"]),
    st.integers(0, 3),
)
wide_params = st.fixed_dictionaries(
    {
        "orders": st.lists(wide_orders, max_size=8).map(lambda some: [list(one) for one in some]),
        "timeframes": st.sampled_from([[], ["3m"], ["2m", "10m"]]),
        "timer_s": st.sampled_from([0, 60, 90, 420]),
    }
)
limits = st.fixed_dictionaries(
    {"max_order_notional": st.sampled_from(["500", "1000000"])},
    optional={
        "max_position_notional": st.just("600"),
        "max_orders_per_minute": st.integers(1, 3),
        "cooldown_ms": st.just(90_000),
        "max_drawdown": st.sampled_from(["3", "50"]),
        "max_daily_loss": st.just("20"),
    },
)


STILL = [(1_700_000_100_000 + 60_000 * minute, 80, 80, 80, 80, "0") for minute in range(8)]
"""Eight candles without a movement."""


@pytest.mark.slow
@pytest.mark.timeout(900 if STRESS else 300)  # in the long form shrinking may take 300 s by itself
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=markets(),
    second=markets(),
    plans=st.lists(scripts, min_size=3, max_size=3),
    wide=st.lists(wide_params, min_size=2, max_size=2),
    risk=limits,
    venue=venues("1000"),
)
@example(
    first=STILL[:3],
    second=STILL,
    plans=[
        [],
        [],
        [[0, "buy", "gtc", "0.01", ""]] * 5
        + [[5, "sell", "gtc", "3", ""], [6, "buy", "gtc", "0.01", ""]],
    ],
    wide=[{"orders": [], "timeframes": [], "timer_s": 0}] * 2,
    risk={"max_order_notional": "500"},
    venue={
        "balances": {"USDT": "1000", "BTC": "5", "ETH": "2"},
        "latency_ms": 0,
        "slippage_bps": "0",
    },
).via("what fills is told together with what is decided behind it")
def test_generated_markets_are_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    first: Any,
    second: Any,
    plans: Any,
    wide: Any,
    risk: Any,
    venue: Any,
) -> None:
    """Two symbols, five strategies, orders of all kinds, too little money, every limit.

    One gives decisions alone, one wants to know of each step, one gives targets, keeps snapshots
    and wants to know of executions; one trades both symbols and one the second alone, each at
    candles, longer bars and timers, and wants to know of each step.
    """
    folder = tmp_path_factory.mktemp("market")
    paths = write_both(folder, first, second)
    classes = ("Scripted", "Listening", "Aiming")
    symbols = ("BTC/USDT", "BTC/USDT", "ETH/USDT")
    logs = [folder / name for name in classes]
    strategy = [
        {
            "id": f"s{place}",
            "uses": f"{SCRIPTED}:{name}",
            "symbol": symbol,
            "params": {"orders": orders, "log": str(folder / name)},
        }
        for place, (name, symbol, orders) in enumerate(zip(classes, symbols, plans, strict=True))
    ]
    for name, traded, params in zip(
        ("both", "one"), (list(paths), ["ETH/USDT"]), wide, strict=True
    ):
        logs.append(folder / name)
        params = {**params, "log": str(folder / name)}
        uses = f"{SCRIPTED}:Wide"
        strategy.append({"id": name, "uses": uses, "symbols": traded, "params": params})

    config = config_of(
        folder / "run", paths, strategy=strategy, risk=risk, venue=venue, feed=STEP_BY_STEP
    )

    assert_the_same(config, logs, (max(first[-1][0], second[-1][0]) + MINUTE_MS) * NS_PER_MS)
