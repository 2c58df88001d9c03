"""What fees have taken, what was told already, and a market that is shown again."""

from decimal import Decimal

import msgspec

from decisions.account import Flows
from decisions.audit_stops import stop_problem
from decisions.risk import RiskLimits, RiskState, fit_exit
from decisions.stop_book import StopBook
from decisions.stop_exits import counted_at_first, told_changes
from decisions.stops import begun_anew
from messages.ids import NS_PER_S, AccountId, OrderKey, TimestampNs
from messages.market import Trade
from messages.orders import OrderIntent
from messages.stops import Stop, StopState
from messages.values import Instrument, OrderState, OrderType, Protection, Side, TimeInForce
from tests.decisions.test_stop_book_model import BTC, ONE, PLACE, ZERO, Row

WHOLE = Decimal(1)
LEFT = Decimal("0.999")
STEP = Instrument(
    symbol=BTC,
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    min_notional=Decimal(0),
)


def order(second: int, side: Side, quantity: Decimal, **more: object) -> OrderIntent:
    fields = {
        "order_key": OrderKey(f"{second:032x}"),
        "account": AccountId("main"),
        "strategy_id": ONE,
        "symbol": BTC,
        "side": side,
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.GTC,
        "quantity": quantity,
        "limit_price": None,
        "reference_price": Decimal(100),
        "decided_at_ns": TimestampNs(second * NS_PER_S),
        "ts_created_ns": TimestampNs(0),
        "reason": "",
    }
    return OrderIntent(**fields | more)  # type: ignore[arg-type]  # fields by name


AT_95 = Protection(stop_loss=Decimal(95))
ENTRY = order(1, Side.BUY, WHOLE, protection=AT_95)

FILLED = Row(
    order_key=ENTRY.order_key,
    side=Side.BUY,
    quantity=WHOLE,
    decided_at_ns=ENTRY.decided_at_ns,
    leaves=ZERO,
    state=OrderState.FILLED,
    filled_quantity=WHOLE,
)


def trade(second: int, price: str) -> Trade:
    at = TimestampNs(second * NS_PER_S)
    return Trade(
        symbol=BTC,
        price=Decimal(price),
        quantity=WHOLE,
        aggressor_side=None,
        ts_event_ns=at,
    )


def entered() -> StopBook:
    book = StopBook()
    book.claimed(ENTRY)
    book.moved_to(ENTRY.order_key, WHOLE, OrderState.FILLED, ())
    return book


def fitted(exit_order: OrderIntent) -> OrderIntent:
    """As the risk gate sends it where a fee of 0.001 was taken."""
    state = RiskState(
        exposure={BTC: WHOLE},
        held_by={PLACE: WHOLE},
        open_orders={},
        flows=Flows(base_fees={BTC: Decimal("0.001")}),
        instruments={BTC: STEP},
    )
    fits = fit_exit(exit_order, RiskLimits(allow_short=False), state)
    assert fits.quantity == LEFT
    return fits


def test_of_what_fees_have_taken_no_stop_is_left_when_the_strategy_leaves() -> None:
    book = entered()
    sent = fitted(order(2, Side.SELL, WHOLE, leaves=WHOLE))
    book.claimed(sent, WHOLE)
    book.moved_to(sent.order_key, LEFT, OrderState.FILLED, ())

    assert book.stops == {}
    assert [*book.look(trade(60, "90"), TimestampNs(0))] == []


def test_while_an_exit_that_fees_made_smaller_is_under_way_no_second_one_is_due() -> None:
    book = entered()
    (intent,) = book.look(trade(60, "90"), TimestampNs(0))
    book.claimed(fitted(intent), intent.quantity)

    assert [*book.look(trade(61, "89"), TimestampNs(0))] == []
    book.moved_to(intent.order_key, Decimal("0.5"), OrderState.PARTIALLY_FILLED, ())
    assert [*book.look(trade(62, "88"), TimestampNs(0))] == []


