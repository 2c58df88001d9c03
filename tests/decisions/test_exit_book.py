"""What follows an exit: as much as there is, and once, whoever dies before it is durable."""

from decimal import Decimal
from typing import Any

import msgspec

from decisions.exit_book import ExitBook
from decisions.order_keys import rest_key
from decisions.risk_exit import Before
from decisions.risk_limits import Refusal
from messages.ids import OrderKey, StrategyId, Symbol, TimestampNs
from messages.orders import OrderIntent
from messages.values import Instrument, OrderState, Side
from tests.decisions.risk_orders import BTC, intent

S = OrderState
PLACE = (StrategyId("one"), BTC)
OUT = msgspec.structs.replace(intent("1", Side.SELL, key="0" * 32), leaves=Decimal(1))
ENTRY = OrderKey("e")
NOW = TimestampNs(1)


class Order(msgspec.Struct, frozen=True):
    """A row of the ledger."""

    order_key: OrderKey
    state: OrderState
    filled_quantity: Decimal
    quantity: Decimal = Decimal(1)
    state_reason: str = ""
    strategy_id: StrategyId = PLACE[0]
    symbol: Symbol = BTC
    side: Side = Side.SELL
    decided_quantity: Decimal | None = None
    reason: str = ""


def entry(filled: str, state: OrderState = S.PARTIALLY_FILLED) -> Order:
    return Order(ENTRY, state, Decimal(filled), side=Side.BUY)


def with_an_exit_of(sent: str, entry: str = "1") -> ExitBook:
    """As much of the entry had filled, and is being sold; 1 was to be left."""
    book, part = ExitBook(), Decimal(sent)
    book.claimed(
        msgspec.structs.replace(OUT, quantity=part, leaves=part),
        1 - part,
        Before(free=part, entering={ENTRY: Decimal(entry) - part}),
    )
    return book


def after_an_exit_of(sent: str, entry: str = "1") -> ExitBook:
    """As much of the entry had filled, and is sold."""
    book, part = with_an_exit_of(sent, entry), Decimal(sent)
    book.moved(Order(OUT.order_key, S.FILLED, part, quantity=part))
    return book


def claimed(book: ExitBook, part: OrderIntent) -> None:
    book.claimed(part, Decimal(0), None)


def stopped(
    book: ExitBook,
    part: OrderIntent,
    before: Before,
    still: str,
    untold: str,
    spoken_for: str = "0",
) -> None:
    book.stopped(part, before, Decimal(still), Decimal(untold), Decimal(spoken_for))


def due(book: ExitBook, **grid: Any) -> list[OrderIntent]:
    grids = {BTC: Instrument(symbol=BTC, **grid)} if grid else {}
    return list(book.due(grids, {}, NOW))


def sizes(intents: list[OrderIntent]) -> list[str]:
    return [f"{one.quantity:f}" for one in intents]


def test_a_step_that_is_told_twice_frees_nothing_twice() -> None:
    book = after_an_exit_of("0.3")
    book.moved(entry("0.5"))
    book.moved(entry("0.5"))

    assert sizes(due(book)) == ["0.2"]


def test_what_follows_is_named_by_its_exit_and_adds_to_nothing() -> None:
    book = after_an_exit_of("0.3")
    book.moved(entry("0.5"))

    (part,) = due(book)

    assert part.order_key == rest_key(OUT.order_key, 1)
    assert part.leaves == part.quantity
    assert part.protection is None
    assert part.reason == f"the rest of {OUT.order_key}: "


def test_one_that_was_judged_and_never_durable_is_given_again_by_another_name() -> None:
    book = after_an_exit_of("0.3")
    book.moved(entry("0.5"))
    (part,) = due(book)
    claimed(book, part)

    book.recover({})

    (again,) = due(book)
    assert again.quantity == part.quantity
    assert again.order_key == rest_key(OUT.order_key, 2)


def test_and_with_what_fees_had_taken_of_it() -> None:
    """Nobody would write it off: a position of dust, for ever."""
    book = after_an_exit_of("0.3")
    book.moved(entry("1", S.FILLED))
    (part,) = due(book)
    reason = f"{part.reason}; of 0.7, fees have left 0.6"
    claimed(book, msgspec.structs.replace(part, quantity=Decimal("0.6"), reason=reason))

    book.recover({})

    assert sizes(due(book)) == ["0.7"]


