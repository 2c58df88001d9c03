"""Trades from executions: by hand, and no money is lost between one and the next."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.performance_of_trades import trade_figures
from decisions.round_trips import Executed, RoundTrip, round_trips
from messages.exact import EXACT
from messages.ids import StrategyId, Symbol, TimestampNs, TradeId
from messages.orders import Fill
from messages.values import Liquidity, Side

BTC = Symbol("BTC/USDT")
ONE = StrategyId("one")


def execution(
    at: int, side: str, quantity: str, price: str, fee: str = "0", currency: str = "USDT"
) -> Executed:
    fill = Fill(
        trade_id=TradeId(f"t{at}"),
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_currency=currency,
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(at),
    )
    return Executed(at, ONE, BTC, Side(side), fill, f"{side} at {price}")


def told(trip: RoundTrip) -> tuple[str, str, str, str, str, int]:
    long = "long" if trip.side is Side.BUY else "short"
    amounts = [f"{amount.normalize():f}" for amount in (trip.quantity, trip.entry, trip.exit)]
    return (long, *amounts, f"{trip.profit.normalize():f}", trip.executions)  # type: ignore[return-value]  # three amounts


def test_a_long_one_in_two_steps_each_way() -> None:
    found = round_trips(
        [
            execution(1, "buy", "1", "100", "1"),
            execution(2, "buy", "1", "110", "1"),
            execution(3, "sell", "0.5", "120", "1"),
            execution(4, "sell", "1.5", "90", "1"),
        ]
    )

    assert [told(one) for one in found.ended] == [("long", "2", "105", "97.5", "-19", 4)]
    assert (found.ended[0].opened_ns, found.ended[0].closed_ns) == (1, 4)
    assert found.ended[0].fees == 4
    assert found.still_open == 0


def test_a_turn_ends_one_and_begins_another_and_the_fee_is_shared() -> None:
    found = round_trips(
        [
            execution(1, "buy", "1", "100"),
            execution(2, "sell", "3", "110", "3"),
            execution(3, "buy", "2", "105"),
        ]
    )

    assert [told(one) for one in found.ended] == [
        ("long", "1", "100", "110", "9", 2),
        ("short", "2", "110", "105", "8", 2),
    ]
    assert [one.number for one in found.ended] == [1, 2]
    assert [(one.entry_reason, one.exit_reason) for one in found.ended] == [
        ("buy at 100", "sell at 110"),
        ("sell at 110", "buy at 105"),
    ]


def test_what_a_fee_in_the_base_currency_leaves_over_goes_to_the_next_trade() -> None:
    executions = [
        execution(1, "buy", "1", "100", "0.001", "BTC"),
        execution(2, "sell", "0.998", "110"),
        execution(3, "buy", "1", "120", "0.001", "BTC"),
        execution(4, "sell", "1", "130"),
    ]
    found = round_trips(executions)

    assert len(found.ended) == 2
    assert found.still_open == 0
    total = sum((one.profit for one in found.ended), start=Decimal(0))
    assert total == Decimal("-100") + Decimal("0.998") * 110 - 120 + 130
    assert found.ended[0].fees == Decimal("0.1")


def test_one_that_is_open_is_valued_at_the_last_price() -> None:
    found = round_trips([execution(1, "sell", "2", "100", "1")])

    (one,) = found.open({BTC: Decimal(90)})
    assert told(one) == ("short", "2", "100", "90", "19", 1)
    assert one.closed_ns is None
    assert (one.entry_reason, one.exit_reason) == ("sell at 100", "")


executions = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["0.001", "0.5", "1", "1.7"]),
        st.integers(80, 120).map(str),
        st.sampled_from(["0", "0.03", "-0.01"]),
        st.sampled_from(["USDT", "BTC"]),
    ),
    max_size=25,
)


@pytest.mark.slow
@given(executions)
def test_no_money_is_lost(some: list[tuple[str, str, str, str, str]]) -> None:
    """Cash, fees and what is left, at the last price, are the profits of all trades."""
    made = [
        execution(at, side, quantity, price, f if c == "USDT" else str(Decimal(f) / 100), c)
        for at, (side, quantity, price, f, c) in enumerate(some, 1)
    ]
    last = Decimal(97)
    found = round_trips(made)

    with localcontext(EXACT):
        cash = held = Decimal(0)
        for _, _, _, side, fill, _ in made:
            held += side.sign * fill.quantity
            cash -= side.sign * fill.quantity * fill.price
            if fill.fee_currency == "USDT":
                cash -= fill.fee
            else:
                held -= fill.fee
        trips = [*found.ended, *found.open({BTC: last})]
        profit = sum((one.profit for one in trips), start=Decimal(0))
        assert abs(profit + found.left_over({BTC: last}) - cash - held * last) < Decimal("1e-60")
    assert all(one.opened_ns <= (one.closed_ns or 99) for one in trips)
    assert len({one.number for one in trips}) == len(trips)


def test_the_figures_of_trades_by_hand() -> None:
    """Won 10 and 20, lost 5, nothing, and 5 again."""
    prices = ["110", "120", "95", "100", "95"]
    made = [
        one
        for n, price in enumerate(prices)
        for one in (
            execution(100 * n + 1, "buy", "1", "100"),
            execution(100 * n + 11 + n, "sell", "1", price),
        )
    ]
    found = trade_figures(round_trips(made).ended, 1)

    assert (found.ended, found.open, found.wins, found.longs) == (5, 1, 2, 5)
    assert (found.hit_rate, found.profit_factor, found.expectancy) == (0.4, 3.0, 4.0)
    assert (found.average_win, found.average_loss, found.payoff) == (15.0, 5.0, 3.0)
    assert (found.best, found.worst, found.losing_streak) == (20.0, -5.0, 3)
    assert (found.average_held_ns, found.longest_held_ns) == (12, 14)


def test_no_trade_has_no_figure() -> None:
    found = trade_figures([], 0)

    assert (found.hit_rate, found.profit_factor, found.expectancy, found.best) == (None,) * 4
    assert (found.losing_streak, found.average_held_ns) == (0, 0)
