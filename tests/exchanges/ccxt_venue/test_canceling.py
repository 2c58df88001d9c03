"""A cancel says what the venue shows afterwards; a replacement waits for the proof of it."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange
from exchanges.protocol import NewOrder
from messages.errors import OutcomeUnknown
from messages.orders import OrderReport
from messages.values import OrderState
from tests.exchanges.live import Desk, submit

pytestmark = pytest.mark.slow


def cancel(desk: Desk, order: NewOrder) -> OrderReport:
    return desk.call(desk.venue.cancel(order.client_order_id, order.symbol))


def test_a_cancel_is_answered_with_what_the_venue_shows_afterwards(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    submit(opened, order)

    report = cancel(opened, order)

    assert (report.state, report.reason) == (OrderState.CANCELED, "")
    assert report.client_order_id == order.client_order_id


@pytest.mark.parametrize(
    "fault", [Fault.RESET_AFTER, Fault.CLOSE_AFTER, Fault.HANG_AFTER, Fault.HTML_BODY]
)
def test_a_cancel_whose_answer_is_lost_is_proved_by_asking(
    fault: Fault, run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    submit(opened, order)
    run.exchange.arm(Plan(fault=fault, operation="cancel"))

    with opened.facing(fault):
        assert cancel(opened, order).state is OrderState.CANCELED


@pytest.mark.parametrize("fault", [Fault.RESET_BEFORE, Fault.HANG_BEFORE])
def test_a_cancel_that_may_still_arrive_is_unknown(
    fault: Fault, run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    submit(opened, order)
    run.exchange.arm(Plan(fault=fault, operation="cancel", times=2))

    with opened.facing(fault), pytest.raises(OutcomeUnknown, match="still open") as raised:
        cancel(opened, order)

    assert raised.value.ask_again_ns is not None


def test_a_cancel_that_lost_the_race_to_a_fill_says_filled(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    submit(opened, order)
    run.exchange.arm(Plan(fault=Fault.CANCEL_FILL_RACE, operation="cancel"))

    report = cancel(opened, order)

    assert (report.state, report.filled_quantity) == (OrderState.FILLED, Decimal("0.001"))
    assert len(report.fills) == 1


def test_a_cancel_after_a_part_has_filled_keeps_the_part(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting(quantity="0.002")
    submit(opened, order)
    run.exchange.arm(Plan(fault=Fault.CANCEL_PARTIAL_RACE, operation="cancel"))

    report = cancel(opened, order)

    assert (report.state, report.filled_quantity) == (OrderState.CANCELED, Decimal("0.001"))
    assert sum(fill.quantity for fill in report.fills) == Decimal("0.001")


def test_a_cancel_of_what_nobody_knows_is_unknown(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    with pytest.raises(OutcomeUnknown, match="shows no order to cancel"):
        cancel(opened, resting())


def test_a_cancel_that_the_venue_refused_leaves_the_order_open_and_says_why(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    submit(opened, order)
    run.exchange.arm(Plan(fault=Fault.CLOCK_REFUSED, operation="cancel"))

    report = cancel(opened, order)

    assert report.state is OrderState.ACCEPTED
    assert "the cancel did not take place: clock: InvalidNonce" in report.reason
