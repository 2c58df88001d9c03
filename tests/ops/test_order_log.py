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


def test_a_replay_as_fast_as_possible_writes_no_step_that_is_as_it_should_be(
    lines: list[Any],
) -> None:
    quiet = order_log(0)
    for state in OrderState:
        if state not in (OrderState.REJECTED, OrderState.UNKNOWN):
            quiet.observe(update(state))
    quiet.observe(
        DuplicateFiltered(order_key=KEY, strategy_id=StrategyId("a"), state=OrderState.FILLED)
    )

    assert lines == []


@pytest.mark.parametrize("state", [OrderState.REJECTED, OrderState.UNKNOWN])
def test_it_writes_what_went_wrong(lines: list[Any], state: OrderState) -> None:
    order_log(0).observe(update(state, "0.01 BTC is more than 0 free"))

    (line,) = lines
    assert line["level"].name == "WARNING"
    assert line["message"] == f"buy 0.01 BTC/USDT is {state}: 0.01 BTC is more than 0 free"


def test_after_twenty_of_them_it_says_once_where_the_others_are(lines: list[Any]) -> None:
    quiet = order_log(0)
    for _ in range(25):
        quiet.observe(update(OrderState.REJECTED))

    assert [line["message"] for line in lines[:20]] == ["buy 0.01 BTC/USDT is rejected"] * 20
    (last,) = lines[20:]
    assert last["level"].name == "WARNING"
    assert last["message"] == (
        "further orders that are rejected or unknown are not logged: "
        f"watchkeeper orders --run-dir {quiet._run_dir} --state rejected,unknown shows them"
    )


def test_where_the_market_goes_by_the_clock_all_are_written(lines: list[Any]) -> None:
    slow = order_log(1)
    for _ in range(25):
        slow.observe(update(OrderState.REJECTED))

    assert len(lines) == 25
