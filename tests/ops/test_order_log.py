"""An order's steps in the log."""

import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from loguru import logger

from messages.ids import ClientOrderId, OrderKey, StrategyId, Symbol, TimestampNs
from messages.orders import DuplicateFiltered, OrderUpdate
from messages.values import OrderState, Side
from ops.config import parse
from ops.order_log import OrderLog

KEY = OrderKey("7" * 32)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    found: list[Any] = []
    sink = logger.add(lambda message: found.append(message.record), level="DEBUG")
    yield found
    logger.remove(sink)


def order_log(speed: int) -> OrderLog:
    text = f'name = "x"\n[feed]\nspeed = {speed}\n[[strategy]]\nid = "a"\nuses = "sma_cross"\n'
    return OrderLog(parse(tomllib.loads(text), Path()))


def update(state: OrderState, reason: str = "") -> OrderUpdate:
    return OrderUpdate(
        order_key=KEY,
        client_order_id=ClientOrderId("wk-1"),
        strategy_id=StrategyId("a"),
        symbol=Symbol("BTC/USDT"),
        side=Side.BUY,
        state=state,
        quantity=Decimal("0.01"),
        filled_quantity=Decimal(0),
        average_price=None,
        fills=(),
        reason=reason,
        decided_at_ns=TimestampNs(1),
        ts_event_ns=TimestampNs(2),
    )


def test_amounts_are_rounded_for_people(lines: list[Any]) -> None:
    part = Decimal("0.003333333333333333333333333333")
    filled = msgspec.structs.replace(
        update(OrderState.FILLED), filled_quantity=part, average_price=Decimal(200) / 3
    )

    order_log(1).observe(filled)

    (line,) = lines
    assert line["message"] == "buy 0.01 BTC/USDT is filled, filled 0.0033333333 at 66.666667"


def test_a_step_is_bound_with_the_order_and_its_trace(lines: list[Any]) -> None:
    order_log(1).observe(update(OrderState.UNKNOWN, "timeout: no answer {in} time"))

    (line,) = lines
    assert line["message"] == "buy 0.01 BTC/USDT is unknown: timeout: no answer {in} time"
    assert line["level"].name == "WARNING"
    assert line["extra"]["trace_id"] == line["extra"]["order_key"] == KEY
    assert line["extra"]["client_order_id"] == "wk-1"
    assert line["extra"]["actor"] == "execution/executor"


def test_a_decision_made_again_has_a_line(lines: list[Any]) -> None:
    duplicate = DuplicateFiltered(
        order_key=KEY, strategy_id=StrategyId("a"), state=OrderState.FILLED
    )
    order_log(1).observe(duplicate)

    assert lines[0]["extra"]["order_key"] == KEY


def test_a_replay_as_fast_as_possible_writes_none(lines: list[Any]) -> None:
    order_log(0).observe(update(OrderState.FILLED))

    assert lines == []
