"""How much each exit may leave: of what was bought before it, whoever was there first."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from decisions.bought_before import BoughtBefore, leaving_of
from decisions.risk_exit import Before
from messages.ids import OrderKey, StrategyId, Symbol
from messages.values import OrderState, Side
from tests.decisions.risk_orders import BTC

S = OrderState
FIRST, SECOND = OrderKey("first"), OrderKey("second")
EARLY, LATE = OrderKey("early"), OrderKey("late")


class Order(msgspec.Struct, frozen=True):
    """An exit, or an entry as the ledger has it."""

    order_key: OrderKey
    filled_quantity: Decimal = Decimal(0)
    state: OrderState = S.PARTIALLY_FILLED
    quantity: Decimal = Decimal(1)
    strategy_id: StrategyId = StrategyId("one")
    symbol: Symbol = BTC
    side: Side = Side.SELL
    decided_quantity: Decimal | None = None
    reason: str = ""


def entry(key: OrderKey, filled: str, state: OrderState = S.PARTIALLY_FILLED) -> Order:
    return Order(key, Decimal(filled), state, side=Side.BUY)


def before(free: str = "0", **entering: str) -> Before:
    unfilled = {OrderKey(key): Decimal(much) for key, much in entering.items()}
    return Before(free=Decimal(free), entering=unfilled)


def with_two() -> BoughtBefore:
    """The second is of two entries, the first of the earlier one alone."""
    book = BoughtBefore()
    book.decided(Order(FIRST), before(early="1"))
    book.decided(Order(SECOND), before(early="1", late="1"))
    return book


def test_what_was_bought_after_an_exit_is_not_there_for_it() -> None:
    book = with_two()

    book.moved(entry(LATE, "1", S.FILLED))

    assert [book.there(one) for one in (FIRST, SECOND)] == [Decimal(0), Decimal(1)]
    assert [book.may_come(one) for one in (FIRST, SECOND)] == [Decimal(1), Decimal(2)]


def test_what_an_earlier_exit_takes_is_there_for_no_later_one() -> None:
    book = with_two()
    book.moved(entry(EARLY, "0.5"))

    book.takes(FIRST, FIRST, Decimal("0.5"))

    assert book.there(FIRST) == book.there(SECOND) == 0


def test_what_a_later_exit_takes_of_the_earlier_entry_is_made_up_for_by_the_later_one() -> None:
    book = with_two()
    book.moved(entry(EARLY, "0.5"))
    book.takes(SECOND, SECOND, Decimal("0.5"))
    assert book.there(FIRST) == 0

    book.moved(entry(LATE, "0.2"))

    assert book.there(FIRST) == Decimal("0.2")


def test_what_an_order_did_not_leave_is_there_again_and_what_it_left_is_not() -> None:
    book = with_two()
    book.moved(entry(EARLY, "0.5"))
    book.takes(FIRST, FIRST, Decimal("0.5"))

    book.ended(Order(FIRST, Decimal("0.2"), S.EXPIRED, Decimal("0.5")))
    book.ended(Order(FIRST, Decimal("0.2"), S.EXPIRED, Decimal("0.5")))

    assert book.there(FIRST) == book.there(SECOND) == Decimal("0.3")


def test_what_an_entry_that_has_ended_did_not_fill_never_comes() -> None:
    book = with_two()

    book.moved(entry(EARLY, "0.4", S.CANCELED))

    assert book.there(FIRST) == book.may_come(FIRST) == Decimal("0.4")
    assert book.named == [LATE]


def test_what_an_order_was_to_take_that_is_in_no_row_is_there_again() -> None:
    book = with_two()
    book.moved(entry(EARLY, "0.5"))
    book.takes(FIRST, FIRST, Decimal("0.2"))
    book.takes(SECOND, SECOND, Decimal("0.3"))
    assert book.named == [EARLY, EARLY, LATE, FIRST, SECOND]

    book.recover({FIRST})

    assert book.there(FIRST) == Decimal("0.3")


def test_an_exit_that_is_judged_again_was_decided_when_it_was() -> None:
    book = with_two()

    book.decided(Order(FIRST), before("5"))

    assert book.there(FIRST) == 0


def test_other_places_are_none_of_its_business() -> None:
    book = with_two()
    other = msgspec.structs.replace(Order(OrderKey("other")), strategy_id=StrategyId("two"))
    book.decided(other, before("1"))

    book.takes(other.order_key, other.order_key, Decimal(1))
    book.moved(entry(EARLY, "1", S.FILLED))

    assert book.there(FIRST) == 1
    assert book.there(OrderKey("unknown")) is None


def test_a_place_is_forgotten_once_nothing_is_to_come_there() -> None:
    book = with_two()

    book.keep_only({leaving_of(Order(FIRST))})
    assert book.counts(Order(OrderKey("next")))
    book.keep_only(())

    assert book.is_idle
    assert book.there(FIRST) is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "decide", "fill", "leave", "fail"]),
        st.integers(0, 7),
        st.integers(1, 5),
    ),
    max_size=40,
)


@given(STEPS)
def test_the_exits_up_to_each_moment_may_leave_what_the_entries_up_to_it_brought(
    steps: list[tuple[str, int, int]],
) -> None:
    """Held against the plain sums over all that was ever decided."""
    book = BoughtBefore()
    filled: dict[OrderKey, int] = {}
    left: dict[OrderKey, int] = {}
    entries_of: dict[OrderKey, list[OrderKey]] = {}

    def there(exit_: OrderKey) -> int:
        exits = list(left)
        return min(
            sum(filled[one] for one in entries_of[exits[at]])
            - sum(left[one] for one in exits[: at + 1])
            for at in range(exits.index(exit_), len(exits))
        )

    for what, which, much in steps:
        if what == "enter":
            filled[OrderKey(f"e{len(filled)}")] = 0
        elif what == "decide":
            exit_ = OrderKey(f"x{len(left)}")
            free = sum(filled.values()) - sum(left.values())
            entering = {one: Decimal(100 - some) for one, some in filled.items()}
            book.decided(Order(exit_), Before(free=Decimal(free), entering=entering))
            left[exit_], entries_of[exit_] = 0, list(filled)
        elif what == "fill" and filled:
            one = list(filled)[which % len(filled)]
            filled[one] += much
            book.moved(Order(one, Decimal(filled[one]), quantity=Decimal(100), side=Side.BUY))
        elif left and (exit_ := list(left)[which % len(left)]):
            much = min(much, there(exit_))
            book.takes(OrderKey(f"of {exit_}"), exit_, Decimal(much))
            left[exit_] += 0 if what == "fail" else much
            end = S.EXPIRED if what == "fail" else S.FILLED
            book.ended(Order(OrderKey(f"of {exit_}"), state=end))
        for exit_ in left:
            assert book.there(exit_) == there(exit_) >= 0
