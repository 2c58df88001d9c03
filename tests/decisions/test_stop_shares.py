"""Whose coins an exit is of: a stop leaves what it protects, and nothing that was bought later."""

from decimal import Decimal

import msgspec
import pytest

from decisions.stop_book import StopBook
from messages.exact import EXACT
from messages.ids import NS_PER_S, TimestampNs, TradeId
from messages.orders import Fill, OrderIntent
from messages.stops import StopState
from messages.values import Liquidity, OrderState, Protection, Side
from tests.decisions.test_stop_book import ENTRY, LEFT, WHOLE, entered, order, trade
from tests.decisions.test_stop_book_model import BTC, ONE, PLACE, ZERO, Row

LATER = order(5, Side.BUY, WHOLE)
OWN_STOP = Protection(stop_loss=Decimal(50))


def leave(second: int, quantity: Decimal = WHOLE) -> OrderIntent:
    return order(second, Side.SELL, quantity, leaves=quantity)


def buy(book: StopBook, intent: OrderIntent) -> None:
    book.claimed(intent)
    book.moved_to(intent.order_key, intent.quantity, OrderState.FILLED, ())


def look(book: StopBook, second: int, price: str = "94") -> list[OrderIntent]:
    exits = []
    for intent in book.look(trade(second, price), ENTRY.ts_created_ns):
        book.claimed(intent)
        exits.append(intent)
    return exits


@pytest.mark.parametrize("stop", [None, OWN_STOP])
def test_while_its_strategy_leaves_what_it_protects_a_stop_leaves_nothing_else(
    stop: Protection | None,
) -> None:
    """It sold what was bought since, which stood in no order."""
    book = entered()
    own = leave(3)
    book.claimed(own)
    buy(book, order(5, Side.BUY, WHOLE, protection=stop))

    assert look(book, 7) == []
    (held_up, *_) = book.stops.values()
    assert held_up.state is StopState.ACTED
    assert book.cover.is_held_up(held_up)

    book.moved_to(own.order_key, WHOLE, OrderState.FILLED, ())
    assert ENTRY.order_key not in book.stops
    assert book.cover.protects(PLACE) == (WHOLE if stop else 0)
    assert look(book, 9) == []


def test_what_that_exit_does_not_leave_the_stop_does() -> None:
    book = entered()
    own = leave(3)
    book.claimed(own)
    buy(book, LATER)
    book.moved_to(own.order_key, Decimal("0.4"), OrderState.EXPIRED, ())

    assert [one.quantity for one in look(book, 7)] == [Decimal("0.6")]


def test_a_strategy_leaves_first_what_no_stop_protects() -> None:
    book = entered()
    buy(book, LATER)
    book.claimed(leave(6))

    assert [one.quantity for one in look(book, 7)] == [WHOLE]


def test_and_of_two_exits_the_second_leaves_what_one_does() -> None:
    book = entered()
    buy(book, LATER)
    book.claimed(leave(6))
    book.claimed(leave(7, Decimal("0.4")))

    assert [one.quantity for one in look(book, 8)] == [Decimal("0.6")]


def test_what_a_stop_has_acted_on_its_strategy_leaves_last() -> None:
    """Its strategy counts that as left already."""
    book = entered()
    (failed,) = look(book, 3)
    book.moved_to(failed.order_key, ZERO, OrderState.REJECTED, ())
    buy(book, order(5, Side.BUY, WHOLE, protection=OWN_STOP))
    book.claimed(leave(70))

    assert [one.quantity for one in look(book, 100)] == [WHOLE]
    (younger,) = [one for one in book.stops.values() if one.entry_key != ENTRY.order_key]
    assert book.cover.due(younger) == 0


@pytest.mark.parametrize("decided_at", [3, 6])
def test_after_a_restart_it_is_so_again(decided_at: int) -> None:
    """An exit that was decided before the second entry leaves nothing of that one."""
    own = leave(decided_at)
    first, second = ENTRY, order(5, Side.BUY, WHOLE, protection=OWN_STOP)
    book = entered()
    buy(book, second)
    stops = book.taken_changes()
    rows = {
        one.order_key: row(
            one,
            ZERO if one is own else WHOLE,
            OrderState.SENT if one is own else OrderState.FILLED,
        )
        for one in (first, second, own)
    }
    again = StopBook()
    known = [rows[own.order_key]]
    again.load(stops, {(ONE, BTC): WHOLE}, known, lambda _: rows, lambda _: [])

    assert look(again, 7) == []
    assert [one.quantity for one in look(again, 8, "49")] == [WHOLE]


SMALLER = order(3, Side.SELL, LEFT, leaves=WHOLE, reason=f"out; of {WHOLE}, fees have left {LEFT}")


def row(intent: OrderIntent, filled: Decimal, state: OrderState, **more: object) -> Row:
    fields = {
        "order_key": intent.order_key,
        "side": intent.side,
        "quantity": intent.quantity,
        "decided_at_ns": intent.decided_at_ns,
        "leaves": intent.leaves,
        "reason": intent.reason,
        "state": state,
        "filled_quantity": filled,
    }
    return Row(**fields | more)  # type: ignore[arg-type]  # fields by name


def filled_at(second: int, quantity: str) -> Fill:
    return Fill(
        trade_id=TradeId(f"{second}"),
        price=Decimal(100),
        quantity=Decimal(quantity),
        fee=ZERO,
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(second * NS_PER_S),
    )


