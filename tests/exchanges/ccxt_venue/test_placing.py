"""What is sent arrives exactly as it is; whose answer is lost is unknown, and there once."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from exchanges.capabilities import capability_of
from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange
from exchanges.protocol import NewOrder
from messages.errors import NotSent, OutcomeUnknown, Rejected
from messages.ids import NS_PER_S
from messages.values import Liquidity, OrderState, Side
from tests.exchanges.ccxt_venue.calls import WINDOW_NS, found, time_passes
from tests.exchanges.live import Desk, desk, find, submit

pytestmark = pytest.mark.slow


def test_a_resting_order_is_accepted_exactly_as_sent(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting(quantity="0.00123", limit_price="50000.01")

    report = submit(opened, order)

    (placed,) = run.exchange.orders_with(order.client_order_id)
    assert (placed.quantity, placed.price) == (Decimal("0.00123"), Decimal("50000.01"))
    assert (report.state, report.reason) == (OrderState.ACCEPTED, "")


def test_a_market_order_goes_by_quantity_and_reports_its_fills(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    order = taking(quantity="0.003")

    report = submit(opened, order)

    trades = [t for t in run.exchange.trades() if t.order_id == int(report.venue_order_id or 0)]
    assert report.state is OrderState.FILLED
    assert report.filled_quantity == Decimal("0.003")
    assert {f.trade_id for f in report.fills} == {str(t.trade_id) for t in trades}
    assert sum(f.quantity for f in report.fills) == Decimal("0.003")
    assert all(f.liquidity is Liquidity.TAKER and f.fee > 0 for f in report.fills)


def test_fills_in_the_answer_happened_when_the_venue_took_the_order(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    """The answer has one time for all of them, and none beside each."""
    report = submit(opened, taking(quantity="0.003"))

    trades = {str(t.trade_id): t for t in run.exchange.trades()}
    assert report.fills
    for fill in report.fills:
        assert abs(fill.ts_event_ns - trades[fill.trade_id].ts_ns) < NS_PER_S


def test_a_market_order_that_the_book_cannot_fill_expires(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    run.exchange.arm(Plan(fault=Fault.PARTIAL_FILL))
    report = submit(opened, taking(quantity="0.004"))

    assert (report.state, report.filled_quantity) == (OrderState.EXPIRED, Decimal("0.002"))


def test_too_little_money_is_rejected_with_its_word(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    sent = len(run.exchange.requests(operation="place"))
    with pytest.raises(Rejected) as raised:
        submit(opened, resting(quantity="100"))

    assert str(raised.value).startswith("insufficient_funds: ")
    assert (raised.value.http_status, raised.value.code) == (400, "-2010")

    with pytest.raises(Rejected, match=r"insufficient_funds: .* tried once a minute"):
        submit(opened, resting(quantity="100"))
    assert len(run.exchange.requests(operation="place")) == sent + 1, "which was not sent"
    assert submit(opened, resting()).state is OrderState.ACCEPTED, "a smaller one is"


LOST_AFTER = [
    Fault.HANG_AFTER, Fault.RESET_AFTER, Fault.CLOSE_AFTER, Fault.TRUNCATED_LENGTH,
    Fault.TRUNCATED_CHUNKED, Fault.HALF_JSON, Fault.EMPTY_BODY, Fault.EMPTY_OBJECT,
    Fault.HTML_BODY, Fault.SERVER_ERROR_AFTER, Fault.GATEWAY_TIMEOUT_AFTER,
    Fault.TIMEOUT_CODE_AFTER, Fault.UNEXPECTED_RESPONSE_AFTER, Fault.DISCONNECTED_AFTER,
    Fault.UNKNOWN_CODE_AFTER,
]  # fmt: skip
LOST_BEFORE = [
    Fault.HANG_BEFORE, Fault.RESET_BEFORE, Fault.CLOSE_BEFORE, Fault.SERVER_ERROR_BEFORE,
    Fault.GATEWAY_TIMEOUT_BEFORE, Fault.TIMEOUT_CODE_BEFORE, Fault.UNEXPECTED_RESPONSE_BEFORE,
    Fault.DISCONNECTED_BEFORE, Fault.SERVER_BUSY, Fault.FIREWALL, Fault.MAINTENANCE,
]  # fmt: skip


@pytest.mark.parametrize("fault", LOST_AFTER)
def test_an_order_whose_answer_is_lost_is_unknown_then_found_and_there_once(
    fault: Fault, run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    run.exchange.arm(Plan(fault=fault, operation="place"))

    with opened.facing(fault), pytest.raises(OutcomeUnknown):
        submit(opened, order)

    report = found(opened, order)
    (placed,) = run.exchange.orders_with(order.client_order_id)
    assert (report.state, report.venue_order_id) == (OrderState.ACCEPTED, str(placed.order_id))


@pytest.mark.parametrize("fault", LOST_BEFORE)
def test_an_order_that_never_arrived_is_unknown_until_absence_can_be_proved(
    fault: Fault, run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    run.exchange.arm(Plan(fault=fault, operation="place"))

    with opened.facing(fault), pytest.raises(OutcomeUnknown) as unknown:
        submit(opened, order)
    with pytest.raises(OutcomeUnknown) as early:
        find(opened, order)

    assert unknown.value.ask_again_ns is not None
    assert early.value.ask_again_ns is not None
    assert early.value.ask_again_ns - time.time_ns() < WINDOW_NS + NS_PER_S
    time_passes(run, opened, 15_000)
    assert find(opened, order, time.time_ns() - NS_PER_S) is None
    assert run.exchange.orders_with(order.client_order_id) == []


@pytest.mark.parametrize(
    "fault", [Fault.KEY_REVOKED, Fault.CLOCK_REFUSED, Fault.TOO_MANY_REQUESTS, Fault.IP_BANNED]
)
def test_a_refusal_at_the_door_is_rejected_and_true(
    fault: Fault, run: RunningExchange, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    with desk(run.ccxt_config()) as fresh:
        fresh.call(fresh.venue.open())
        run.exchange.arm(Plan(fault=fault, operation="place"))

        with pytest.raises(Rejected):
            submit(fresh, order)

    assert run.exchange.orders_with(order.client_order_id) == []


def test_a_closed_venue_sends_nothing(
    run: RunningExchange, resting: Callable[..., NewOrder]
) -> None:
    with desk(run.ccxt_config()) as shut:
        with pytest.raises(NotSent, match="not open"):
            submit(shut, resting())
        shut.call(shut.venue.open())
        shut.call(shut.venue.close())
        with pytest.raises(NotSent, match="not open"):
            submit(shut, resting())


def test_where_a_market_buy_says_what_it_costs_it_is_rejected_before_any_request(
    run: RunningExchange, taking: Callable[..., NewOrder], resting: Callable[..., NewOrder]
) -> None:
    row = msgspec.structs.replace(capability_of("binance"), buys_at_market=False)
    with desk(run.ccxt_config(), capability=row) as opened:
        opened.call(opened.venue.open())
        before = len(run.exchange.requests())
        with pytest.raises(Rejected, match=r"invalid_order: .* let the strategy buy by a limit"):
            submit(opened, taking())
        assert len(run.exchange.requests()) == before

        assert submit(opened, resting()).state is OrderState.ACCEPTED
        submit(opened, resting(side=Side.SELL, quantity="0.001", limit_price="70000"))


def test_where_our_id_goes_by_the_path_a_cancel_names_it_there(
    run: RunningExchange, resting: Callable[..., NewOrder]
) -> None:
    row = msgspec.structs.replace(capability_of("binance"), cancels_by_path=True)
    with desk(run.ccxt_config(), capability=row) as opened:
        opened.call(opened.venue.open())
        client, named = opened.venue._client, []

        async def cancel_order(place: str | None, *more: Any) -> None:
            named.append((place, more))

        client.cancel_order = cancel_order
        order = resting()
        submit(opened, order)
        with pytest.raises(OutcomeUnknown, match="cancel_unknown"):
            opened.call(opened.venue.cancel(order.client_order_id, order.symbol))

    assert named == [(order.client_order_id, ("BTC/USDT", {}))]
