"""Stops in the plain loop do what they do in the whole system: same keys, fills, money."""

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.stop_desk import StopDesk
from actors.thread_runtime import ThreadRuntime
from messages.values import OrderState, Side
from persistence.ledger import read_orders
from tests.research import worlds
from tests.research.parity import Drawn, assert_the_same, drawn, restless, write
from tests.research.stopped import stopped_strategy
from tests.research.worlds import by_actors, by_loop, plan_of
from tests.system.conftest import STRESS, WEEK, config_of

EXAMPLES = 300 if STRESS else 12

orders = st.tuples(
    st.integers(0, 20),
    st.sampled_from(["buy", "buy", "buy", "sell", "flat"]),
    st.sampled_from(["0.01", "0.5", "3", "9.00001"]),
    st.sampled_from(["", "", "", "95"]),
    st.sampled_from([0, 1, 4, 12]),
    st.sampled_from([0, 1, 5, 15]),
    st.sampled_from([0, 0, 2, 7]),
)
scripts = st.lists(orders, max_size=6).map(lambda some: [list(one) for one in some])


@pytest.mark.slow
@pytest.mark.timeout(900 if STRESS else 300)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=drawn(scripts, max_position_notional="600", max_drawdown="50"))
def test_generated_markets_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, world: Drawn
) -> None:
    """Two symbols, three strategies with stops of all kinds, partial fills, too little money."""
    folder = tmp_path_factory.mktemp("market")

    assert_the_same(world.config(folder, stopped_strategy))


@pytest.mark.slow
def test_a_recorded_week_is_the_same(tmp_path: Path) -> None:
    """Every two hours a buy with one stop or another, of some a sale before it acts."""
    if not WEEK.exists():
        pytest.skip("recorded market data is not at hand")
    kinds = [(150, 300, 0), (0, 0, 120), (100, 0, 200), (0, 90, 0)]
    some: list[list[Any]] = [
        [place, "buy", "0.01", "", *kinds[number % len(kinds)]]
        for number, place in enumerate(range(60, 10_000, 120))
    ]
    some += [[place + 45, "flat", "0", "", 0, 0, 0] for place, *_ in some[::5]]
    config = config_of(
        tmp_path / "run",
        {"BTC/USDT": WEEK},
        strategy=[stopped_strategy("s", "BTC/USDT", sorted(some))],
        idempotency={"backend": "sqlite"},
    )

    assert assert_the_same(config) > 100
    _, outcome = by_loop(plan_of(config))
    acted = [order for order in outcome.orders if "[protects " in order.intent.reason]
    assert len(acted) > 30
    assert {order.intent.reason.split(" ")[0] for order in acted} == {
        "stop_loss",
        "take_profit",
        "trailing",
    }


@pytest.mark.parametrize("at", [5, 7])
def test_an_executor_that_dies_on_the_way_knows_how_far_a_trailing_stop_had_come(
    tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The market goes on where it was: what was shown before is not shown again."""
    closes = [100, 100, 110, 120, 119, 118, 117, 113, 113]
    rows = [(28_333_334 + n, c, c, c, c, "400") for n, c in enumerate(closes)]
    path = write(tmp_path / "a.csv", [(n * 60_000, *rest) for n, *rest in rows])
    strategy = [stopped_strategy("s", "BTC/USDT", [[0, "buy", "1", "", 0, 0, 7]])]
    config = config_of(tmp_path / "run", {"BTC/USDT": path}, strategy=strategy)
    shown, look = [0], StopDesk.look

    def dying(desk: StopDesk, events: Any) -> bool:
        shown[0] += 1
        if shown[0] == at:
            raise RuntimeError("on the way")
        return look(desk, events)

    monkeypatch.setattr(StopDesk, "look", dying)
    actors, _ = by_actors(config)

    assert actors == by_loop(plan_of(config))[0]
    assert shown[0] == len(closes) + 1
    assert actors[-1][-1][0][2] == Decimal("112.98")


EXAMPLE = Path(__file__).parents[2] / "examples/stopped_bot.py"
LIMITS: list[dict[str, Any]] = [
    {"cooldown_ms": 600_000},
    {"max_orders_per_minute": 1},
    {"max_daily_loss": "5"},
]


@pytest.mark.slow
@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: next(iter(limit)))
def test_one_whose_entry_was_refused_enters_again_and_decides_the_same_if_shown_again(
    tmp_path: Path, limit: dict[str, Any]
) -> None:
    """It has no exit of its own: to go on counting the entry would silence it for good."""
    rng, price, rows = random.Random(11), 1_000.0, []
    for minute in range(24_900_000, 24_903_000):  # over two midnights
        close = price * (1 + rng.gauss(0, 0.002))
        rows.append((minute * 60_000, price, max(price, close), min(price, close), close, "400"))
        price = close
    bot = {
        "id": "bot",
        "uses": f"{EXAMPLE}:StoppedBot",
        "symbol": "BTC/USDT",
        "params": {"lookback": 5, "stop": 0.004, "target": 0.008},
        "order_notional": "100",
    }
    path = write(tmp_path / "market.csv", rows)
    config = config_of(
        tmp_path / "run",
        {"BTC/USDT": path},
        strategy=[bot],
        idempotency={"backend": "sqlite"},
        risk=limit,
    )

    assert_the_same(config)

    before = list(read_orders(tmp_path / "run/ledger.db"))
    first = min(one.decided_at_ns for one in before if one.state is OrderState.REFUSED)
    entries = [one.decided_at_ns for one in before if one.side is Side.BUY and one.filled_quantity]
    assert sum(at_ns > first for at_ns in entries) > 3
    by_actors(config)
    assert list(read_orders(tmp_path / "run/ledger.db")) == before, "nothing new is decided"


@pytest.mark.slow
def test_threads_do_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is faster: the feed sends batches twice there, and words cross each other."""
    monkeypatch.setattr(worlds, "StepRuntime", ThreadRuntime)
    rng, acted = random.Random(5), 0
    for number in range(100 if STRESS else 8):
        rows = restless(rng)
        orders = [
            [place, rng.choice(["buy", "buy", "sell", "flat"]), rng.choice(["0.5", "3"]), "",
             rng.choice([0, 2, 5]), rng.choice([0, 3, 6]), rng.choice([0, 0, 4])]
            for place in sorted(rng.sample(range(55), 8))
        ]  # fmt: skip
        config = config_of(
            tmp_path / f"run-{number}",
            {"BTC/USDT": write(tmp_path / f"{number}.csv", rows)},
            strategy=[stopped_strategy("s", "BTC/USDT", orders)],
            venue={"balances": {"USDT": "5000", "BTC": "9"}},
        )
        loop, outcome = by_loop(plan_of(config))
        assert by_actors(config)[0] == loop
        acted += sum("[protects " in order.intent.reason for order in outcome.orders)
    assert acted > 40
