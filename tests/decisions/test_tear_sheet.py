"""A sheet is the exact curve in floats, its parts add up, and several symbols are one account."""

import json
from collections.abc import Sequence
from decimal import Decimal
from math import isclose
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.bars import Bars
from decisions.equity_curve import curve
from decisions.round_trips import Executed
from decisions.tear_sheet import CURVE, Sheet, Trials, sheet_of
from decisions.tear_sheet_model import MOST_MARKS, MOST_TRIPS, marks_of, sheet_model
from decisions.tear_sheet_rows import amount, money, rows_of
from decisions.valued import Lane
from messages.ids import DAY_NS, StrategyId, Symbol, TimestampNs, TradeId
from messages.orders import Fill
from messages.values import Liquidity, Side

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
CAPITAL = 1_000.0

Prices = Sequence[tuple[int, int]]
"""When, and the price."""


def execution(at: int, side: str, quantity: str, price: int, symbol: Symbol = BTC) -> Executed:
    fill = Fill(
        trade_id=TradeId(f"{symbol}{at}"),
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal("0.1"),
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(at),
    )
    return Executed(at, StrategyId("one"), symbol, Side(side), fill)


def sheet(
    markets: dict[Symbol, Prices],
    executions: Sequence[Executed],
    split_ns: int | None = None,
    size: int = 3,
) -> Sheet:
    lanes = [
        Lane(
            symbol,
            [
                ([t for t, _ in prices[n : n + size]], [float(p) for _, p in prices[n : n + size]])
                for n in range(0, len(prices), size)
            ],
            [one for one in executions if one[2] == symbol],
            hold=CAPITAL / len(markets),
            fee_share=0.001,
            split_ns=split_ns,
        )
        for symbol, prices in markets.items()
    ]
    return sheet_of("USDT", lanes, executions, capital=CAPITAL, split_ns=split_ns)


times = st.lists(st.integers(1, 60), min_size=1, max_size=12, unique=True).map(sorted)


@st.composite
def market(draw: st.DrawFn) -> Prices:
    return [(at, draw(st.integers(80, 120))) for at in draw(times)]


@st.composite
def traded(draw: st.DrawFn, symbol: Symbol, prices: Prices) -> list[Executed]:
    found = []
    for at, price in prices:
        if draw(st.booleans()):
            side, quantity = draw(st.sampled_from(["buy", "sell"])), draw(st.sampled_from("123"))
            found.append(execution(at, side, quantity, price, symbol))
    return found


@pytest.mark.slow
@given(data=st.data(), size=st.integers(1, 5))
def test_one_symbol_is_the_exact_curve(data: st.DataObject, size: int) -> None:
    prices = data.draw(market())
    executions = data.draw(traded(BTC, prices))

    found = sheet({BTC: prices}, executions, size=size)

    exact = curve(
        "USDT",
        [(at, BTC, Decimal(price)) for at, price in prices],
        [(one.ts_ns, one.symbol, one.side, one.fill) for one in executions],
        capital=Decimal(1_000),
        fee_share=Decimal("0.001"),
    )
    last = dict(zip(exact.times_ns, range(len(exact.times_ns)), strict=True))
    columns = dict(zip(CURVE, found.curve.columns, strict=True))
    assert found.curve.times_ns == list(last)
    for name, values in (("profit", exact.profit), ("hold", exact.hold)):
        assert columns[name] == pytest.approx([float(values[at]) for at in last.values()])
    figures = found.parts[0].figures
    assert isclose(figures.net, float(exact.profit[-1]), abs_tol=1e-9)
    assert isclose(figures.max_drawdown, float(exact.deepest), abs_tol=1e-9)
    hold = found.parts[0].hold
    assert hold is not None
    assert isclose(hold.max_drawdown, float(exact.deepest_of_hold), abs_tol=1e-9)


@pytest.mark.slow
@given(data=st.data(), split=st.integers(1, 59))
def test_parts_and_symbols_add_up_to_the_whole(data: st.DataObject, split: int) -> None:
    one, other = data.draw(market()), data.draw(market())
    executions = sorted(
        [*data.draw(traded(BTC, one)), *data.draw(traded(ETH, other))], key=lambda e: e[0]
    )

    found = sheet({BTC: one, ETH: other}, executions, split_ns=split)

    whole, *parts = found.parts
    assert isclose(sum(p.figures.net for p in parts), whole.figures.net, abs_tol=1e-9)
    assert sum(p.executions for p in parts) == whole.executions == len(executions)
    assert sum(p.trades.ended for p in parts) == whole.trades.ended
    assert sum(p.turnover for p in parts) == whole.turnover
    assert sum(p.fees for p in parts) == whole.fees == Decimal("0.1") * len(executions)
    assert parts[-1].trades.open == whole.trades.open
    if parts[0].name == "in sample":
        at_split = [e for e in executions if e[0] <= split]
        held = [
            sum(one.side.sign * one.fill.quantity for one in at_split if one.symbol == symbol)
            for symbol in (BTC, ETH)
        ]
        assert parts[0].trades.open == sum(map(bool, held))
    assert whole.figures.max_drawdown >= max(p.figures.max_drawdown for p in parts) - 1e-9
    lanes = [sum(s.net for s in lane.stretches) for lane in found.lanes]
    assert isclose(sum(lanes), whole.figures.net, abs_tol=1e-9)
    closes = {BTC: one[-1][1], ETH: other[-1][1]}
    exact = sum(
        side.sign * fill.quantity * (closes[symbol] - fill.price) - fill.fee
        for _, _, symbol, side, fill, _ in executions
    )
    assert isclose(whole.figures.net, float(exact), abs_tol=1e-9)


