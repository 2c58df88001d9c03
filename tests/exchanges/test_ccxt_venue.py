"""The venue at a whole exchange: what it finds, cancels and proves is what the engine did."""

import itertools
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.capabilities import CAPABILITIES
from exchanges.local.faults import Fault, Plan
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.protocol import SEND_WITHIN_MS, NewOrder
from messages.errors import NotSent, OutcomeUnknown, Rejected
from messages.ids import NS_PER_MS, NS_PER_S, ClientOrderId
from messages.orders import OrderReport
from messages.values import Liquidity, OrderState, Side
from tests.exchanges.live import BTC, Desk, desk, free

pytestmark = pytest.mark.slow

WINDOW_NS = 14_500 * NS_PER_MS
"""Receive window, engine and read lag."""

numbers = itertools.count()


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=0) as run:
        yield run


@pytest.fixture
def run(exchange: RunningExchange) -> Iterator[RunningExchange]:
    yield exchange
    exchange.exchange.disarm()
    exchange.exchange.skew_clock(0)
    for order in exchange.exchange.open_orders("BTC/USDT"):
        exchange.exchange.expire_order(order.client_order_id)


@pytest.fixture(scope="module")
def module_desk(exchange: RunningExchange) -> Iterator[Desk]:
    with desk(exchange.ccxt_config(), timeout_ms=700) as opened:
        opened.call(opened.venue.open())
        yield opened


@pytest.fixture
def opened(module_desk: Desk, run: RunningExchange) -> Iterator[Desk]:
    yield module_desk
    module_desk.venue._client.options["timeDifference"] = 0


def time_passes(run: RunningExchange, desk: Desk, by_ms: int) -> None:
    """Move the venue's clock, and the one that ccxt signs by with it."""
    run.exchange.skew_clock(by_ms)
    desk.venue._client.options["timeDifference"] = -by_ms


@pytest.fixture
def resting(order: Callable[..., NewOrder]) -> Callable[..., NewOrder]:
    """A buy far below the market, with an id of its own."""
    return lambda **changes: order(
        f"wk{next(numbers):022d}", **({"quantity": "0.001", "limit_price": "50000"} | changes)
    )


@pytest.fixture
def taking(order: Callable[..., NewOrder]) -> Callable[..., NewOrder]:
    """A market buy, with an id of its own."""
    return lambda **changes: order(f"wk{next(numbers):022d}", **({"quantity": "0.001"} | changes))


def submit(desk: Desk, order: NewOrder) -> OrderReport:
    return desk.call(desk.venue.submit(order, free))


def find(desk: Desk, order: NewOrder, sent_at_ns: int | None = None) -> OrderReport | None:
    sent = time.time_ns() if sent_at_ns is None else sent_at_ns
    return desk.call(desk.venue.find(order.client_order_id, order.symbol, sent_at_ns=sent))


def found(desk: Desk, order: NewOrder) -> OrderReport:
    report = find(desk, order)
    assert report is not None
    return report


# ------------------------------------------------------------------ placing


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


