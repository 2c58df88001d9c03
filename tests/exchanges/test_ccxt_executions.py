"""What executions do for an order of unknown outcome, and what they never do: name it.

The exchange is a local one, and its own log says what was asked of it.
"""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_executions import OrderExecutions
from exchanges.local.faults import Fault, Plan
from exchanges.local.orders import OrderKind, Placement
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.protocol import NewOrder
from messages.errors import OutcomeUnknown
from messages.values import OrderState
from tests.exchanges.live import Desk, desk, find, submit
from tests.exchanges.test_request_shapes import BTC

pytestmark = pytest.mark.slow

SEARCH = {"time", "query", "open_orders", "all_orders"}


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(speed=0) as running:
        yield running


@pytest.fixture
def opened(run: RunningExchange) -> Iterator[Desk]:
    with desk(run.ccxt_config()) as opened:
        opened.call(opened.venue.open())
        yield opened


@pytest.fixture
def market(order: Callable[..., NewOrder]) -> NewOrder:
    return order("wk1", quantity="0.01")


def asked(run: RunningExchange, act: Callable[[], object]) -> set[str]:
    """Give which questions something asks."""
    before = max(request.number for request in run.exchange.requests())
    act()
    return {one.operation for one in run.exchange.requests() if one.number > before}


def somebody_trades_the_same(run: RunningExchange, order: NewOrder) -> None:
    run.exchange.place(
        Placement(
            symbol=order.symbol,
            client_order_id="web-1",
            side=order.side,
            kind=OrderKind.MARKET,
            quantity=order.quantity,
        )
    )


def test_an_execution_that_looks_like_ours_is_not_taken_for_it(
    run: RunningExchange, opened: Desk, market: NewOrder
) -> None:
    """It has the symbol, side, quantity and moment of an order that never arrived."""
    run.exchange.arm(Plan(fault=Fault.RESET_BEFORE, operation="place"))
    with pytest.raises(OutcomeUnknown):
        submit(opened, market)
    somebody_trades_the_same(run, market)

    def search() -> None:
        with pytest.raises(OutcomeUnknown, match="shows no such order yet"):
            find(opened, market)

    assert asked(run, search) == SEARCH, "executions are no place to look for an order"
    assert [trade.quantity for trade in run.exchange.trades()] == [Decimal("0.01")]


def test_an_order_that_is_found_gets_its_executions_by_the_exchanges_id(
    run: RunningExchange, opened: Desk, market: NewOrder
) -> None:
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="place"))
    with pytest.raises(OutcomeUnknown):
        submit(opened, market)
    somebody_trades_the_same(run, market)

    report = find(opened, market)

    assert report is not None
    assert report.state is OrderState.FILLED
    ours = [order.order_id for order in run.exchange.orders_with("wk1")]
    executed = [trade.trade_id for trade in run.exchange.trades() if trade.order_id in ours]
    assert [fill.trade_id for fill in report.fills] == [str(name) for name in executed]


def test_an_order_is_settled_without_its_executions_when_they_cannot_be_listed(
    run: RunningExchange, opened: Desk, market: NewOrder
) -> None:
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="place"))
    run.exchange.arm(Plan(fault=Fault.SERVER_BUSY, operation="my_trades", times=None))
    with pytest.raises(OutcomeUnknown):
        submit(opened, market)

    report = find(opened, market)

    assert report is not None
    assert (report.state, report.filled_quantity) == (OrderState.FILLED, Decimal("0.01"))
    assert report.fills == ()
    assert "its fills could not be seen" in report.reason


@pytest.mark.parametrize("filled", [None, 0.0, "0.0", "0"])
def test_of_an_order_that_has_filled_nothing_no_executions_are_asked_for(filled: object) -> None:
    nobody: Any = None

    asking = OrderExecutions(nobody, nobody, nobody).of({"id": "1", "filled": filled}, BTC)

    assert asyncio.run(asking) == ((), "")
