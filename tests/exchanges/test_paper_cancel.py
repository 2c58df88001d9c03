"""Canceling at the paper venue: where on the market's clock, with which money, and for good."""

import sqlite3
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.paper import PaperVenue
from exchanges.paper_book import read_book
from exchanges.paper_order import BY_REQUEST
from exchanges.protocol import NewOrder
from messages.errors import OutcomeUnknown, VenueFailed
from messages.ids import ClientOrderId, Symbol, TimestampNs
from messages.market import Candle
from messages.order_states import FINAL_STATES
from messages.orders import Fill
from messages.values import OrderState
from tests.exchanges.paper_run import free_in

MINUTE_NS = 60_000_000_000
BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
A = ClientOrderId("a")
MakeOrder = Callable[..., NewOrder]
MakeCandle = Callable[..., Candle]


def test_what_a_canceled_order_had_locked_is_free_again(
    order: MakeOrder, candle: MakeCandle
) -> None:
    venue = PaperVenue(None)
    venue.submit(order("a", quantity="100", limit_price="80"))
    venue.on_market([candle(0)])
    assert free_in(venue)["USDT"] < venue.balances()["USDT"]

    report = venue.cancel(A, BTC)

    assert (report.state, report.reason, report.evidence) == (
        OrderState.CANCELED,
        BY_REQUEST,
        "cancel",
    )
    assert report.ts_event_ns == MINUTE_NS
    assert free_in(venue) == venue.balances()


def test_a_part_that_was_filled_before_stays_and_the_rest_is_free(
    order: MakeOrder, candle: MakeCandle
) -> None:
    venue = PaperVenue(None)
    venue.submit(order("a", quantity="25"))
    venue.on_market([candle(0, volume="100")])

    report = venue.cancel(A, BTC)

    assert (report.state, report.filled_quantity) == (OrderState.CANCELED, Decimal(10))
    assert [fill.quantity for fill in report.fills] == [10]
    assert free_in(venue) == venue.balances()
    assert venue.on_market([candle(1, volume="100")]) == []


def test_an_order_that_has_not_reached_the_market_can_be_canceled(
    order: MakeOrder, candle: MakeCandle
) -> None:
    venue = PaperVenue(None)
    venue.submit(order("a", decided_at_ns=TimestampNs(10 * MINUTE_NS)))

    assert venue.cancel(A, BTC).state is OrderState.CANCELED
    assert venue.on_market([candle(11), candle(12)]) == []


def test_another_symbols_order_is_neither_listed_nor_canceled(order: MakeOrder) -> None:
    venue = PaperVenue(None)
    venue.submit(order("a", limit_price="80"))

    assert venue.open_orders(ETH) == []
    with pytest.raises(OutcomeUnknown):
        venue.cancel(A, ETH)
    assert venue.open_orders(BTC)[0].state is OrderState.ACCEPTED


def test_a_cancel_outlives_the_process_and_the_market_that_is_shown_again(
    order: MakeOrder, candle: MakeCandle, tmp_path: Path
) -> None:
    market = [candle(n) for n in range(4)]
    first = PaperVenue(tmp_path / "paper.db")
    first.submit(order("a", quantity="10", limit_price="80"))
    first.on_market(market[:2])
    first.cancel(A, BTC)
    first.close()

    again = PaperVenue(tmp_path / "paper.db")
    assert again.on_market([*market, candle(5, low="70")]) == []

    assert [row.state for row in read_book(tmp_path / "paper.db")] == [OrderState.CANCELED]
    assert free_in(again) == again.balances()
    again.close()


def test_after_a_restart_an_order_is_canceled_before_the_market_is_shown(
    order: MakeOrder, candle: MakeCandle, tmp_path: Path
) -> None:
    """Its place on the market's clock is then that of its own last event."""
    first = PaperVenue(tmp_path / "paper.db")
    first.submit(order("a", quantity="10", limit_price="80"))
    first.on_market([candle(0)])
    first.close()

    again = PaperVenue(tmp_path / "paper.db")
    report = again.cancel(A, BTC)

    assert (report.state, report.ts_event_ns) == (OrderState.CANCELED, MINUTE_NS)
    assert again.on_market([candle(0), candle(1, low="70")]) == []
    assert free_in(again) == again.balances()
    again.close()


def test_a_cancel_that_could_not_be_written_did_not_happen(
    order: MakeOrder, candle: MakeCandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = PaperVenue(tmp_path / "paper.db")
    venue.submit(order("a", quantity="10", limit_price="80"))
    venue.on_market([candle(0)])

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(venue._book, "write", full)
        with pytest.raises(VenueFailed, match="disk is full"):
            venue.cancel(A, BTC)

    (still_open,) = venue.open_orders(BTC)
    assert still_open.state is OrderState.ACCEPTED
    assert venue.cancel(A, BTC).state is OrderState.CANCELED
    venue.close()


@pytest.mark.slow
@settings(deadline=None)
@given(
    volumes=st.lists(st.sampled_from(["0", "40", "100"]), min_size=1, max_size=6),
    cancels=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), max_size=4),
    limits=st.lists(st.sampled_from([None, "80", "95"]), min_size=4, max_size=4),
)
def test_money_adds_up_whatever_is_canceled_when(
    order: MakeOrder,
    candle: MakeCandle,
    volumes: Sequence[str],
    cancels: Sequence[tuple[int, int]],
    limits: Sequence[str | None],
) -> None:
    venue = PaperVenue(None)
    for number, limit in enumerate(limits):
        more = {} if limit is None else {"limit_price": limit}
        venue.submit(order(f"{number}", quantity="25", **more))
    for minute in range(7):
        for at, number in cancels:
            if at == minute:
                assert venue.cancel(ClientOrderId(f"{number}"), BTC).state in FINAL_STATES
        if minute < len(volumes):
            venue.on_market([candle(minute, volume=volumes[minute])])

    reports = [venue.find(ClientOrderId(f"{number}"), BTC) for number in range(4)]
    fills: list[Fill] = [fill for report in reports if report for fill in report.fills]
    spent = sum((fill.price * fill.quantity + fill.fee for fill in fills), Decimal(0))
    assert venue.balances()["USDT"] == 10_000 - spent
    if not venue.open_orders(BTC):
        assert free_in(venue) == venue.balances()
    for at, number in cancels:
        report = reports[number]
        assert report is not None
        assert report.state in FINAL_STATES, at
