"""An order is found as the engine has it; absence is proof only when it can be proved."""

import time
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange
from exchanges.protocol import SEND_WITHIN_MS, NewOrder
from messages.errors import OutcomeUnknown
from messages.ids import NS_PER_MS, NS_PER_S
from messages.values import Liquidity, OrderState
from tests.exchanges.ccxt_venue.calls import WINDOW_NS, found, time_passes, until
from tests.exchanges.live import LIMIT_S, Desk, desk, find, free, submit

pytestmark = pytest.mark.slow
LONG_AGO_MS = 600_000


def test_a_fill_is_found_with_trade_id_fee_and_liquidity(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting(quantity="0.002")
    submit(opened, order)
    run.exchange.fill_order(order.client_order_id, Decimal("0.0005"))

    report = found(opened, order)

    (fill,) = report.fills
    assert (report.state, report.filled_quantity) == (
        OrderState.PARTIALLY_FILLED,
        Decimal("0.0005"),
    )
    assert (fill.quantity, fill.liquidity) == (Decimal("0.0005"), Liquidity.MAKER)
    assert (fill.fee_currency, fill.fee) == ("BTC", Decimal("0.0000005"))
    assert report.average_price == Decimal(50_000)


def test_absence_is_no_proof_before_the_window_is_over_on_the_venues_clock(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    sent_at_ns = time.time_ns()
    order = resting()
    margin_ns = WINDOW_NS + SEND_WITHIN_MS * NS_PER_MS

    with pytest.raises(OutcomeUnknown) as early:
        find(opened, order, sent_at_ns)
    assert early.value.ask_again_ns is not None
    assert 0 <= early.value.ask_again_ns - (sent_at_ns + margin_ns) < NS_PER_S

    with pytest.raises(OutcomeUnknown):
        find(opened, order, sent_at_ns - margin_ns + 2 * NS_PER_S)
    assert find(opened, order, sent_at_ns - margin_ns - NS_PER_S) is None


def test_our_own_clock_proves_nothing(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    """It says that the window is long over; the venue's says that it is not."""
    time_passes(run, opened, -3_600_000)

    with pytest.raises(OutcomeUnknown):
        find(opened, resting(), time.time_ns() - 600 * NS_PER_S)


def test_a_request_that_arrives_late_is_found_after_it_was_not(
    run: RunningExchange, resting: Callable[..., NewOrder]
) -> None:
    """Asked at once the venue has no such order, a while later it has."""
    order = resting()
    run.exchange.arm(Plan(fault=Fault.DELAYED_DELIVERY, operation="place", delay_ms=4_000))
    with desk(run.ccxt_config(), recv_window_ms=20_000) as hasty:
        hasty.call(hasty.venue.open())
        with hasty.within(300), pytest.raises(OutcomeUnknown):
            submit(hasty, order)
        with pytest.raises(OutcomeUnknown):
            find(hasty, order)

        assert until(lambda: len(run.exchange.orders_with(order.client_order_id)) == 1)
        assert found(hasty, order).state is OrderState.ACCEPTED


def test_a_request_later_than_its_window_never_becomes_an_order(
    run: RunningExchange, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    run.exchange.arm(Plan(fault=Fault.DELAYED_DELIVERY, operation="place", delay_ms=900))
    with desk(run.ccxt_config(), recv_window_ms=400) as hasty:
        hasty.call(hasty.venue.open())
        with hasty.within(200), pytest.raises(OutcomeUnknown):
            submit(hasty, order)
        name = order.client_order_id

        def is_told() -> bool:
            known = run.exchange.requests(client_order_id=name)
            return any(request.engine != "not reached" for request in known)

        assert until(is_told)
    assert run.exchange.orders_with(name) == []


def test_a_stale_read_is_overruled_by_the_lists(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    submit(opened, order)
    run.exchange.arm(Plan(fault=Fault.STALE_READ, operation="query", delay_ms=60_000))

    assert found(opened, order).state is OrderState.ACCEPTED


def lags(run: RunningExchange, *operations: str, times: int | None = None) -> None:
    """Let these show what was there ten minutes ago."""
    for operation in operations:
        plan = Plan(fault=Fault.STALE_READ, operation=operation, delay_ms=LONG_AGO_MS, times=times)
        run.exchange.arm(plan)


def test_an_order_that_nothing_shows_but_its_executions_is_found(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    """The question by our id was answered out of a copy that lags, and so were the lists."""
    order = taking()
    submit(opened, order)
    lags(run, "query", times=1)
    lags(run, "open_orders", "all_orders")

    report = find(opened, order, time.time_ns() - LONG_AGO_MS * NS_PER_MS)

    assert report is not None
    assert (report.state, report.filled_quantity) == (OrderState.FILLED, order.quantity)
    assert report.reason == "only its executions have shown it"


def test_while_something_has_traded_for_an_order_that_is_not_shown_absence_is_no_proof(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    order = taking()
    submit(opened, order)
    lags(run, "query", "open_orders", "all_orders")

    with pytest.raises(OutcomeUnknown, match=r"has traded for an order .* not show yet"):
        find(opened, order, time.time_ns() - LONG_AGO_MS * NS_PER_MS)


def test_what_others_have_traded_since_proves_nothing(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    """An order of ours that is known is not asked for; one of a person's is, and is another."""
    submit(opened, taking())
    by_hand = taking()
    with desk(run.ccxt_config()) as person:
        person.call(person.venue.open())
        submit(person, by_hand)

    assert find(opened, taking(), time.time_ns() - LONG_AGO_MS * NS_PER_MS) is None


@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE, Fault.HTML_BODY, Fault.EMPTY_BODY])
def test_a_list_of_executions_that_fails_is_no_proof_either(
    fault: Fault, run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    run.exchange.arm(Plan(fault=fault, operation="my_trades", times=None))

    with opened.facing(fault), pytest.raises(OutcomeUnknown):
        find(opened, resting(), time.time_ns() - LONG_AGO_MS * NS_PER_MS)


@pytest.mark.parametrize("operation", ["query", "open_orders", "all_orders", "time"])
@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE, Fault.HTML_BODY, Fault.EMPTY_BODY])
def test_a_question_that_fails_is_never_proof_of_absence(
    operation: str,
    fault: Fault,
    run: RunningExchange,
    opened: Desk,
    resting: Callable[..., NewOrder],
) -> None:
    run.exchange.arm(Plan(fault=fault, operation=operation, times=None))

    with opened.facing(fault), pytest.raises(OutcomeUnknown):
        find(opened, resting(), time.time_ns() - 600 * NS_PER_S)


def test_several_orders_of_one_id_are_named_not_guessed(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    """The disaster itself, made by hand: a filled market order's id is free again."""
    order = taking()
    first, second = submit(opened, order), submit(opened, order)

    report = found(opened, order)

    assert "2 orders have this id" in report.reason
    assert len(report.namesakes) == 1
    assert report.venue_order_id not in report.namesakes
    assert str(first.venue_order_id) in report.reason
    assert str(second.venue_order_id) in report.reason


def test_of_several_the_one_that_is_followed_is_told_of(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    """Which one a question by our id shows is the venue's choice."""
    order = taking()
    both = [submit(opened, order), submit(opened, order)]

    for ours, twin in (both, both[::-1]):
        named = msgspec.structs.replace(order, venue_order_id=ours.venue_order_id)
        report = found(opened, named)

        assert report.venue_order_id == ours.venue_order_id
        assert report.namesakes == (twin.venue_order_id,)
        assert report.state is OrderState.FILLED


def test_an_older_order_of_the_id_is_given_and_said_to_be_older(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    order = taking()
    submit(opened, order)

    report = find(opened, order, time.time_ns() + 120 * NS_PER_S)

    assert report is not None
    assert "more than a minute before" in report.reason


def test_an_order_that_is_being_sent_is_never_proved_absent(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    run.exchange.arm(Plan(fault=Fault.HANG_BEFORE, operation="place"))
    with opened.within(1_500):
        sending = opened.loop.submit(opened.venue.submit(order, free))
        assert until(lambda: bool(run.exchange.requests(client_order_id=order.client_order_id)))

    with pytest.raises(OutcomeUnknown, match="being sent right now"):
        find(opened, order, time.time_ns() - 600 * NS_PER_S)
    with pytest.raises(OutcomeUnknown):
        sending.result(LIMIT_S)