def test_one_that_was_given_and_never_judged_is_given_again() -> None:
    book = after_an_exit_of("0.3")
    book.moved(entry("0.5"))
    due(book)

    book.recover({})

    assert sizes(due(book)) == ["0.2"]


def test_one_that_is_durable_is_not_given_again() -> None:
    book = after_an_exit_of("0.3")
    book.moved(entry("0.5"))
    (part,) = due(book)
    claimed(book, part)

    book.recover({part.order_key: Order(part.order_key, S.SENT, Decimal(0))})

    assert due(book) == []


def test_nothing_follows_a_decision_that_was_never_durable() -> None:
    """Who decided it decides it again."""
    book = with_an_exit_of("0.3")

    book.recover({})
    book.moved(entry("1", S.FILLED))

    assert due(book) == []
    assert book.rows() == []


def test_less_than_the_venue_takes_waits_for_more_and_is_told_when_none_comes() -> None:
    book = after_an_exit_of("0.3")
    book.moved(entry("0.35"))
    assert due(book, min_quantity=Decimal("0.1")) == []
    book.moved(entry("0.4"))
    assert sizes(due(book, min_quantity=Decimal("0.1"))) == ["0.10"]

    book = after_an_exit_of("0.3")
    book.moved(entry("0.35", S.CANCELED))
    assert due(book, min_quantity=Decimal("0.1")) == []

    assert "less than the 0.1 that it takes" in book.failed.short[PLACE].why


def test_what_is_told_is_no_more_than_is_held_and_over_once_nothing_is() -> None:
    book = ExitBook()
    book.refused(OUT, Refusal(code="halted", text="a person"))

    ((_, told),) = book.failed.still_held(lambda *_: Decimal("0.3"), lambda _: False)
    assert (told.quantity, told.key) == (Decimal("0.3"), OUT.order_key)
    assert book.failed.still_held(lambda *_: Decimal(0), lambda _: False) == []
    assert book.failed.still_held(lambda *_: Decimal(1), lambda _: True) == []

    assert book.failed.short == {}


def test_one_that_nothing_can_come_of_any_more_is_not_what_left_it_held() -> None:
    """A later entry is open, so something may be held, but nothing of this one."""
    book = ExitBook()
    book.refused(OUT, Refusal(code="halted", text="a person"))
    waits = msgspec.structs.replace(OUT, order_key=OrderKey("5"))
    book.wait(waits, Before(free=Decimal(0), entering={ENTRY: Decimal(1)}))
    book.moved(entry("0", S.CANCELED))

    book.refused(waits, Refusal(code="nothing_held", text="of it"), may_be_held=True)

    assert (book.failed.short[PLACE].key, book.failed.short[PLACE].quantity) == (
        OUT.order_key,
        Decimal(1),
    )


def test_what_a_stop_sells_of_what_failed_is_told_no_more() -> None:
    """What is bought later stands in nobody's exit."""
    book = ExitBook()
    book.refused(OUT, Refusal(code="halted", text="a person"))

    book.stopped(OUT, None, Decimal("0.4"), Decimal("0.6"), Decimal(0))

    ((_, told),) = book.failed.still_held(lambda *_: Decimal(2), lambda _: False)
    assert told.quantity == Decimal("0.4")
    book.stopped(OUT, None, Decimal(0), Decimal("0.4"), Decimal(0))
    assert book.failed.short == {}


def test_what_follows_is_never_more_than_was_to_be_left() -> None:
    book = after_an_exit_of("0.2", entry="2")

    book.moved(Order(ENTRY, S.FILLED, Decimal(2), quantity=Decimal(2), side=Side.BUY))

    assert sizes(due(book)) == ["0.8"]
    assert due(book) == []


def test_no_part_is_given_while_one_is_under_way() -> None:
    book = after_an_exit_of("0.3")
    book.moved(entry("0.5"))
    (part,) = due(book)
    claimed(book, part)

    book.moved(entry("0.9"))

    assert due(book) == []
    book.moved(Order(part.order_key, S.FILLED, part.quantity, quantity=part.quantity))
    assert sizes(due(book)) == ["0.4"]