def test_after_a_restart_what_fees_have_taken_of_an_exit_is_still_of_the_same_stop() -> None:
    """A thousandth stayed protected for ever: the stop sold that of what was bought later."""
    rows = {
        one.order_key: one
        for one in (
            row(ENTRY, WHOLE, OrderState.FILLED),
            row(SMALLER, ZERO, OrderState.SENT, decided_quantity=WHOLE),
        )
    }
    book = StopBook()
    stops, known = entered().taken_changes(), [rows[SMALLER.order_key]]
    book.load(stops, {PLACE: ZERO}, known, lambda _: rows, lambda _: [])
    buy(book, LATER)

    book.moved_to(SMALLER.order_key, LEFT, OrderState.FILLED, ())

    assert book.stops == {}


def test_after_a_restart_an_exit_leaves_nothing_that_has_filled_since_it_was_decided() -> None:
    """It had all of the older entry, of which the stop sold nothing then, when its price came."""
    first, second = ENTRY, order(2, Side.BUY, WHOLE, protection=OWN_STOP)
    own, half = leave(3, Decimal("0.5")), Decimal("0.5")
    entries = StopBook()
    entries.claimed(first)
    buy(entries, second)
    entries.moved_to(first.order_key, half, OrderState.PARTIALLY_FILLED, ())
    rows = {
        one.order_key: one
        for one in (
            row(first, half, OrderState.PARTIALLY_FILLED),
            row(second, WHOLE, OrderState.FILLED),
            row(own, ZERO, OrderState.ACCEPTED),
        )
    }
    fills = {first.order_key: [filled_at(4, "0.5")], second.order_key: [filled_at(2, "1")]}
    book = StopBook()
    open_orders = [rows[first.order_key], rows[own.order_key]]
    held = EXACT.add(first.quantity, half)
    book.load(
        entries.taken_changes(), {PLACE: held}, open_orders, lambda _: rows, fills.__getitem__
    )

    assert [one.quantity for one in look(book, 7)] == [half]


def test_after_a_restart_what_a_stop_acted_on_later_is_still_its_strategys_to_leave() -> None:
    """It is left last where the stop had acted before."""
    own = leave(6)
    book = entered()
    buy(book, order(5, Side.BUY, WHOLE, protection=OWN_STOP))
    book.claimed(own)
    assert look(book, 7) == []
    rows = {
        one.order_key: one
        for one in (
            row(ENTRY, WHOLE, OrderState.FILLED),
            row(order(5, Side.BUY, WHOLE), WHOLE, OrderState.FILLED),
            row(own, ZERO, OrderState.ACCEPTED),
        )
    }
    again, known = StopBook(), [rows[own.order_key]]
    again.load(book.taken_changes(), {PLACE: WHOLE}, known, lambda _: rows, lambda _: [])

    assert look(again, 8) == []
    assert [one.quantity for one in look(again, 9, "49")] == [WHOLE]


def test_what_fees_have_taken_of_an_exit_is_left_of_the_same_stop() -> None:
    book, own = entered(), SMALLER
    book.claimed(own, WHOLE)
    buy(book, LATER)
    book.moved_to(own.order_key, LEFT, OrderState.FILLED, ())

    assert book.stops == {}


def test_what_a_stop_has_told_and_not_left_is_no_exits_of_its_strategy() -> None:
    book, own = entered(), leave(70)
    (failed,) = look(book, 3)
    assert book.told.spoken_for(own) == 0, "it stands in an order"
    book.told.take_position_change(failed)

    book.moved_to(failed.order_key, Decimal("0.4"), OrderState.EXPIRED, ())

    assert book.told.spoken_for(own) == Decimal("0.6")
    (again,) = look(book, 100)
    assert book.told.spoken_for(again) == book.told.spoken_for(own) == 0


def test_nor_is_what_follows_an_order_of_the_stop() -> None:
    """The venue takes no more in one: all of it was told with the first."""
    book = entered()
    (whole,) = book.look(trade(3, "94"), ENTRY.ts_created_ns)
    part = msgspec.structs.replace(
        whole, quantity=Decimal("0.4"), reason="; of 1, the venue takes 0.4 in one order"
    )
    book.claimed(part, WHOLE)
    assert book.told.spoken_for(leave(5)) == Decimal("0.6")

    book.moved_to(part.order_key, Decimal("0.4"), OrderState.FILLED, ())

    assert book.told.spoken_for(leave(5)) == Decimal("0.6")


def test_what_was_told_with_one_exit_of_a_stop_is_not_told_with_the_next() -> None:
    book = entered()
    (failed,) = look(book, 3)
    assert book.told.untold(failed) == WHOLE
    book.told.take_position_change(failed)
    book.moved_to(failed.order_key, Decimal("0.4"), OrderState.EXPIRED, ())

    (again,) = look(book, 100)

    assert (again.quantity, book.told.untold(again)) == (Decimal("0.6"), Decimal(0))


def test_what_its_strategy_counts_as_left_already_an_exit_leaves_last_of_all() -> None:
    """It left that first, for it was older, and another stop sold what was bought later."""
    book = entered()
    (failed,) = look(book, 3)
    book.told.take_position_change(failed)
    book.moved_to(failed.order_key, ZERO, OrderState.REJECTED, ())
    buy(book, order(5, Side.BUY, WHOLE, protection=OWN_STOP))
    assert [*book.look(trade(6, "49"), ENTRY.ts_created_ns, may_send=False)] == []

    book.claimed(leave(7))

    assert [one.entry_key for one in book.stops.values() if book.cover.due(one)] == [
        ENTRY.order_key
    ]
    assert book.told.spoken_for(leave(8)) == WHOLE
