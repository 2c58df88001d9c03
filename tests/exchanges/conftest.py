"""Makers of market events and orders, and the way to recorded data."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from exchanges.protocol import NewOrder
from messages.ids import NS_PER_S, ClientOrderId, Symbol, TimestampNs
from messages.market import Candle
from messages.values import OrderType, Side, TimeInForce

MINUTE_NS = 60 * NS_PER_S
BTC = Symbol("BTC/USDT")


def _candle(number: int, **changes: Any) -> Candle:
    values: dict[str, Any] = {
        "symbol": BTC,
        "open": "100",
        "high": "110",
        "low": "90",
        "close": "105",
        "volume": "1000",
        "ts_open_ns": TimestampNs(number * MINUTE_NS),
        "ts_event_ns": TimestampNs((number + 1) * MINUTE_NS),
    } | changes
    for name in ("open", "high", "low", "close", "volume"):
        values[name] = Decimal(values[name])
    return Candle(**values)


def _order(name: str, **changes: Any) -> NewOrder:
    values: dict[str, Any] = {
        "client_order_id": ClientOrderId(name),
        "symbol": BTC,
        "side": Side.BUY,
        "order_type": OrderType.MARKET if "limit_price" not in changes else OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "quantity": "1",
        "limit_price": None,
        "decided_at_ns": TimestampNs(0),
    } | changes
    values["quantity"] = Decimal(values["quantity"])
    if values["limit_price"] is not None:
        values["limit_price"] = Decimal(values["limit_price"])
    return NewOrder(**values)


@pytest.fixture(scope="session")
def candle() -> Callable[..., Candle]:
    """Make candle number n: minute n of 1970, 100 -> 105 within 90..110, volume 1000."""
    return _candle


@pytest.fixture(scope="session")
def order() -> Callable[..., NewOrder]:
    """Make an order by name: buy 1 BTC at the market, decided at 0; a limit_price makes it one."""
    return _order
