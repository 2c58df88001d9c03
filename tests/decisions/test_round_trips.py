"""Trades from executions: by hand, and no money is lost between one and the next."""

from collections.abc import Sequence
from decimal import Decimal, localcontext

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.performance_of_trades import trade_figures
from decisions.round_trips import Executed, RoundTrip, RoundTrips, round_trips
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


def test_the_last_piece_of_an_exit_is_of_the_trade_that_it_ends() -> None:
    found = RoundTrips()
    numbers = [
        found.take(one)
        for one in (
            execution(1, "buy", "1", "100", "0.1"),
            execution(2, "sell", "0.996", "110", "0.1"),
            execution(3, "sell", "0.003", "120", "0.1"),
            execution(4, "sell", "0.001", "120", "0.1"),
            execution(5, "sell", "1", "120"),
        )
    ]

    assert numbers == [1, 1, 1, 1, 2]
    assert [told(one) for one in found.ended] == [("long", "1", "100", "110.04", "9.64", 4)]
    (one,) = found.ended
    assert (one.closed_ns, one.exit_reason, one.fees) == (2, "sell at 110", Decimal("0.4"))
    assert found.still_open == 1


def test_a_piece_that_came_late_changes_its_trade_where_it_stands() -> None:
    other = Symbol("ETH/USDT")
    found = round_trips(
        [
            execution(1, "buy", "1", "100"),
            execution(2, "buy", "1", "50")._replace(symbol=other),
            execution(3, "sell", "0.997", "110"),
            execution(4, "sell", "1", "40")._replace(symbol=other),
            execution(5, "sell", "0.003", "210"),
        ]
    )

    assert [(one.symbol, one.profit) for one in found.ended] == [
        (BTC, Decimal("10.3")),
        (other, Decimal(-10)),
    ]


def test_a_turn_closes_what_the_last_trade_left_before_it_begins_another() -> None:
    found = round_trips(
        [
            execution(1, "buy", "1", "100"),
            execution(2, "sell", "0.998", "110"),
            execution(3, "sell", "2.002", "120", "1.001"),
            execution(4, "buy", "2", "110"),
        ]
    )

    assert [told(one) for one in found.ended] == [
        ("long", "1", "100", "110.02", "10.019", 3),
        ("short", "2", "120", "110", "19", 2),
    ]


def test_who_leaves_all_and_pays_in_the_base_currency_has_left_it() -> None:
    """The fee of an exit is no trade, however many pieces it comes in."""
    found = round_trips(
        [
            execution(1, "buy", "1", "100"),
            execution(2, "sell", "0.5", "110", "0.0005", "BTC"),
            execution(3, "sell", "0.4995", "110", "0.0004995", "BTC"),
            execution(4, "sell", "0.0005", "110", "0.0000005", "BTC"),
            execution(5, "buy", "1", "110"),
        ]
    )

    assert [told(one) for one in found.ended] == [("long", "1", "100", "110", "9.89", 4)]
    (one,) = found.open({BTC: Decimal(110)})
    assert told(one) == ("long", "0.999", "110", "110", "0", 1)


def test_what_is_bought_for_the_fee_of_a_short_ones_exit_is_of_its_exit() -> None:
    found = round_trips(
        [
            execution(1, "sell", "1", "100"),
            execution(2, "buy", "1", "90", "0.001", "BTC"),
            execution(3, "buy", "0.001", "90"),
        ]
    )

    assert [told(one) for one in found.ended] == [("short", "1", "100", "90", "9.91", 3)]
    assert found.still_open == 0


def test_one_that_is_open_is_valued_at_the_last_price() -> None:
    found = round_trips([execution(1, "sell", "2", "100", "1")])

    (one,) = found.open({BTC: Decimal(90)})
    assert told(one) == ("short", "2", "100", "90", "19", 1)
    assert one.closed_ns is None
    assert (one.entry_reason, one.exit_reason) == ("sell at 100", "")


executions = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["0.001", "0.004", "0.5", "0.996", "1", "1.7"]),
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


PIECES = [
    ("1",),
    ("0.5", "0.5"),
    ("0.997", "0.003"),
    ("0.001", "0.999"),
    ("0.994", "0.002", "0.004"),
]


def in_pieces(one: Executed, shares: Sequence[str]) -> list[Executed]:
    """Give an execution as several at the same price and moment."""
    return [
        one._replace(
            fill=msgspec.structs.replace(
                one.fill,
                quantity=one.fill.quantity * Decimal(share),
                fee=one.fill.fee * Decimal(share),
            )
        )
        for share in shares
    ]


@pytest.mark.slow
@given(executions, st.data())
def test_no_trade_knows_how_many_pieces_a_fill_came_in(
    some: list[tuple[str, str, str, str, str]], data: st.DataObject
) -> None:
    whole = [
        execution(at, side, quantity, price, f if c == "USDT" else str(Decimal(f) / 100), c)
        for at, (side, quantity, price, f, c) in enumerate(some, 1)
    ]
    last = {BTC: Decimal(97)}
    found = round_trips(whole)

    cut = round_trips(
        piece for one in whole for piece in in_pieces(one, data.draw(st.sampled_from(PIECES)))
    )

    for ours, theirs in ((found.ended, cut.ended), (found.open(last), cut.open(last))):
        assert [alike(one) for one in ours] == [alike(one) for one in theirs]
    assert abs(found.left_over(last) - cut.left_over(last)) < Decimal("1e-60")


def alike(trip: RoundTrip) -> dict[str, object]:
    """Give all that is not of its executions one by one, amounts without what a quotient rounds."""
    fields = msgspec.structs.asdict(trip) | {"executions": 0}
    return {
        name: EXACT.quantize(value, Decimal("1e-60")) if isinstance(value, Decimal) else value
        for name, value in fields.items()
    }


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