def test_a_market_order_that_the_book_cannot_fill_expires(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    run.exchange.arm(Plan(fault=Fault.PARTIAL_FILL))
    report = submit(opened, taking(quantity="0.004"))

    assert (report.state, report.filled_quantity) == (OrderState.EXPIRED, Decimal("0.002"))


def test_too_little_money_is_rejected_with_its_word(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    with pytest.raises(Rejected) as raised:
        submit(opened, resting(quantity="100"))

    assert str(raised.value).startswith("insufficient_funds: ")
    assert (raised.value.http_status, raised.value.code) == (400, "-2010")


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

    with pytest.raises(OutcomeUnknown):
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

    with pytest.raises(OutcomeUnknown) as unknown:
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


# ------------------------------------------------------------------ finding


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
    """Asked at once the venue has no such order, a second later it has."""
    order = resting()
    run.exchange.arm(Plan(fault=Fault.DELAYED_DELIVERY, operation="place", delay_ms=900))
    with desk(run.ccxt_config(), timeout_ms=300) as hasty:
        hasty.call(hasty.venue.open())
        with pytest.raises(OutcomeUnknown):
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
    with desk(run.ccxt_config(), timeout_ms=200, recv_window_ms=400) as hasty:
        hasty.call(hasty.venue.open())
        with pytest.raises(OutcomeUnknown):
            submit(hasty, order)
        name = order.client_order_id

        assert until(lambda: run.exchange.requests(client_order_id=name)[0].engine != "not reached")
    assert run.exchange.orders_with(name) == []


def until(is_so: Callable[[], bool], limit_s: float = 60.0) -> bool:
    """Wait for what another thread brings about."""
    import threading

    deadline = time.monotonic() + limit_s
    while not is_so() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return is_so()


def test_a_stale_read_is_overruled_by_the_lists(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    submit(opened, order)
    run.exchange.arm(Plan(fault=Fault.STALE_READ, operation="query", delay_ms=60_000))

    assert found(opened, order).state is OrderState.ACCEPTED


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

    with pytest.raises(OutcomeUnknown):
        find(opened, resting(), time.time_ns() - 600 * NS_PER_S)


def test_several_orders_of_one_id_are_named_not_guessed(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    """The disaster itself, made by hand: a filled market order's id is free again."""
    order = taking()
    first, second = submit(opened, order), submit(opened, order)

    report = found(opened, order)

    assert "2 orders have this id" in report.reason
    assert str(first.venue_order_id) in report.reason
    assert str(second.venue_order_id) in report.reason


def test_an_older_order_of_the_id_is_given_and_said_to_be_older(
    run: RunningExchange, opened: Desk, taking: Callable[..., NewOrder]
) -> None:
    order = taking()
    submit(opened, order)

    report = find(opened, order, time.time_ns() + 120 * NS_PER_S)

    assert report is not None
    assert "more than a minute before" in report.reason


# ------------------------------------------------------------------ canceling


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

    assert cancel(opened, order).state is OrderState.CANCELED


@pytest.mark.parametrize("fault", [Fault.RESET_BEFORE, Fault.HANG_BEFORE])
def test_a_cancel_that_may_still_arrive_is_unknown(
    fault: Fault, run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    submit(opened, order)
    run.exchange.arm(Plan(fault=fault, operation="cancel", times=2))

    with pytest.raises(OutcomeUnknown, match="still open") as raised:
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


def test_a_replacement_leaves_only_when_the_first_is_proved_final(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    first, second = resting(), resting(limit_price="50001")
    submit(opened, first)

    canceled, placed = opened.call(
        opened.venue.cancel_replace(first.client_order_id, BTC, second, free)
    )

    assert canceled.state is OrderState.CANCELED
    assert placed is not None
    assert placed.state is OrderState.ACCEPTED
    assert [o.client_order_id for o in run.exchange.open_orders("BTC/USDT")] == [
        second.client_order_id
    ]


def test_a_replacement_of_a_filled_order_is_not_sent(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    first, second = resting(), resting()
    submit(opened, first)
    run.exchange.arm(Plan(fault=Fault.CANCEL_FILL_RACE, operation="cancel"))

    canceled, placed = opened.call(
        opened.venue.cancel_replace(first.client_order_id, BTC, second, free)
    )

    assert (canceled.state, placed) == (OrderState.FILLED, None)
    assert run.exchange.orders_with(second.client_order_id) == []


def test_a_replacement_is_not_sent_when_the_cancel_is_unknown(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    first, second = resting(), resting()
    submit(opened, first)
    run.exchange.arm(Plan(fault=Fault.HANG_BEFORE, operation="cancel"))

    with pytest.raises(OutcomeUnknown) as raised:
        opened.call(opened.venue.cancel_replace(first.client_order_id, BTC, second, free))

    assert raised.value.code == "cancel"
    assert run.exchange.orders_with(second.client_order_id) == []


# ------------------------------------------------------------------ the account


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

    told = opened.call(opened.venue.server_time_ns())

    assert abs(told - time.time_ns() - 60 * NS_PER_S) < 2 * NS_PER_S


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


def test_an_order_that_is_being_sent_is_never_proved_absent(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    run.exchange.arm(Plan(fault=Fault.HANG_BEFORE, operation="place"))
    sending = opened.loop.submit(opened.venue.submit(order, free))
    assert until(lambda: bool(run.exchange.requests(client_order_id=order.client_order_id)))

    with pytest.raises(OutcomeUnknown, match="being sent right now"):
        find(opened, order, time.time_ns() - 600 * NS_PER_S)
    with pytest.raises(OutcomeUnknown):
        sending.result(10)


def test_a_cancel_that_the_venue_refused_leaves_the_order_open_and_says_why(
    run: RunningExchange, opened: Desk, resting: Callable[..., NewOrder]
) -> None:
    order = resting()
    submit(opened, order)
    run.exchange.arm(Plan(fault=Fault.CLOCK_REFUSED, operation="cancel"))

    report = cancel(opened, order)

    assert report.state is OrderState.ACCEPTED
    assert "the cancel did not take place: clock: InvalidNonce" in report.reason


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
