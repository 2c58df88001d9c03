"""Profit at every price, against buying and holding; and which points a chart keeps of it."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from decisions.decimate import kept_indices
from decisions.equity_curve import Curve, Execution, PricePoint, curve
from messages.ids import Symbol, TimestampNs, TradeId
from messages.orders import Fill
from messages.values import Liquidity, Side

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")


def traded(
    ts_ns: int, side: Side, quantity: str, price: str, fee: str = "0", currency: str = "USDT"
) -> Execution:
    fill = Fill(
        trade_id=TradeId(f"T{ts_ns}"),
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_currency=currency,
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(ts_ns),
    )
    return (ts_ns, BTC, side, fill)


def prices(*texts: str, symbol: Symbol = BTC) -> list[PricePoint]:
    return [(ts_ns, symbol, Decimal(text)) for ts_ns, text in enumerate(texts)]


def over(points: list[PricePoint], *executions: Execution, capital: str = "1000") -> Curve:
    return curve("USDT", points, executions, capital=Decimal(capital))


def test_nothing_bought_earns_nothing_while_holding_follows_the_market() -> None:
    found = over(prices("100", "110", "90"))

    assert found.profit == [0, 0, 0]
    assert found.hold == [0, 100, -100]
    assert found.hold_drawdown == [0, 0, 200]


def test_profit_is_what_it_would_be_if_all_were_closed_at_the_price() -> None:
    bought = traded(1, Side.BUY, "2", "100", fee="1")

    found = over(prices("100", "110", "90"), bought)

    assert found.times_ns == [0, 1, 1, 2]
    assert found.profit == [0, -1, 19, -21]
    assert found.drawdown == [0, 1, 0, 40]
    assert found.deepest == 40


def test_a_fee_in_base_currency_makes_the_position_smaller() -> None:
    bought = traded(0, Side.BUY, "2", "100", fee="0.5", currency="BTC")

    assert over(prices("100", "200"), bought).profit[-1] == Decimal("1.5") * 200 - 200


def test_holding_pays_the_fee_once() -> None:
    found = curve(
        "USDT", prices("100", "100"), [], capital=Decimal(1000), fee_share=Decimal("0.001")
    )

    assert found.hold == [-1, -1]
    assert found.deepest_of_hold == 1


def test_holding_divides_its_money_among_the_symbols() -> None:
    points = sorted([*prices("100", "200"), *prices("10", "5", symbol=ETH)])

    assert over(points).hold[-1] == 250


def test_the_part_of_a_symbol_that_begins_later_lies_idle_until_then() -> None:
    later = [(ts_ns, ETH, Decimal(10)) for ts_ns in (2, 3)]

    found = over([*prices("100", "150", "190"), *later])

    assert found.hold == [0, 250, 450, 450, 450]
    assert found.deepest_of_hold == 0


def test_another_currency_is_none_of_its_business() -> None:
    assert curve("EUR", prices("1", "2"), [], capital=Decimal(1)).profit == []


def test_an_execution_without_a_price_before_it_is_a_price() -> None:
    found = over([], traded(5, Side.BUY, "1", "100"), traded(6, Side.SELL, "1", "130"))

    assert found.profit == [0, 30]
    assert found.hold == [0, 300]


@given(st.lists(st.integers(-1000, 1000).map(Decimal), max_size=300), st.integers(1, 12))
def test_the_points_kept_hold_every_extreme_and_both_ends(
    values: list[Decimal], columns: int
) -> None:
    kept = kept_indices(values, columns)

    assert len(kept) <= 4 * columns
    assert kept == sorted(set(kept))
    assert {values[i] for i in kept} >= ({min(values), max(values)} if values else set())
    assert not values or (kept[0], kept[-1]) == (0, len(values) - 1)