def test_out_of_sample_is_on_what_the_first_part_left() -> None:
    prices = [(n * DAY_NS, 100 + n) for n in range(1, 7)]
    found = sheet({BTC: prices}, [execution(DAY_NS, "buy", "10", 101)], split_ns=3 * DAY_NS)

    _, inside, outside = found.parts
    assert (inside.figures.net, outside.figures.net) == pytest.approx((19.9, 30.0))
    assert outside.figures.equity == pytest.approx(1_019.9)
    assert outside.figures.daily is not None
    assert outside.figures.daily.days == 3  # of each of its days, on the last one in sample
    assert outside.figures.daily.best == pytest.approx(10 / 1_019.9)


def test_what_is_executed_after_the_last_price_is_worth_what_was_paid() -> None:
    found = sheet({BTC: [(1, 100)]}, [execution(9, "buy", "1", 120)])
    nothing = sheet({BTC: []}, [execution(9, "buy", "1", 120)])

    for one in (found, nothing):
        assert one.parts[0].figures.net == pytest.approx(-0.1)
        assert one.curve.times_ns[-1] == 9


@pytest.mark.parametrize(
    ("value", "quote", "shown"),
    [
        (Decimal("0.9953"), "BTC", "0.995300"),
        (-0.0047, "BTC", "-0.004700"),
        (1e-7, "ETH", "0.00000010"),
        (0, "BTC", "0.000000"),
        (Decimal("9953.127"), "USDT", "9,953.13"),
        (-0.0047, "USDT", "-0.0047"),
        (None, "BTC", "-"),
    ],
)
def test_an_amount_of_a_dear_currency_has_as_many_digits_that_count_as_one_of_a_cheap_one(
    value: float | Decimal | None, quote: str, shown: str
) -> None:
    assert amount(value, quote) == shown
    assert money(value, quote) == (shown if value is None else f"{shown} {quote}")


def test_a_sheet_in_bitcoin_shows_what_was_won_of_one() -> None:
    eth = Symbol("ETH/BTC")
    lanes = [Lane(eth, [([1, 2], [0.05, 0.0547])], [], hold=1.0, fee_share=0.0)]
    found = sheet_of("BTC", lanes, [], capital=1.0)

    rows = {row.label: row for row in rows_of("BTC", found.parts, None)}
    assert (rows["Net, BTC"].values, rows["Net, BTC"].hold) == (["0.000000"], "+0.094000")
    headline = sheet_model(found, Trials(), {eth: Bars(10)})["headline"]
    assert headline[0] == ["Net profit, fees paid", "0.000000", "BTC", "0.00 % of 1.000000"]


def test_a_market_without_a_price_and_an_execution_is_an_empty_sheet() -> None:
    found = sheet({BTC: []}, [])
    model = sheet_model(found, Trials(), {})

    assert found.parts[0].figures.net == 0
    assert model["curve"]["t"] == []
    json.dumps(model, allow_nan=False)


@pytest.fixture(scope="module")
def busy() -> Sheet:
    """Five thousand trades; one of them won by far the most."""
    executions = []
    for n in range(5_000):
        executions.append(execution(2 * n + 1, "buy", "1", 100))
        executions.append(execution(2 * n + 2, "sell", "1", 500 if n == 1_234 else 99 + n % 3))
    return sheet({BTC: [(n, 100) for n in range(1, 10_001)]}, executions, size=4_096)


def test_a_page_of_many_trades_stays_small_and_keeps_the_notable_ones(busy: Sheet) -> None:
    model: dict[str, Any] = sheet_model(busy, Trials(), {BTC: Bars(10)})
    marks, total = marks_of(busy)[BTC]

    assert model["trips_total"] == 5_000
    assert len(model["trips"]) == MOST_TRIPS
    assert 1_235 in [row[0] for row in model["trips"]]
    assert model["trips"][-1][0] == 5_000
    assert total == 10_000
    assert 1_000 < len(marks) <= MOST_MARKS
    assert {mark[1] for mark in marks} == {"buy", "sell"}
    assert [mark[4] for mark in marks].count(1_235) == 2
    assert len(json.dumps(model)) < 1_000_000


def test_marks_of_one_endless_trade_are_thinned_too() -> None:
    executions = [
        execution(n + 1, "buy" if n % 2 == 0 else "sell", "2" if n == 0 else "1", 100)
        for n in range(9_000)
    ]
    found = sheet({BTC: [(n, 100) for n in range(1, 9_001)]}, executions, size=4_096)
    marks, _ = marks_of(found)[BTC]

    assert 500 < len(marks) <= MOST_MARKS
    assert 0.3 < [mark[1] for mark in marks].count("buy") / len(marks) < 0.7
