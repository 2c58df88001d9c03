"""Orders of one moment are served in the order of the strategies, whoever was submitted first."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from itertools import permutations
from pathlib import Path

import pytest

from exchanges.paper import PaperVenue
from exchanges.paper_book import read_book
from exchanges.paper_plain import PlainVenue
from exchanges.paper_settings import PaperSettings
from exchanges.protocol import NewOrder
from messages.ids import ClientOrderId, StrategyId, Symbol, TimestampNs
from messages.market import Candle
from messages.values import OrderType, Side, TimeInForce

BTC = Symbol("BTC/USDT")
FIRST, SECOND, THIRD = map(StrategyId, ("zeta", "alpha", "mid"))
MINUTE_NS = 60_000_000_000
DECIDED = TimestampNs(MINUTE_NS)
ALL = (FIRST, SECOND, THIRD)
FOR_TWO = PaperSettings(balances={"USDT": Decimal(250)})
Venue = PaperVenue | PlainVenue
VENUES: list[Callable[[PaperSettings], Venue]] = [
    lambda settings: PaperVenue(None, settings, strategies=ALL),
    lambda settings: PlainVenue(settings, ALL),
]


def order(strategy: StrategyId, name: str = "", side: Side = Side.BUY) -> NewOrder:
    """One coin at the market, which is 100."""
    return NewOrder(
        client_order_id=ClientOrderId(name or strategy),
        symbol=BTC,
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(1),
        limit_price=None,
        decided_at_ns=DECIDED,
        strategy_id=strategy,
    )


def candle(minute: int) -> Candle:
    price = Decimal(100)
    return Candle(
        symbol=BTC,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1000),
        ts_open_ns=TimestampNs((minute - 1) * MINUTE_NS),
        ts_event_ns=TimestampNs(minute * MINUTE_NS),
    )


def show(venue: Venue, event: Candle) -> None:
    if isinstance(venue, PaperVenue):
        venue.on_market([event])
    else:
        venue.on_market(event)


def play(venue: Venue, orders: Sequence[NewOrder]) -> None:
    """Submit what was decided at the first candle, then show the second."""
    show(venue, candle(1))
    for one in orders:
        venue.submit(one)
    show(venue, candle(2))


def filled(path: Path) -> set[str]:
    return {row.client_order_id for row in read_book(path) if row.filled_quantity}


@pytest.mark.parametrize("submitted", list(permutations(ALL)))
def test_the_last_money_is_the_first_strategys_whoever_came_first(
    tmp_path: Path, submitted: Sequence[StrategyId]
) -> None:
    path = tmp_path / "paper.db"
    with closing(PaperVenue(path, FOR_TWO, strategies=ALL)) as venue:
        play(venue, [order(one) for one in submitted])

    assert filled(path) == {FIRST, SECOND}


@pytest.mark.parametrize("make", VENUES)
def test_the_venue_of_a_backtest_has_the_same_turns(
    make: Callable[[PaperSettings], Venue],
) -> None:
    """The first strategy sells what it needs the coin for; then the second has the money to buy."""
    settings = PaperSettings(balances={"USDT": Decimal(10), "BTC": Decimal(1)})
    ends = []
    for orders in permutations((order(SECOND), order(FIRST, side=Side.SELL))):
        venue = make(settings)
        play(venue, orders)
        ends.append(venue.balances())

    assert ends[0] == ends[1]
    assert ends[0]["BTC"] == 1


@pytest.mark.parametrize("make", VENUES)
def test_what_one_strategy_decides_is_served_in_its_order(
    make: Callable[[PaperSettings], Venue],
) -> None:
    """However its orders are called: it sells, and buys for what that brings."""
    for names in (("a", "b"), ("b", "a")):
        venue = make(PaperSettings(balances={"USDT": Decimal(10), "BTC": Decimal(1)}))
        play(venue, [order(FIRST, names[0], Side.SELL), order(FIRST, names[1])])

        assert venue.balances()["BTC"] == 1


def test_a_turn_outlives_the_process(tmp_path: Path) -> None:
    """Killed between two submissions of one moment, it goes on as if it had not been."""
    path = tmp_path / "paper.db"
    with closing(PaperVenue(path, FOR_TWO, strategies=ALL)) as venue:
        venue.on_market([candle(1)])
        venue.submit(order(THIRD))
    with closing(PaperVenue(path, FOR_TWO, strategies=ALL)) as venue:
        play(venue, [order(THIRD), order(SECOND), order(FIRST)])

    assert filled(path) == {FIRST, SECOND}


def test_a_book_of_before_there_were_turns_is_gone_on_with(tmp_path: Path) -> None:
    """What is open in it was submitted first, and is served first."""
    path = tmp_path / "paper.db"
    with closing(PaperVenue(path, FOR_TWO, strategies=ALL)) as venue:
        venue.on_market([candle(1)])
        venue.submit(order(THIRD))
        venue.submit(order(SECOND))
    with closing(sqlite3.connect(path)) as book:
        book.execute("DROP TABLE turns")
    with closing(PaperVenue(path, FOR_TWO, strategies=ALL)) as venue:
        play(venue, [order(SECOND), order(THIRD), order(FIRST)])

    assert filled(path) == {SECOND, THIRD}
