"""What a person may end of a stop, and what is too little for a venue to sell."""

from decimal import Decimal

import msgspec
import pytest

from decisions.audit_stops import stop_problem
from decisions.order_keys import exit_key
from decisions.stop_ending import ended_by_hand, too_little, why_not_end
from decisions.stops import stop_of
from messages.order_states import FINAL_STATES
from messages.stops import StopState
from messages.values import Instrument, OrderState, Side
from tests.decisions.test_stop_book import ENTRY, FILLED
from tests.decisions.test_stop_book_model import BTC, Row

(ARMED,) = filter(None, [stop_of(ENTRY)])
KEY = exit_key(ENTRY.order_key, 0, ENTRY.decided_at_ns)
ACTED = msgspec.structs.replace(
    ARMED, state=StopState.ACTED, exits=(KEY,), why="stop_loss at 95: the market was at 94"
)
GRID = Instrument(
    symbol=BTC,
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.001"),
    min_quantity=Decimal("0.002"),
    min_notional=Decimal(5),
)


def exit_of(state: OrderState, filled: str = "0") -> Row:
    return Row(
        order_key=KEY,
        side=Side.SELL,
        quantity=Decimal(1),
        decided_at_ns=ENTRY.decided_at_ns,
        leaves=Decimal(1),
        state=state,
        filled_quantity=Decimal(filled),
    )


def test_what_was_left_is_left_to_the_person_and_an_audit_finds_nothing() -> None:
    orders = {ENTRY.order_key: FILLED, KEY: exit_of(OrderState.CANCELED, "0.4")}

    ended = ended_by_hand(ACTED, orders, by="ada", at="noon", reason="dust")

    assert (ended.state, ended.released) == (StopState.DONE, Decimal("0.6"))
    assert ended.why == (
        "stop_loss at 95: the market was at 94; ended by ada at noon, 0.6 left to nobody: dust"
    )
    assert stop_problem(ended, orders) is None


@pytest.mark.parametrize("state", list(OrderState))
def test_it_does_not_end_while_an_order_of_it_is_open(state: OrderState) -> None:
    of_entry = msgspec.structs.replace(FILLED, state=state)
    final = state in FINAL_STATES

    assert (why_not_end(ARMED, {ENTRY.order_key: of_entry}) == "") is final
    assert (why_not_end(ACTED, {ENTRY.order_key: FILLED, KEY: exit_of(state)}) == "") is final


def test_why_it_does_not_end_says_what_to_do() -> None:
    said = why_not_end(ACTED, {ENTRY.order_key: FILLED, KEY: exit_of(OrderState.UNKNOWN)})

    assert said == (
        f"its exit {KEY} is open (unknown): end that first, with `watchkeeper orders cancel {KEY}`"
    )


@pytest.mark.parametrize(
    ("quantity", "price", "says"),
    [
        ("0.0009", "100000", "0.0009 is less than the 0.002 that it takes"),
        ("0.0019", "100000", "0.0019 is less than the 0.002 that it takes"),
        ("0.0499", "100", "0.0499 is worth 4.9 at 100, less than the 5 that it takes"),
        ("0.05", "100", ""),
        ("0", "100", ""),
    ],
)
def test_what_a_venue_never_takes_is_known_by_its_rules(
    quantity: str, price: str, says: str
) -> None:
    assert too_little(Decimal(quantity), Decimal(price), GRID) == says


def test_without_rules_nothing_is_known() -> None:
    assert too_little(Decimal("0.0001"), Decimal(1), None) == ""
