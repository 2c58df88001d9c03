"""The paper venue, from the door to the book."""

import sqlite3
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from exchanges.paper import PaperSettings, PaperVenue
from exchanges.paper_book import read_book
from exchanges.paper_faults import PaperFault, PaperFaults
from exchanges.protocol import NewOrder, Trading
from messages.errors import DataError, NotSent, OutcomeUnknown, Rejected, VenueError, VenueFailed
from messages.ids import ClientOrderId, Symbol, TimestampNs
from messages.market import Candle
from messages.values import Instrument, OrderState, Side, TimeInForce
from tests.exchanges.paper_run import free_in

MINUTE_NS = 60_000_000_000
BTC = Symbol("BTC/USDT")
A = ClientOrderId("a")
MakeOrder = Callable[..., NewOrder]
MakeCandle = Callable[..., Candle]


@pytest.fixture
def venue() -> Iterator[PaperVenue]:
    venue = PaperVenue(None)
    yield venue
    venue.close()


def test_the_paper_venue_is_a_venue(venue: PaperVenue) -> None:
    trading: Trading = venue

    assert trading.find(A, BTC) is None


def test_an_order_is_accepted_and_fills_at_the_next_open(
    venue: PaperVenue, order: MakeOrder, candle: MakeCandle
) -> None:
    accepted = venue.submit(order("a"))
    (filled,) = venue.on_market([candle(0)])

    assert accepted.state is OrderState.ACCEPTED
    assert filled.state is OrderState.FILLED
    assert filled.average_price == Decimal("100.01")
    assert venue.balances() == {"USDT": Decimal("9899.88999"), "BTC": Decimal(1)}


def test_a_late_submit_meets_the_same_bar_as_an_early_one(
    venue: PaperVenue, order: MakeOrder, candle: MakeCandle
) -> None:
    venue.on_market([candle(0), candle(1, open="104"), candle(2, open="99")])

    report = venue.submit(order("a", decided_at_ns=TimestampNs(MINUTE_NS)))

    assert report.state is OrderState.FILLED
    assert report.fills[0].ts_event_ns == 2 * MINUTE_NS
    assert report.average_price == Decimal("104.02")


def test_a_bar_that_closes_as_the_order_arrives_is_over(
    order: MakeOrder, candle: MakeCandle
) -> None:
    venue = PaperVenue(None, PaperSettings(latency_ms=0))
    venue.submit(order("a", decided_at_ns=TimestampNs(MINUTE_NS)))

    assert venue.on_market([candle(0)]) == []
    assert len(venue.on_market([candle(1)])) == 1


def test_a_large_order_fills_bar_by_bar(
    venue: PaperVenue, order: MakeOrder, candle: MakeCandle
) -> None:
    venue.submit(order("a", quantity="25"))
    bars = [candle(n, volume="100") for n in range(4)]

    states = [report.state for bar in bars for report in venue.on_market([bar])]

    assert states == [OrderState.PARTIALLY_FILLED, OrderState.PARTIALLY_FILLED, OrderState.FILLED]
    report = venue.find(A, BTC)
    assert report is not None
    assert [str(fill.trade_id) for fill in report.fills] == ["a-1", "a-2", "a-3"]
    assert [fill.quantity for fill in report.fills] == [10, 10, 5]


def test_a_bar_without_volume_gives_nothing(
    venue: PaperVenue, order: MakeOrder, candle: MakeCandle
) -> None:
    venue.submit(order("a"))

    venue.on_market([candle(0, volume="0")])
    (report,) = venue.on_market([candle(1)])

    assert report.fills[0].ts_event_ns == 2 * MINUTE_NS


@pytest.mark.parametrize(
    ("time_in_force", "state", "filled"),
    [(TimeInForce.IOC, OrderState.CANCELED, 10), (TimeInForce.FOK, OrderState.EXPIRED, 0)],
)
def test_what_may_not_rest_ends_with_the_first_bar(
    venue: PaperVenue,
    order: MakeOrder,
    candle: MakeCandle,
    time_in_force: TimeInForce,
    state: OrderState,
    filled: int,
) -> None:
    venue.submit(order("a", quantity="25", time_in_force=time_in_force))

    (report,) = venue.on_market([candle(0, volume="100"), candle(1)])

    assert (report.state, report.filled_quantity) == (state, Decimal(filled))
    assert free_in(venue) == venue.balances()


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_an_order_without_funds_is_rejected_at_its_first_bar(
    venue: PaperVenue, order: MakeOrder, candle: MakeCandle, side: Side
) -> None:
    venue.submit(order("a", side=side, quantity="101"))

    (report,) = venue.on_market([candle(0)])

    assert (report.state, report.reason) == (OrderState.REJECTED, "insufficient funds")


def test_a_resting_order_locks_what_it_may_need(
    venue: PaperVenue, order: MakeOrder, candle: MakeCandle
) -> None:
    venue.submit(order("a", quantity="100", limit_price="80"))
    venue.submit(order("b", quantity="25"))

    (locked, refused) = venue.on_market([candle(0)])

    assert locked.state is OrderState.ACCEPTED
    assert refused.state is OrderState.REJECTED
    assert free_in(venue)["USDT"] == 10_000 - Decimal("8008")


def test_a_market_order_that_outgrows_its_lock_buys_what_it_can_and_ends(
    venue: PaperVenue, order: MakeOrder, candle: MakeCandle
) -> None:
    venue.submit(order("a", quantity="20"))

    venue.on_market([candle(0, volume="100")])
    (report,) = venue.on_market([candle(1, open="200", high="200", volume="100")])

    assert (report.state, report.reason) == (OrderState.CANCELED, "insufficient funds")
    assert 10 < report.filled_quantity < 20
    assert free_in(venue) == venue.balances()