def test_with_a_part_that_fails_all_is_told_that_is_in_no_other_order() -> None:
    book = after_an_exit_of("0.3")
    book.moved(entry("0.5"))
    (part,) = due(book)
    claimed(book, part)

    book.moved(Order(part.order_key, S.REJECTED, Decimal(0), quantity=part.quantity))

    assert book.failed.short[PLACE].quantity == Decimal("0.7")


def test_what_has_to_wait_of_it_is_to_follow_again_once_it_is_taken_back() -> None:
    """It is in no row: what was to follow is told to the next process, and nothing twice."""
    book = after_an_exit_of("0.3")
    book.moved(entry("0.5"))
    (part,) = due(book)
    book.wait(part, Before(free=Decimal(0), entering={}))
    assert [one.order_key for one in book.unfinished().waiting] == [part.order_key]

    book.take_back()

    unfinished = book.unfinished()
    assert unfinished.waiting == ()
    assert [one.quantity for one in unfinished.following] == [Decimal("0.7")]


def test_what_a_stop_takes_of_it_does_not_follow_and_is_told_to_nobody() -> None:
    book = with_an_exit_of("0.4")
    book.moved(entry("1", S.FILLED))
    stops = msgspec.structs.replace(
        OUT, order_key=OrderKey("5"), quantity=Decimal("0.6"), leaves=Decimal("0.6")
    )
    assert [one.quantity for one in book.unfinished().following] == [Decimal("0.6")]

    stopped(book, stops, Before(free=Decimal("0.6"), entering={}), "0", "0.6")
    assert book.unfinished().following == ()
    book.moved(Order(OUT.order_key, S.FILLED, Decimal("0.4"), quantity=Decimal("0.4")))

    assert due(book) == []
    assert book.rows() == []
    assert book.is_idle


def test_what_a_stop_leaves_in_parts_does_not_follow_from_the_first_of_them_on() -> None:
    """Its strategy counts all of it as left; both were sold, the second of what came later."""
    book = with_an_exit_of("0.4")
    book.moved(entry("1", S.FILLED))
    part, rest = (
        msgspec.structs.replace(
            OUT, order_key=OrderKey(name), quantity=Decimal(much), leaves=Decimal(much)
        )
        for name, much in (("5", "0.2"), ("6", "0.3"))
    )

    stopped(book, part, Before(free=Decimal("0.6"), entering={}), "0.4", "0.5")
    assert [one.quantity for one in book.unfinished().following] == [Decimal("0.1")]
    stopped(book, rest, Before(free=Decimal("3.4"), entering={}), "3.1", "0", "0.3")

    assert [one.quantity for one in book.unfinished().following] == [Decimal("0.1")]
    book.moved(Order(OUT.order_key, S.FILLED, Decimal("0.4"), quantity=Decimal("0.4")))
    assert sizes(due(book)) == ["0.1"]


def test_what_a_stop_is_yet_to_leave_is_not_there_once_another_has_acted() -> None:
    """The first had told of it, and it stood in no order: it was sold by the exit, too."""
    book, part = ExitBook(), Decimal("0.4")
    book.claimed(
        msgspec.structs.replace(OUT, quantity=part, leaves=part),
        Decimal("1.1"),
        Before(free=Decimal("0.9"), entering={ENTRY: Decimal("0.6")}),
    )
    first, second = (
        msgspec.structs.replace(
            OUT, order_key=OrderKey(name), quantity=Decimal(much), leaves=Decimal(much)
        )
        for name, much in (("5", "0.2"), ("6", "0.5"))
    )
    is_open = {ENTRY: Decimal("0.6")}
    stopped(book, first, Before(free=Decimal(1), entering=is_open), "1.4", "0.5")
    stopped(book, second, Before(free=Decimal("0.8"), entering=is_open), "0.9", "0.5", "0.3")
    book.moved(entry("1", S.FILLED))
    book.moved(Order(OUT.order_key, S.FILLED, part, quantity=part))

    assert sizes(due(book)) == ["0.6"]
