"""What an exchange shows of an order, held against the ledger: what differs, and what does not."""

from decimal import Decimal

import pytest

from decisions.audit_exchange import (
    AROUND_NS,
    executions_problem,
    is_of_this_run,
    shown_problem,
)
from messages.ids import TimestampNs, TradeId
from messages.orders import Fill
from messages.values import Liquidity, OrderState, Side
from tests.decisions.test_audit_venue import Order, S, at_venue


def fill(name: str, quantity: str = "1", price: str = "100") -> Fill:
    return Fill(
        trade_id=TradeId(name),
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(0),
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(0),
    )


def test_the_word_for_an_end_is_no_difference_when_as_much_is_filled() -> None:
    there = at_venue(S.EXPIRED, "0.5")
    assert shown_problem(Order(S.CANCELED, Decimal("0.5")), there) is None
    assert shown_problem(Order(S.CANCELED, Decimal("0.4")), there) is not None


@pytest.mark.parametrize("state", [S.REJECTED, S.REFUSED])
def test_what_was_refused_and_ended_at_the_exchange_was_there_all_the_same(
    state: OrderState,
) -> None:
    assert shown_problem(Order(state), at_venue(S.CANCELED)) is not None


def test_an_ended_order_that_is_open_at_the_exchange_differs() -> None:
    assert shown_problem(Order(S.CANCELED), at_venue(S.ACCEPTED)) is not None
    assert shown_problem(Order(S.CANCELED), at_venue(S.CANCELED, side=Side.SELL)) is not None


def test_executions_are_the_same_by_name_price_and_quantity() -> None:
    known = [fill("1"), fill("2")]
    assert executions_problem(known, [fill("2"), fill("1")]) is None
    assert executions_problem(known, [fill("1")]) == "the exchange has no execution 2"
    changed = [fill("1"), fill("2", price="101")]
    assert executions_problem(known, changed) == "execution 2 is 1 at 100, at the exchange 1 at 101"
    more = [*known, fill("3"), fill("4", "2")]
    assert executions_problem(known, more) == "executions 3, 4 of 3 are at the exchange alone"


def test_an_order_of_which_no_execution_is_known_is_passed() -> None:
    assert executions_problem([], [fill("1")]) is None


def test_what_a_person_settled_is_held_by_its_quantity_alone() -> None:
    """The exchange has other names for it, and knows the fee and each price."""
    known = [fill("1"), fill("person-wk1", "2")]
    there = [fill("1"), fill("2", "0.5", "99"), fill("3", "1.5")]
    assert executions_problem(known, there) is None
    assert executions_problem(known[1:], there[1:]) is None
    assert (
        executions_problem(known, there[:2])
        == "a person settled 2 of it, which is 0.5 at the exchange"
    )
    assert executions_problem(known, there[1:]) == "the exchange has no execution 1"


def test_an_order_is_of_the_run_that_lived_when_it_was_placed() -> None:
    began_ns, ended_ns = 10 * AROUND_NS, 20 * AROUND_NS
    assert not is_of_this_run(began_ns - AROUND_NS - 1, began_ns, ended_ns)
    assert is_of_this_run(began_ns - AROUND_NS, began_ns, ended_ns)
    assert is_of_this_run(ended_ns + AROUND_NS, began_ns, ended_ns)
    assert not is_of_this_run(ended_ns + AROUND_NS + 1, began_ns, ended_ns)
    assert is_of_this_run(ended_ns + AROUND_NS + 1, began_ns, None), "it left no word of its end"