def test_nor_of_a_second_entry_after_a_restart() -> None:
    book = entered()
    sent = fitted(order(2, Side.SELL, WHOLE, leaves=WHOLE))
    book.claimed(sent, WHOLE)
    row = Row(
        order_key=sent.order_key,
        side=Side.SELL,
        quantity=LEFT,
        decided_at_ns=sent.decided_at_ns,
        leaves=WHOLE,
        decided_quantity=WHOLE,
        reason=sent.reason,
    )
    again = StopBook()  # the exit is open, and what fees took is taken from the exposure
    stops = book.taken_changes()
    rows = {row.order_key: row, ENTRY.order_key: FILLED}
    again.load(stops, {PLACE: ZERO}, [row], lambda keys: {k: rows[k] for k in keys}, lambda _: [])
    assert again.cover.protected(again.stops[ENTRY.order_key]) == WHOLE
    again.moved_to(sent.order_key, LEFT, OrderState.FILLED, ())

    assert again.stops == {}


def test_a_strategy_is_flat_after_an_exit_that_fees_made_smaller() -> None:
    book = entered()
    (intent,) = book.look(trade(60, "90"), TimestampNs(0))
    sent = fitted(intent)
    book.claimed(sent, WHOLE)

    assert book.told.take_position_change(sent, WHOLE) == -WHOLE
    book.moved_to(sent.order_key, LEFT, OrderState.FILLED, ())
    assert book.stops == {}


def test_what_an_exit_did_not_leave_is_told_once_in_however_small_parts() -> None:
    book = entered()
    changes = []
    for second, quantity in ((60, "1"), (600, "0.4"), (6000, "1")):
        (intent,) = book.look(trade(second, "90"), TimestampNs(0))
        sent = msgspec.structs.replace(intent, quantity=Decimal(quantity))
        book.claimed(sent)
        changes.append(book.told.take_position_change(sent))
        book.moved_to(sent.order_key, ZERO, OrderState.REJECTED, ())

    assert changes == [-1, 0, 0]


def test_what_a_stop_has_acted_on_is_not_what_its_strategy_leaves_next() -> None:
    """Its exit failed, and the strategy counts it as left: what it sells is its other entry's.

    Taken from the older stop, that one was done, and what it had not sold was held for ever.
    """
    book, later = entered(), order(2, Side.BUY, WHOLE, protection=Protection(stop_loss=Decimal(5)))
    book.claimed(later)
    book.moved_to(later.order_key, WHOLE, OrderState.FILLED, ())
    (intent,) = book.look(trade(60, "90"), TimestampNs(0))
    book.claimed(intent)
    book.moved_to(intent.order_key, ZERO, OrderState.REJECTED, ())

    sale = order(61, Side.SELL, WHOLE, leaves=WHOLE)
    book.claimed(sale)
    book.moved_to(sale.order_key, WHOLE, OrderState.FILLED, ())

    assert list(book.stops) == [ENTRY.order_key]
    (again,) = book.look(trade(600, "90"), TimestampNs(0))
    assert again.quantity == WHOLE


def cut(intent: OrderIntent, most: str) -> OrderIntent:
    """As the risk gate sends it where the venue takes no more in one order."""
    grid = msgspec.structs.replace(STEP, max_market_quantity=Decimal(most))
    state = RiskState(
        exposure={BTC: WHOLE}, held_by={PLACE: WHOLE}, open_orders={}, instruments={BTC: grid}
    )
    fits = fit_exit(intent, RiskLimits(allow_short=False), state)
    assert fits.quantity == Decimal(most)
    return fits


def test_a_further_part_of_an_exit_is_due_when_the_one_before_has_filled() -> None:
    book = entered()
    (intent,) = book.look(trade(60, "90"), TimestampNs(0))
    part = cut(intent, "0.7")
    book.claimed(part, WHOLE)
    assert book.told.take_position_change(part, WHOLE) == -WHOLE

    assert [*book.look(trade(61, "89"), TimestampNs(0))] == []
    book.moved_to(part.order_key, Decimal("0.7"), OrderState.FILLED, ())
    (rest,) = book.look(trade(62, "88"), TimestampNs(0))
    book.claimed(rest)

    assert rest.quantity == Decimal("0.3")
    assert book.told.take_position_change(rest) == 0