def test_funds_are_those_of_the_moment_of_the_order(
    venue: PaperVenue, order: MakeOrder, candle: MakeCandle
) -> None:
    venue.on_market([candle(n, volume="10") for n in range(10)])
    venue.submit(order("a", quantity="10"))

    sale = venue.submit(
        order("b", side=Side.SELL, quantity="5", decided_at_ns=TimestampNs(2 * MINUTE_NS))
    )

    assert sale.state is OrderState.REJECTED, "only 3 of the 10 had been bought by then"


def test_the_same_id_gives_the_present_report(
    venue: PaperVenue, order: MakeOrder, candle: MakeCandle
) -> None:
    venue.submit(order("a"))
    venue.on_market([candle(0)])

    again = venue.submit(order("a"))

    assert again.state is OrderState.FILLED
    assert len(again.fills) == 1
    assert venue.balances()["BTC"] == 1


def test_the_same_id_for_another_order_is_rejected(venue: PaperVenue, order: MakeOrder) -> None:
    venue.submit(order("a"))

    with pytest.raises(Rejected, match="another order"):
        venue.submit(order("a", quantity="2"))


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": "0"},
        {"quantity": "-1"},
        {"quantity": "NaN"},
        {"limit_price": "0"},
        {"quantity": "0.5"},
        {"quantity": "1.05"},
        {"limit_price": "100.001"},
        {"limit_price": "1"},
    ],
)
def test_a_malformed_order_is_rejected_and_not_kept(
    order: MakeOrder, changes: dict[str, str]
) -> None:
    grid = Instrument(symbol=BTC, min_quantity=Decimal(1), quantity_step=Decimal("0.1"))
    venue = PaperVenue(None, PaperSettings(instruments=(grid,)))

    with pytest.raises(Rejected):
        venue.submit(order("a", **changes))

    assert venue.find(A, BTC) is None


def test_an_unknown_quote_currency_gets_a_balance_once(
    venue: PaperVenue, order: MakeOrder, candle: MakeCandle
) -> None:
    venue.submit(order("a", symbol=Symbol("BTC/EUR")))
    venue.submit(order("b", symbol=Symbol("ETH/EUR")))

    assert venue.balances() == {"USDT": Decimal(10_000), "EUR": Decimal(10_000)}


def test_a_redelivered_bar_counts_once(
    venue: PaperVenue, order: MakeOrder, candle: MakeCandle
) -> None:
    venue.submit(order("a", quantity="25"))
    bars = [candle(n, volume="100") for n in range(2)]

    venue.on_market(bars)
    reports = venue.on_market(bars)

    assert reports == []
    assert venue.balances()["BTC"] == 20


@pytest.mark.parametrize(
    ("fault", "error", "is_there"),
    [
        (PaperFault.NOT_SENT, NotSent, False),
        (PaperFault.REJECTED, Rejected, False),
        (PaperFault.LOST_BEFORE, OutcomeUnknown, False),
        (PaperFault.LOST_AFTER, OutcomeUnknown, True),
    ],
)
def test_a_scripted_fault_says_what_the_book_says(
    order: MakeOrder, fault: PaperFault, error: type[VenueError], is_there: bool
) -> None:
    venue = PaperVenue(None, faults=PaperFaults({2: fault}))
    venue.submit(order("first"))

    with pytest.raises(error):
        venue.submit(order("a"))

    assert (venue.find(A, BTC) is not None) is is_there


def test_the_book_is_readable_while_the_venue_lives(
    tmp_path: Path, order: MakeOrder, candle: MakeCandle
) -> None:
    venue = PaperVenue(tmp_path / "paper.db")
    venue.submit(order("a"))
    venue.on_market([candle(0)])

    (row,) = read_book(tmp_path / "paper.db")

    assert (row.client_order_id, row.state, row.filled_quantity) == (
        A,
        OrderState.FILLED,
        Decimal(1),
    )
    assert [fill.trade_id for fill in row.fills] == ["a-1"]
    venue.close()


def test_the_balances_of_a_book_go_before_the_settings(tmp_path: Path) -> None:
    PaperVenue(tmp_path / "paper.db", PaperSettings(balances={"USDT": Decimal(5)})).close()

    venue = PaperVenue(tmp_path / "paper.db")

    assert venue.balances() == {"USDT": Decimal(5)}
    venue.close()


def test_a_book_that_cannot_be_written_leaves_the_outcome_unknown_and_recovers(
    tmp_path: Path, order: MakeOrder, candle: MakeCandle
) -> None:
    venue = PaperVenue(tmp_path / "paper.db")
    venue.submit(order("a"))
    other = sqlite3.connect(tmp_path / "paper.db")
    other.execute("ALTER TABLE fills RENAME TO hidden")
    with pytest.raises(VenueError, match="paper book"):
        venue.on_market([candle(0)])
    with pytest.raises(VenueFailed, match="paper book"):
        venue.submit(order("a"))

    other.execute("ALTER TABLE hidden RENAME TO fills")
    (report,) = venue.on_market([candle(0)])

    assert report.state is OrderState.FILLED
    assert venue.balances()["BTC"] == 1
    other.close()
    venue.close()


def test_what_is_no_book_is_said_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    with pytest.raises(DataError, match="no paper book"):
        list(read_book(path))

    path.write_bytes(b"not a database at all" * 100)

    with pytest.raises(DataError, match="cannot be read"):
        list(read_book(path))
    with pytest.raises(VenueError, match="cannot be used"):
        PaperVenue(path)
