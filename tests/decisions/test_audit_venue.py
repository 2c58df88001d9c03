"""What is held of an order against the venue's book."""

from decimal import Decimal

import msgspec
import pytest

from decisions.audit import AtVenue, venue_problem
from messages.ids import StrategyId, Symbol
from messages.values import OrderState, Side

S = OrderState
BTC = Symbol("BTC/USDT")


class Order(msgspec.Struct, frozen=True):
    """An order of one coin, as the ledger has it."""

    state: OrderState
    filled_quantity: Decimal = Decimal(0)
    order_key: str = "k"
    strategy_id: StrategyId = StrategyId("one")
    symbol: Symbol = BTC
    side: Side = Side.BUY
    quantity: Decimal = Decimal(1)
    average_price: Decimal | None = None
    decided_at_ns: int = 0


def at_venue(state: OrderState, filled: str = "0", side: Side = Side.BUY) -> AtVenue:
    return AtVenue(state, Decimal(filled), BTC, side, Decimal(1))


@pytest.mark.parametrize("there", [at_venue(S.REJECTED), None])
def test_a_rejected_order_may_be_in_the_book_as_such_or_refused_at_the_door(
    there: AtVenue | None,
) -> None:
    assert venue_problem(Order(S.REJECTED), there) is None


@pytest.mark.parametrize(
    "there", [at_venue(S.ACCEPTED), at_venue(S.FILLED, "1"), at_venue(S.CANCELED)]
)
def test_a_rejected_order_that_the_venue_took_differs(there: AtVenue) -> None:
    problem = venue_problem(Order(S.REJECTED), there)

    assert problem == (
        f"it is rejected with 0 filled, at the venue {there.state} with {there.filled_quantity}"
    )


def test_a_rejected_order_under_whose_name_the_venue_has_another_differs() -> None:
    there = at_venue(S.REJECTED, side=Side.SELL)

    assert venue_problem(Order(S.REJECTED), there) == "the venue has sell 1 BTC/USDT under its name"


@pytest.mark.parametrize("state", [S.REFUSED, S.NOT_SENT, S.CLAIMED])
def test_an_order_that_was_not_sent_is_in_no_book(state: OrderState) -> None:
    assert venue_problem(Order(state), at_venue(S.REJECTED)) is not None


def test_what_is_filled_was_paid_for_as_the_venue_says() -> None:
    order = Order(S.FILLED, Decimal(1), average_price=Decimal(100))
    there = at_venue(S.FILLED, "1")

    assert venue_problem(order, there) is None, "it does not say for how much"
    for value in ("100", "100.00000001"):
        paid = msgspec.structs.replace(there, value=Decimal(value))
        assert venue_problem(order, paid) is None
    assert (
        venue_problem(order, msgspec.structs.replace(there, value=Decimal(101)))
        == "1 is filled at a mean price of 100, at the venue for 101"
    )
