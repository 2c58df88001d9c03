"""A strategy counts its decisions; an exit is sent as what is there of it, and never short."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

from actors.step_runtime import StepRuntime
from messages.values import OrderState, Side
from persistence.ledger import read_orders
from tests.system.conftest import config_of, run_to_end

DOWN_AND_UP = [95, 85, 75, 65, 55, 65, 75, 85, 95, 105]


def test_what_risk_kept_from_being_bought_is_not_sold_short(tmp_path: Path) -> None:
    """Of four lots of a grid one is let through, and all four are to be sold on the way up."""
    rows = ["ts,open,high,low,close,volume"]
    for place, close in enumerate(DOWN_AND_UP):
        ts = 1_700_000_040_000 + place * 60_000
        rows.append(f"{ts},{close},{close},{close},{close},1000")
    market = tmp_path / "market.csv"
    market.write_text("\n".join(rows) + "\n")
    grid = {
        "id": "grid",
        "uses": "grid",
        "symbol": "BTC/USDT",
        "order_notional": "400",
        "params": {"lower": "60", "upper": "100", "cells": 4},
    }
    limits = {"max_position_notional": "100"}

    run_to_end(
        config_of(tmp_path / "run", {"BTC/USDT": market}, strategy=[grid], risk=limits),
        StepRuntime(ttl_enforced=False),
    )

    orders = list(read_orders(tmp_path / "run/ledger.db"))
    ends = Counter((order.side, order.state) for order in orders)
    assert ends[Side.BUY, OrderState.FILLED] == ends[Side.SELL, OrderState.FILLED] == 1
    assert ends[Side.BUY, OrderState.REFUSED] >= 2
    assert not any(order.state is OrderState.REJECTED for order in orders)
    refused = [order for order in orders if order.state is OrderState.REFUSED]
    codes = {(order.side, order.state_reason.partition(":")[0]) for order in refused}
    assert codes == {(Side.BUY, "max_position_notional"), (Side.SELL, "nothing_held")}
    held = Decimal(0)
    for order in orders:
        held += order.side.sign * order.filled_quantity
        assert held >= 0
