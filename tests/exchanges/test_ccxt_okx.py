"""The same venue at an exchange of another shape: errors inside HTTP 200, answers of ids only."""

import itertools
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.local.settings import Profile
from exchanges.protocol import NewOrder
from messages.errors import OutcomeUnknown, VenueRefused
from messages.ids import NS_PER_S
from messages.values import OrderState
from tests.exchanges.live import BTC, Desk, desk, find, submit

pytestmark = pytest.mark.slow

numbers = itertools.count()


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=0, profile=Profile.OKX) as run:
        yield run


@pytest.fixture
def run(exchange: RunningExchange) -> Iterator[RunningExchange]:
    yield exchange
    exchange.exchange.disarm()


@pytest.fixture
def opened(run: RunningExchange) -> Iterator[Desk]:
    password = run.exchange.settings.api_password
    with desk(run.ccxt_config(), exchange="okx", password=password) as opened:
        opened.call(opened.venue.open())
        yield opened


@pytest.fixture
def resting(order: Callable[..., NewOrder]) -> NewOrder:
    return order(f"wk{next(numbers):022d}", quantity="0.001", limit_price="50000")


def test_an_order_that_is_only_named_is_asked_for_at_once(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    report = submit(opened, resting)

    (placed,) = run.exchange.orders_with(resting.client_order_id)
    assert (report.state, report.venue_order_id) == (OrderState.ACCEPTED, str(placed.order_id))


def test_a_market_order_is_reported_filled(
    run: RunningExchange, opened: Desk, order: Callable[..., NewOrder]
) -> None:
    buy = order(f"wk{next(numbers):022d}", quantity="0.001")

    report = submit(opened, buy)

    assert (report.state, report.filled_quantity) == (OrderState.FILLED, Decimal("0.001"))
    found = find(opened, buy)
    assert found is not None
    assert sum(fill.quantity for fill in found.fills) == Decimal("0.001")


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.HANG_AFTER, Fault.HTML_BODY])
def test_a_lost_answer_is_unknown_then_found(
    fault: Fault, run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    run.exchange.arm(Plan(fault=fault, operation="place"))

    with opened.facing(fault), pytest.raises(OutcomeUnknown):
        submit(opened, resting)

    report = find(opened, resting)
    assert report is not None
    assert report.state is OrderState.ACCEPTED
    assert len(run.exchange.orders_with(resting.client_order_id)) == 1


def test_a_named_order_that_cannot_be_asked_for_is_unknown(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    run.exchange.arm(Plan(fault=Fault.SERVER_ERROR_BEFORE, operation="query"))

    with pytest.raises(OutcomeUnknown):
        submit(opened, resting)


def test_a_refusal_inside_a_200_is_unknown_until_absence_is_proved(
    run: RunningExchange, opened: Desk, order: Callable[..., NewOrder]
) -> None:
    dear = order(f"wk{next(numbers):022d}", quantity="1000", limit_price="50000")

    with pytest.raises(OutcomeUnknown):
        submit(opened, dear)

    with pytest.raises(OutcomeUnknown, match="no proof yet"):
        find(opened, dear, time.time_ns() - 300 * NS_PER_S)
    assert run.exchange.orders_with(dear.client_order_id) == []


def test_absence_takes_ten_minutes_where_nothing_bounds_a_late_request(
    opened: Desk, resting: NewOrder
) -> None:
    with pytest.raises(OutcomeUnknown):
        find(opened, resting, time.time_ns() - 590 * NS_PER_S)

    assert find(opened, resting, time.time_ns() - 610 * NS_PER_S) is None


def test_a_cancel_is_proved_by_asking(
    run: RunningExchange, opened: Desk, resting: NewOrder
) -> None:
    submit(opened, resting)
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, operation="cancel"))

    report = opened.call(opened.venue.cancel(resting.client_order_id, BTC))

    assert report.state is OrderState.CANCELED


def test_a_wrong_key_does_not_pass_the_gate(run: RunningExchange) -> None:
    with (
        desk(run.ccxt_config(), exchange="okx", password="wrong") as shut,
        pytest.raises(VenueRefused, match="okx refuses the key"),
    ):
        shut.call(shut.venue.open())
