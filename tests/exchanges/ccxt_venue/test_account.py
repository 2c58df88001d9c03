"""Orders, executions and balances are the account's; an empty answer is none."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from exchanges.capabilities import CAPABILITIES
from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange
from exchanges.protocol import NewOrder
from messages.errors import OutcomeUnknown
from messages.ids import NS_PER_MS, NS_PER_S, ClientOrderId
from messages.values import Side
from tests.exchanges.live import BTC, Desk, desk, submit

pytestmark = pytest.mark.slow


def test_open_orders_name_those_that_are_foreign(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder], order: Any
) -> None:
    ours = resting()
    submit(opened, ours)
    submit(opened, order("by-hand", quantity="0.001", limit_price="50000"))

    listed = opened.call(opened.venue.open_orders(BTC))

    assert {one.client_order_id: one.reason.partition(":")[0] for one in listed} == {
        ours.client_order_id: "",
        ClientOrderId("by-hand"): "foreign",
    }


def test_trades_come_in_order_with_side_and_fee(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    since_ns = time.time_ns() - NS_PER_S
    buy = submit(opened, taking())
    sell = submit(opened, taking(side=Side.SELL))

    trades = opened.call(opened.venue.trades(BTC, since_ns))

    ids = {buy.venue_order_id: Side.BUY, sell.venue_order_id: Side.SELL}
    mine = [one for one in trades if one.venue_order_id in ids]
    assert [one.side for one in mine] == sorted((one.side for one in mine), key="buysell".index)
    assert all(one.side is ids[one.venue_order_id] for one in mine)
    assert [one.fill.ts_event_ns for one in trades] == sorted(o.fill.ts_event_ns for o in trades)


def test_balances_are_the_accounts(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    submit(opened, resting(quantity="0.01"))

    told = opened.call(opened.venue.balances())

    truth = run.exchange.balances()
    assert {c: (b.free, b.locked) for c, b in told.items()} == {
        c: pair for c, pair in truth.items() if any(pair)
    }
    assert told["USDT"].locked == Decimal(500)


@pytest.mark.parametrize("fault", [Fault.HTML_BODY, Fault.EMPTY_OBJECT, Fault.EMPTY_BODY])
def test_an_empty_answer_is_not_an_empty_account(
    fault: Fault, run: RunningExchange, opened: Desk
) -> None:
    for operation in ("account", "open_orders", "my_trades"):
        run.exchange.arm(Plan(fault=fault, operation=operation))

    for question in (
        opened.venue.balances(),
        opened.venue.open_orders(BTC),
        opened.venue.trades(BTC, 0),
    ):
        with pytest.raises(OutcomeUnknown):
            opened.call(question)


def test_the_venues_clock_is_the_venues(run: RunningExchange, opened: Desk) -> None:
    run.exchange.skew_clock(60_000)

    asked_ns = time.time_ns()
    told = opened.call(opened.venue.server_time_ns())

    assert asked_ns - NS_PER_MS < told - 60 * NS_PER_S <= time.time_ns()


def test_all_trades_come_however_many_pages_they_are(
    run: RunningExchange, resting: Callable[..., NewOrder], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = msgspec.structs.replace(CAPABILITIES["binance"], page_length=3)
    monkeypatch.setitem(CAPABILITIES, "binance", short)
    since_ns = time.time_ns() - NS_PER_S
    order = resting(quantity="0.01")
    with desk(run.ccxt_config()) as opened:
        opened.call(opened.venue.open())
        placed = submit(opened, order)
        for number in range(10):
            run.exchange.skew_clock(number * 10)
            run.exchange.fill_order(order.client_order_id, Decimal("0.0005"))

        trades = opened.call(opened.venue.trades(BTC, since_ns))

    mine = [one for one in trades if one.venue_order_id == placed.venue_order_id]
    assert len(mine) == len({one.fill.trade_id for one in mine}) == 10


def test_a_closed_venue_cannot_be_asked_and_that_proves_nothing(
    run: RunningExchange, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    with desk(run.ccxt_config()) as shut:
        for question in (
            shut.venue.find(order.client_order_id, BTC, sent_at_ns=0),
            shut.venue.cancel(order.client_order_id, BTC),
            shut.venue.balances(),
            shut.venue.open_orders(BTC),
            shut.venue.trades(BTC, 0),
            shut.venue.server_time_ns(),
        ):
            with pytest.raises(OutcomeUnknown, match="not open"):
                shut.call(question)
