"""What a venue would surely refuse is refused before it is claimed."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from decisions.risk import RiskState, fit_exit
from messages.ids import StrategyId
from messages.values import Instrument
from tests.decisions.risk_orders import BTC, ETH, FREE, SELL, code, intent, text

GRID = Instrument(
    symbol=BTC,
    price_tick=Decimal("0.5"),
    quantity_step=Decimal("0.01"),
    min_quantity=Decimal("0.1"),
    min_notional=Decimal(20),
)


def at_a_venue(held: str = "0") -> RiskState:
    return RiskState(exposure={BTC: Decimal(held)}, open_orders={}, instruments={BTC: GRID})


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({"quantity": "0.105"}, "off_grid"),
        ({"quantity": "0.2", "limit_price": "100.25"}, "off_grid"),
        ({"quantity": "0.05"}, "min_quantity"),
        ({"quantity": "0.19"}, "min_notional"),
        ({"quantity": "0.19", "limit_price": "100"}, "min_notional"),
        ({"quantity": "0.2"}, None),
        ({"quantity": "0.20", "limit_price": "100.5"}, None),
        ({"quantity": "0.05", "symbol": ETH}, None),
    ],
)
def test_an_order_is_held_against_the_grid_of_its_symbol(
    order: dict[str, Any], word: str | None
) -> None:
    assert code(intent(**order), state=at_a_venue()) == word


def test_where_no_venue_has_told_its_rules_nothing_is_refused_for_them() -> None:
    assert code(intent("0.00000001")) is None


def test_what_an_exit_at_the_market_is_worth_is_left_to_the_venue() -> None:
    assert code(intent("0.1", SELL), state=at_a_venue("0.1")) is None
    assert code(intent("0.05", SELL), state=at_a_venue("0.1")) == "min_quantity"


def test_who_leaves_is_not_told_to_trade_more() -> None:
    said = text(intent("0.05", SELL), FREE, at_a_venue("0.1"))

    assert said == "0.05 is below the venue's minimum 0.1"
    resting = intent("0.1", SELL, limit_price="100")
    said = text(resting, FREE, at_a_venue("0.1"))
    assert said == "the order is worth 10.0, below the venue's minimum 20"


def test_the_sentence_names_both_numbers() -> None:
    assert text(intent("0.05"), FREE, at_a_venue()) == (
        "0.05 is below the venue's minimum 0.1: raise order_notional"
    )


@pytest.mark.parametrize(("most", "sent"), [("0.005", "1"), ("0.015", "0.01"), ("2", "1")])
def test_an_exit_is_cut_to_what_one_order_takes_and_never_to_nothing(most: str, sent: str) -> None:
    state = at_a_venue("1")
    state.held_by[StrategyId("one"), BTC] = Decimal(1)
    state.instruments[BTC] = msgspec.structs.replace(GRID, max_market_quantity=Decimal(most))
    leaving = msgspec.structs.replace(intent("1", SELL), leaves=Decimal(1))

    assert fit_exit(leaving, FREE, state).quantity == Decimal(sent)