def test_of_a_part_that_an_earlier_process_sent_a_strategy_counts_that_alone() -> None:
    """It begins with what is held beside the open order, so of the rest it must be told."""
    book = entered()
    (intent,) = book.look(trade(60, "90"), TimestampNs(0))
    part = cut(intent, "0.7")
    book.claimed(part, WHOLE)
    row = Row(
        order_key=part.order_key,
        side=Side.SELL,
        quantity=part.quantity,
        decided_at_ns=part.decided_at_ns,
        leaves=WHOLE,
        decided_quantity=WHOLE,
        reason=part.reason,
    )
    rows = {row.order_key: row, ENTRY.order_key: FILLED}
    again, kept = StopBook(), list(book.stops.values())
    again.load(
        kept,
        {PLACE: Decimal("0.3")},
        [row],
        lambda keys: {key: rows[key] for key in keys},
        lambda _: [],
        counted_at_first([row]),
    )

    again.moved_to(part.order_key, Decimal("0.7"), OrderState.FILLED, ())
    (rest,) = again.look(trade(62, "88"), TimestampNs(0))
    again.claimed(rest)

    assert again.told.take_position_change(rest) == Decimal("-0.3")


def test_told_again_it_is_the_same() -> None:
    stop = next(iter(entered().stops.values()))
    exits = [
        Row(
            order_key=OrderKey(f"{number:032x}"),
            side=Side.SELL,
            quantity=Decimal(quantity),
            decided_at_ns=TimestampNs(number),
            leaves=ZERO,
            state=OrderState.REJECTED,
        )
        for number, quantity in ((5, "1"), (6, "0.4"), (7, "1"))
    ]

    assert [change for _, change in told_changes(stop, exits)] == [-1, 0, 0]


def test_one_that_has_acted_leaves_nothing_before_it_did_when_the_market_is_shown_again() -> None:
    book = entered()
    assert [*book.look(trade(60, "90"), TimestampNs(0), may_send=False)] == []
    (kept,) = book.taken_changes()
    assert kept.state is StopState.ACTED
    again = loaded(begun_anew(kept))

    assert [*again.look(trade(2, "101"), TimestampNs(0))] == []
    (out,) = again.look(trade(60, "90"), TimestampNs(0))
    assert out.decided_at_ns == 60 * NS_PER_S


def loaded(stop: Stop) -> StopBook:
    book = StopBook()
    book.load([stop], {PLACE: WHOLE}, [], lambda _: {ENTRY.order_key: FILLED}, lambda _: [])
    return book


HOUR = 3_600


def test_a_decision_of_a_market_that_runs_ahead_keeps_its_moment_and_its_stop_acts() -> None:
    """As in a rehearsal on a compressed clock; an audit knows the entry by that moment."""
    book, entry = StopBook(), order(3 * HOUR, Side.BUY, WHOLE, protection=AT_95)
    row = msgspec.structs.replace(
        FILLED, order_key=entry.order_key, decided_at_ns=entry.decided_at_ns
    )
    book.claimed(entry)
    book.moved_to(entry.order_key, WHOLE, OrderState.FILLED, ())
    now, until = TimestampNs(10 * NS_PER_S), (10 + HOUR) * NS_PER_S

    assert not [*book.look(trade(3 * HOUR + 1, "99"), now, until_ns=until)]
    (stop,) = book.stops.values()
    assert stop_problem(stop, {entry.order_key: row}) is None

    (out,) = book.look(trade(3 * HOUR + 2, "94"), now, until_ns=until)
    (stop,) = book.stops.values()
    left = msgspec.structs.replace(
        row, order_key=out.order_key, side=Side.SELL, decided_at_ns=out.decided_at_ns
    )
    known = {entry.order_key: row, out.order_key: left}
    assert stop_problem(stop, known) == "it is acted, and nothing is left of its entry"


def test_after_a_decision_at_a_wrong_time_each_price_of_one_moment_is_looked_at() -> None:
    """The market's clock is right again, and far behind the decision's moment."""
    book, entry = StopBook(), order(3 * HOUR, Side.BUY, WHOLE, protection=AT_95)
    book.claimed(entry)
    book.moved_to(entry.order_key, WHOLE, OrderState.FILLED, ())
    now, until = TimestampNs(10 * NS_PER_S), (10 + HOUR) * NS_PER_S

    assert not [*book.look(trade(11, "99"), now, until_ns=until)]
    assert [*book.look(trade(11, "94"), now, until_ns=until)]
