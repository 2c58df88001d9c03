from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages.ids import Symbol, TimestampNs
from messages.values import Instrument, Side, plain_instrument
from strategies import build
from strategies.grid import Grid, GridParams, lines_of
from strategies.grid_orders import GridOrders
from strategies.protocol import Decision
from tests.strategies.market import BTC, NOTIONAL, candle

FOUR = GridParams(lower=Decimal(100), upper=Decimal(140), cells=4)
LOT = Decimal("1.78571")  # 1000 / 4 / 140, on the grid of the venue


def decide(close: str | Decimal, position: Decimal, grid: Grid | None = None) -> Sequence[Decision]:
    price = Decimal(close)
    bar = candle(TimestampNs(0), price, price, price, price, Decimal(1))
    grid = grid or Grid(FOUR, BTC.symbol, NOTIONAL, BTC)
    return [one for one in grid.on_candle(bar, position) if isinstance(one, Decision)]


def lots(close: str, held: int) -> int:
    """How many lots are held after this close."""
    decisions = decide(close, held * LOT)
    traded = sum((d.side.sign * d.quantity for d in decisions), Decimal(0))
    assert traded % LOT == 0
    return held + int(traded / LOT)


@pytest.mark.parametrize(
    ("close", "held", "after"),
    [
        ("140.01", 0, 0),
        ("135", 0, 0),  # between the highest line where it buys, 130, and the top
        ("130", 0, 1),
        ("120", 1, 2),
        ("115", 2, 2),  # sold at 120 at the earliest
        ("95", 2, 4),
        ("1", 4, 4),  # below the grid it holds all
        ("110", 4, 3),  # the one bought at 100 is sold at 110
        ("109.99", 4, 4),
        ("125", 4, 2),
        ("140", 4, 0),
        ("105", 0, 3),  # a start inside the grid buys the lots above the market
    ],
)
def test_a_lot_is_bought_at_its_line_and_sold_at_the_next(
    close: str, held: int, after: int
) -> None:
    assert lots(close, held) == after


@pytest.mark.slow
@given(closes=st.lists(st.integers(1, 20_000), max_size=20), cells=st.integers(1, 40))
def test_all_lots_together_cost_no_more_than_the_order_notional(
    closes: list[int], cells: int
) -> None:
    params = GridParams(lower=Decimal(50), upper=Decimal(150), cells=cells, spacing="ratio")
    grid, position = Grid(params, BTC.symbol, NOTIONAL, BTC), Decimal(0)

    for cents in closes:
        close = Decimal(cents).scaleb(-2)
        for decision in decide(close, position, grid):
            position += decision.side.sign * decision.quantity
            assert decision.quantity * close >= BTC.min_notional
        assert position >= 0
        assert position * params.upper <= NOTIONAL


def test_what_is_left_of_an_older_lot_is_sold_above_the_grid() -> None:
    (decision,) = decide("150", Decimal("0.12345"))

    assert (decision.side, decision.quantity) == (Side.SELL, Decimal("0.12345"))


def test_lots_too_small_for_the_venue_are_not_traded() -> None:
    small = build(
        "grid",
        {"lower": "100", "upper": "140", "cells": 300},
        BTC.symbol,
        NOTIONAL,
        BTC,
    )
    price = Decimal(110)
    bar = candle(TimestampNs(0), price, price, price, price, Decimal(1))

    assert small.on_candle(bar, Decimal(0)) == ()
    assert small.on_candle(bar, Decimal(5)) == (), "and nothing is sold for it either"


@settings(max_examples=settings().max_examples // 4)
@given(cells=st.integers(1, 50), tick=st.sampled_from(["0.01", "1", "25"]))
def test_lines_rise_from_lower_to_upper(cells: int, tick: str) -> None:
    instrument = Instrument(symbol=BTC.symbol, price_tick=Decimal(tick))
    for spacing in ("even", "ratio"):
        params = GridParams(lower=Decimal(90), upper=Decimal(300), cells=cells, spacing=spacing)

        lines = lines_of(params, instrument)

        assert len(lines) == cells + 1
        assert lines == sorted(lines)
        assert (lines[0], lines[-1]) == (params.lower, params.upper)


@pytest.mark.parametrize("spacing", ["even", "ratio"])
def test_between_prices_of_cents_there_is_a_line_for_each_cell_where_no_venue_told_its_ticks(
    spacing: Literal["even", "ratio"],
) -> None:
    """As in a backtest: a tick of 0.01 would lay ten cells on six lines, and trade for nothing."""
    params = GridParams(lower=Decimal("0.15"), upper=Decimal("0.2"), cells=10, spacing=spacing)
    doge = plain_instrument(Symbol("DOGE/USDT"))

    lines = lines_of(params, doge)
    resting = GridOrders(lines, Decimal(100), 20, doge).wishes((), Decimal(0), Decimal("0.21"))

    prices = {one.limit_price for one in resting if isinstance(one, Decision)}
    assert len(prices) == params.cells
    assert prices == {line.quantize(Decimal("0.0001"), ROUND_DOWN) for line in lines[:-1]}
