"""Orders that bring stops, are ended and replaced: in the plain loop as in the whole system."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from actors.thread_runtime import ThreadRuntime
from messages.values import OrderState
from tests.research import worlds
from tests.research.parity import restless, write
from tests.research.worlds import by_actors, by_loop, plan_of
from tests.system.conftest import STRESS, config_of

STRATEGY = f"{Path(__file__).with_name('managed_stops.py')}:ManagedStops"


def acts(rng: random.Random) -> list[list[Any]]:
    """Place, what, which, quantity, limit, how far its stop and its target are."""
    whats = ["buy", "buy", "sell", "cancel", "replace", "replace"]
    return [
        [place, rng.choice(whats), rng.randint(0, 1), rng.choice(["0.5", "3"])]
        + [rng.choice(some) for some in (["", "90", "97", "103"], ["", "2", "5"], ["", "2", "5"])]
        for place in sorted(rng.choices(range(57), k=30))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [False, True])
def test_what_stops_leave_of_orders_that_are_replaced_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: bool
) -> None:
    if threads:
        monkeypatch.setattr(worlds, "StepRuntime", ThreadRuntime)
    rng, seen = random.Random(11 + threads), Counter[str]()
    for number in range(100 if STRESS else 5):
        symbol = "BTC/USDT"
        params = {"acts": acts(rng)}
        config = config_of(
            tmp_path / f"run-{number}",
            {symbol: write(tmp_path / f"{number}.csv", restless(rng))},
            strategy=[{"id": "s", "uses": STRATEGY, "symbol": symbol, "params": params}],
            risk={"price_collar_bps": "5000", "allow_short": bool(number % 2)},
            venue={"balances": {"USDT": "5000", "BTC": "9"}},
        )
        loop, outcome = by_loop(plan_of(config))
        assert by_actors(config)[0] == loop
        for order in outcome.orders:
            seen["replaced"] += order.intent.replaces is not None
            seen["stopped"] += "stop" in order.intent.reason or "target" in order.intent.reason
            seen["canceled"] += order.state is OrderState.CANCELED
    assert min(seen["replaced"], seen["stopped"], seen["canceled"]) > 8, seen
