from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.portfolio import Portfolio
from messages.ids import Symbol, TimestampNs, TradeId
from messages.orders import Fill
from messages.values import Liquidity, Side

BTC = Symbol("BTC/USDT")
ETH = Symbol("ETH/USDT")
CROSS = Symbol("ETH/BTC")
BUY, SELL = Side.BUY, Side.SELL


def fill(quantity: str, price: str, fee: str = "0", currency: str = "USDT") -> Fill:
    return Fill(
        trade_id=TradeId("t"),
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_currency=currency,
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(0),
    )


def test_a_round_trip_brings_the_difference_less_both_fees() -> None:
    portfolio = Portfolio()

    portfolio.record(BTC, BUY, fill("2", "100", "1"))
    portfolio.record(BTC, SELL, fill("2", "110", "1"))

    holding = portfolio.holdings[BTC]
    assert holding.quantity == holding.average_cost == 0
    assert holding.realized == portfolio.equity("USDT") == 18
    assert holding.fees == 2


def test_buying_more_averages_the_cost_and_selling_some_leaves_it() -> None:
    portfolio = Portfolio()

    portfolio.record(BTC, BUY, fill("1", "100"))
    portfolio.record(BTC, BUY, fill("3", "120"))
    portfolio.record(BTC, SELL, fill("2", "130"))

    holding = portfolio.holdings[BTC]
    assert holding.average_cost == 115
    assert holding.realized == 30


def test_equity_has_no_digit_of_an_average_cost_that_never_ends() -> None:
    portfolio = Portfolio()

    portfolio.record(BTC, BUY, fill("0.7", "59214.36"))
    portfolio.record(BTC, BUY, fill("2.3", "59207.89"))
    portfolio.mark(BTC, Decimal("59191.22"))

    assert portfolio.equity("USDT") == Decimal("-54.539")


def test_a_position_that_is_turned_costs_what_turned_it() -> None:
    portfolio = Portfolio()

    portfolio.record(BTC, BUY, fill("1", "100"))
    portfolio.record(BTC, SELL, fill("3", "110"))

    holding = portfolio.holdings[BTC]
    assert (holding.quantity, holding.average_cost) == (Decimal(-2), Decimal(110))
    assert holding.realized == 10


def test_a_short_position_gains_when_the_price_falls() -> None:
    portfolio = Portfolio()
    portfolio.record(BTC, SELL, fill("2", "100"))

    portfolio.mark(BTC, Decimal(90))

    assert portfolio.holdings[BTC].unrealized == portfolio.equity("USDT") == 20


def test_a_fee_in_the_base_currency_takes_units_and_is_a_loss_at_their_price() -> None:
    portfolio = Portfolio()

    portfolio.record(BTC, BUY, fill("1", "100", "0.01", "BTC"))

    holding = portfolio.holdings[BTC]
    assert holding.quantity == Decimal("0.99")
    assert holding.realized == portfolio.equity("USDT") == -1
    assert holding.fees == 1


def test_a_fee_in_a_third_currency_is_kept_apart() -> None:
    portfolio = Portfolio()

    portfolio.record(BTC, BUY, fill("1", "100", "0.01", "BNB"))

    assert portfolio.other_fees == {"BNB": Decimal("0.01")}
    assert portfolio.equity("USDT") == 0


def test_profit_in_one_currency_is_never_added_to_profit_in_another() -> None:
    portfolio = Portfolio()
    portfolio.record(ETH, BUY, fill("1", "100"))
    portfolio.record(CROSS, BUY, fill("1", "0.05", currency="BTC"))

    portfolio.mark(ETH, Decimal(110))
    portfolio.mark(CROSS, Decimal("0.06"))

    assert portfolio.quotes() == ["BTC", "USDT"]
    assert (portfolio.equity("USDT"), portfolio.equity("BTC")) == (Decimal(10), Decimal("0.01"))


def test_the_drawdown_is_the_deepest_fall_from_a_peak_over_all_symbols() -> None:
    portfolio = Portfolio()
    portfolio.record(BTC, BUY, fill("1", "100"))
    portfolio.record(ETH, BUY, fill("1", "100"))

    for symbol, price in ((BTC, 130), (ETH, 90), (BTC, 115), (ETH, 200), (BTC, 100)):
        portfolio.mark(symbol, Decimal(price))

    assert portfolio.max_drawdown("USDT") == 25


def test_a_loss_from_the_beginning_is_a_drawdown() -> None:
    portfolio = Portfolio()
    portfolio.record(BTC, BUY, fill("1", "100"))

    portfolio.mark(BTC, Decimal(93))

    assert portfolio.max_drawdown("USDT") == 7


def test_marks_of_what_is_not_held_are_not_kept() -> None:
    portfolio = Portfolio()

    portfolio.mark(BTC, Decimal(100))

    assert not portfolio.holdings
    assert portfolio.quotes() == []


trades = st.lists(
    st.tuples(
        st.sampled_from([BTC, ETH]),
        st.sampled_from(Side),
        st.decimals("0.1", "9", places=1),
        st.decimals("1", "200", places=2),
        st.decimals("-1", "1", places=2),
        st.sampled_from(["USDT", "BTC", "ETH"]),
    ),
    max_size=30,
)


@pytest.mark.slow
@given(trades=trades)
def test_profit_is_money_that_came_in_and_what_is_held_at_the_mark(
    trades: list[tuple[Symbol, Side, Decimal, Decimal, Decimal, str]],
) -> None:
    portfolio = Portfolio()
    cash = Decimal(0)
    held = {BTC: Decimal(0), ETH: Decimal(0)}

    for symbol, side, quantity, price, fee, currency in trades:
        if currency not in (symbol[:3], "USDT"):
            continue
        portfolio.record(symbol, side, fill(str(quantity), str(price), str(fee), currency))
        cash -= side.sign * quantity * price + (fee if currency == "USDT" else 0)
        held[symbol] += side.sign * quantity - (fee if currency == symbol[:3] else 0)
    for symbol in held:
        portfolio.mark(symbol, Decimal(150))

    worth = cash + 150 * sum(held.values())
    assert float(portfolio.equity("USDT")) == pytest.approx(float(worth), rel=1e-12, abs=1e-15)
    assert all(held[symbol] == one.quantity for symbol, one in portfolio.holdings.items())
