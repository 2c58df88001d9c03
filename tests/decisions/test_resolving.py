"""What a person may settle, and what not: a resolution ends an order and never sends it again."""

from decimal import Decimal

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from decisions.resolving import ABSENT, WAIT_NS, resolve, why_not_resolve
from messages.order_states import FINAL_STATES, LEGAL_TRANSITIONS
from messages.values import OrderState as S

NOW = 10 * WAIT_NS


class Order(msgspec.Struct, frozen=True, kw_only=True):
    state: S = S.UNKNOWN
    quantity: Decimal = Decimal(2)
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    updated_at_ns: int = 0


def why_not(order: Order, to: S, filled: str | None = None, price: str | None = None) -> str:
    return why_not_resolve(order, to, money(filled), money(price), NOW)


def money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


HALF = Order(state=S.PARTIALLY_FILLED, filled_quantity=Decimal("0.5"), average_price=Decimal(100))


def test_an_order_that_never_reached_the_venue_is_refused_by_way_of_not_sent() -> None:
    end = resolve(Order(), ABSENT, None, None)

    assert end.steps == (S.NOT_SENT, S.REFUSED)
    assert resolve(Order(state=S.NOT_SENT), ABSENT, None, None).steps == (S.REFUSED,)


def test_what_a_person_adds_to_the_fills_has_a_price_and_moves_the_average() -> None:
    end = resolve(HALF, S.CANCELED, Decimal(1), Decimal(200))

    assert (end.steps, end.more) == ((S.CANCELED,), Decimal("0.5"))
    assert end.average_price == Decimal(150)


def test_filled_is_all_of_it_unless_something_else_is_said() -> None:
    end = resolve(Order(), S.FILLED, None, Decimal(100))

    assert (end.filled_quantity, end.more) == (Decimal(2), Decimal(2))
    assert end.average_price == Decimal(100)


def test_an_average_that_is_not_known_is_not_made_up() -> None:
    order = Order(state=S.PARTIALLY_FILLED, filled_quantity=Decimal(1))

    assert resolve(order, S.FILLED, None, Decimal(100)).average_price is None


@pytest.mark.parametrize(
    ("order", "to", "filled", "price", "part"),
    [
        (Order(state=S.FILLED), S.CANCELED, None, None, "which is final"),
        (Order(), S.NOT_SENT, None, None, "a resolution ends an order, and not_sent does not"),
        (Order(), S.ACCEPTED, None, None, "a resolution ends an order"),
        (Order(updated_at_ns=NOW - 1), ABSENT, None, None, "may still arrive: look again in 60 s"),
        (Order(state=S.ACCEPTED), ABSENT, None, None, "the venue had it (accepted)"),
        (Order(state=S.NOT_SENT), S.FILLED, None, "100", "it never reached the venue"),
        (HALF, S.REJECTED, None, None, "cannot have been rejected"),
        (Order(), S.REJECTED, "1", "100", "1 is filled, so it was not rejected"),
        (Order(), ABSENT, "1", "100", "1 is filled, so it was not absent"),
        (HALF, S.CANCELED, "0.25", None, "0.25 cannot be filled: 0.5 is known to be, of 2"),
        (Order(), S.CANCELED, "3", "100", "3 cannot be filled"),
        (Order(), S.CANCELED, "NaN", "100", "cannot be filled"),
        (Order(), S.FILLED, "1", "100", "1 of 2 is not filled: resolve it as canceled"),
        (Order(), S.CANCELED, "2", "100", "all of 2 is filled: resolve it as filled"),
        (Order(), S.FILLED, None, None, "2 more is filled than is known: say at which price"),
        (Order(), S.FILLED, None, "0", "say at which price"),
        (Order(), S.CANCELED, None, "100", "a price is of what is filled and not known yet"),
    ],
)
def test_what_is_dangerous_is_refused_in_a_sentence(
    order: Order, to: S, filled: str | None, price: str | None, part: str
) -> None:
    assert part in why_not(order, to, filled, price)


amounts = st.none() | st.decimals(-1, 4, places=1)


@given(
    state=st.sampled_from(S),
    known=st.decimals(0, 2, places=1),
    to=st.sampled_from(S),
    filled=amounts,
    price=amounts,
)
def test_whatever_is_allowed_is_legal_final_and_adds_up(
    state: S, known: Decimal, to: S, filled: Decimal | None, price: Decimal | None
) -> None:
    order = Order(state=state, filled_quantity=known, average_price=Decimal(1))
    if why_not_resolve(order, to, filled, price, NOW):
        return

    end = resolve(order, to, filled, price)

    before = state
    for step in end.steps:
        assert step in LEGAL_TRANSITIONS[before]
        assert step is not S.SENT
        before = step
    assert before is to
    assert to in FINAL_STATES
    assert end.filled_quantity == known + end.more <= order.quantity
    assert end.more >= 0
    assert (to is S.FILLED) is (end.filled_quantity == order.quantity)
