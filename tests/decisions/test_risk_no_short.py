"""At a spot venue nothing is sold that was not bought here; and all that was can be sold."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.risk import RiskLimits, RiskState, accept
from messages.orders import OrderIntent
from messages.values import Side
from tests.decisions.risk_orders import (
    BTC,
    BUY,
    ETH,
    FREE,
    SELL,
    canceled,
    code,
    filled_by,
    holding,
    intent,
    opened,
    text,
)

SPOT = RiskLimits(allow_short=False)


def bought(quantity: str, filled: str) -> RiskState:
    """A state in which one buy was let through and has filled so far."""
    buy = intent(quantity, BUY, key="buy")
    state = opened(buy)
    filled_by(buy, filled, state)
    return state


@pytest.mark.parametrize(
    ("state", "quantity", "word"),
    [
        (RiskState(open_orders={}), "1", "no_position"),
        (bought("1", "0"), "1", "no_position"),
        (bought("1", "0.4"), "0.4", None),
        (bought("1", "0.4"), "0.5", "no_position"),
        (bought("1", "1"), "1", None),
        (holding("1"), "1", None),
        (holding("1"), "1.00000001", "no_position"),
        (holding("1", ETH), "1", "no_position"),
        (holding("-1"), "1", "no_position"),
        (opened(intent("0.6", SELL, key="s"), state=holding("1")), "0.4", None),
        (opened(intent("0.6", SELL, key="s"), state=holding("1")), "0.5", "no_position"),
    ],
)
def test_a_sell_is_of_what_is_filled_and_not_on_sale(
    state: RiskState, quantity: str, word: str | None
) -> None:
    assert code(intent(quantity, SELL), SPOT, state) == word


def test_a_buy_is_not_held_back_by_it() -> None:
    assert code(intent("1", BUY), SPOT, holding("-3")) is None


def test_a_sell_after_a_buy_that_was_rejected_is_refused() -> None:
    buy = intent("1", BUY, key="buy")
    state = opened(buy)
    canceled(buy, state)

    assert code(intent("1", SELL), SPOT, state) == "no_position"


def test_without_the_rule_as_on_paper_it_is_let_through() -> None:
    assert code(intent("1", SELL), FREE, RiskState(open_orders={})) is None


def test_the_sentence_says_how_much_could_be_sold_and_which_key_changes_it() -> None:
    assert text(intent("1", SELL), SPOT, holding("0.4")) == (
        "1 to sell, and of what this run has bought 0.4 is filled and not on sale already; the"
        " rest would be coins that it did not buy ([risk] allow_short)"
    )


QUANTITIES = st.integers(1, 50).map(lambda n: str(Decimal(n) / 10))
STEP = st.one_of(
    st.tuples(st.just("decide"), st.sampled_from(Side), QUANTITIES),
    st.tuples(st.just("fill"), st.integers(0, 9), st.integers(1, 100)),
    st.tuples(st.just("end"), st.integers(0, 9), st.just(0)),
)


class Account:
    """Every order and what became of it, kept literally."""

    def __init__(self) -> None:
        self.state = RiskState(open_orders={})
        self.open: list[tuple[OrderIntent, Decimal]] = []
        self.held = Decimal(0)

    def on_sale(self) -> Decimal:
        sells = (o.quantity - filled for o, filled in self.open if o.side is Side.SELL)
        return sum(sells, Decimal(0))

    def decide(self, side: Side, quantity: str, number: int) -> str | None:
        order = intent(quantity, side, key=str(number))
        word = code(order, SPOT, self.state)
        if word is None:
            accept(order, self.state)
            self.open.append((order, Decimal(0)))
        return word

    def fill(self, place: int, percent: int) -> None:
        if place < len(self.open):
            order, filled = self.open.pop(place)
            more = (order.quantity - filled) * percent / 100
            self.held += order.side.sign * more
            filled_by(order, str(filled + more), self.state)
            if filled + more < order.quantity:
                self.open.append((order, filled + more))

    def end(self, place: int) -> None:
        if place < len(self.open):
            order, filled = self.open.pop(place)
            canceled(order, self.state, str(filled))


@pytest.mark.slow
@given(st.lists(STEP, max_size=30), QUANTITIES)
def test_whatever_fills_nothing_foreign_is_sold_and_all_that_is_held_can_be(
    steps: list[Any], quantity: str
) -> None:
    account = Account()
    for number, (what, one, two) in enumerate(steps):
        if what == "decide":
            account.decide(one, two, number)
        elif what == "fill":
            account.fill(one, two)
        else:
            account.end(one)
        assert account.held - account.on_sale() >= 0

    left = account.held - account.on_sale()
    word = code(intent(quantity, SELL, key="last"), SPOT, account.state)
    assert word == (None if Decimal(quantity) <= left else "no_position")
    if left:
        assert code(intent(str(left), SELL, key="exit"), SPOT, account.state) is None
    assert BTC in account.state.exposure or not account.open
