"""What risk refuses, and what a venue does not fill, a strategy hears of; a second process again.

Of the second process that holds for what risk refused: it is decided at the same event again.
"""

from pathlib import Path
from typing import Any

import pytest

import strategies
from actors.step_runtime import StepRuntime
from messages.values import OrderState
from ops.config import Config, demo_config
from persistence.ledger import read_orders
from tests.system.conftest import orders_at_venue, run_to_end

REFUSED, REJECTED = {"max_order_notional": "150"}, {"max_order_notional": "1000"}


def config(run_dir: Path, risk: dict[str, str], coins: dict[str, str]) -> Config:
    """A pair on two generated markets; the feed waits for all after each event."""
    overrides: dict[str, object] = {
        "run_dir": str(run_dir),
        "feed.speed": 0,
        "feed.limit": 400,
        "feed.batch": 1,
        "feed.window": 1,
        "feed.symbols": ["ETH/USDT", "BTC/USDT"],
        "risk": {"max_position_notional": "100000", **risk},
        "venue.balances": {"USDT": "10000", **coins},
        "strategy": [
            {
                "id": "pair",
                "uses": "pairs",
                "symbols": ["ETH/USDT", "BTC/USDT"],
                "order_notional": "200",
                "params": {"lookback": 20, "entry": 1.5},
            }
        ],
        "idempotency.backend": "sqlite",
    }
    return demo_config(overrides, strategies.check_params)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("risk", "coins", "state"),
    [
        (REFUSED, {"ETH": "10", "BTC": "1"}, OrderState.REFUSED),
        (REJECTED, {}, OrderState.REJECTED),
    ],
    ids=["refused by risk", "rejected for want of coins"],
)
def test_a_pair_whose_leg_is_not_taken_is_left(
    tmp_path: Path, risk: dict[str, str], coins: dict[str, str], state: OrderState
) -> None:
    settings = config(tmp_path, risk, coins)

    first = run_to_end(settings, StepRuntime(ttl_enforced=False))

    orders = orders_at_venue(tmp_path)
    ended = [one for one in read_orders(tmp_path / "ledger.db") if one.state is state]
    assert ended
    assert first.fold.errors == 0
    held: dict[str, Any] = {}
    for one in read_orders(tmp_path / "ledger.db"):
        held[one.symbol] = held.get(one.symbol, 0) + one.side.sign * one.filled_quantity
    assert len({amount > 0 for amount in held.values() if amount}) != 1, "no leg is alone"

    if state is OrderState.REJECTED:
        return  # when a venue said no, in the market's time, is not told to a second process
    again = run_to_end(settings, StepRuntime(ttl_enforced=False))

    assert again.fold.allowed == 0
    assert again.fold.errors == 0
    assert orders_at_venue(tmp_path) == orders
