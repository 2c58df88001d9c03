"""What holds for the paper venue whatever the market, the orders and the timing."""

import os
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.paper import PaperSettings, PaperVenue
from exchanges.paper_book import BookRow, read_book
from exchanges.protocol import NewOrder
from messages.ids import NS_PER_S, ClientOrderId, Symbol, TimestampNs
from messages.market import Candle, MarketEvent, Tick, Trade
from messages.values import OrderState, OrderType, Side, TimeInForce
from tests.exchanges.paper_run import free_in

EXAMPLES = settings(
    max_examples=2000 if os.environ.get("WATCHKEEPER_STRESS") else 60, deadline=None
)
BTC = Symbol("BTC/USDT")
MINUTE_NS = 60 * NS_PER_S
START = {"USDT": Decimal(1000), "BTC": Decimal(5)}
SETTINGS = PaperSettings(balances=START)

prices = st.integers(80, 120).map(Decimal)
quantities = st.integers(1, 120).map(lambda n: Decimal(n) / 10)
volumes = st.sampled_from([Decimal(0), Decimal(5), Decimal(40), Decimal("0.00019")])


@st.composite
def candles(draw: st.DrawFn) -> list[MarketEvent]:
    found: list[MarketEvent] = []
    minute = 0
    for _ in range(draw(st.integers(1, 12))):
        minute += draw(st.integers(1, 2))
        low, first, second, high = sorted(draw(st.tuples(prices, prices, prices, prices)))
        opened, close = (first, second) if draw(st.booleans()) else (second, first)
        found.append(
            Candle(
                symbol=BTC,
                open=opened,
                high=high,
                low=low,
                close=close,
                volume=draw(volumes),
                ts_open_ns=TimestampNs((minute - 1) * MINUTE_NS),
                ts_event_ns=TimestampNs(minute * MINUTE_NS),
            )
        )
    return found


@st.composite
def trades(draw: st.DrawFn) -> list[MarketEvent]:
    """Several in one moment, some of them equal."""
    moments = sorted(draw(st.lists(st.integers(1, 6), min_size=1, max_size=12)))
    return [
        Trade(
            symbol=BTC,
            price=draw(prices),
            quantity=draw(quantities),
            aggressor_side=None,
            ts_event_ns=TimestampNs(moment * MINUTE_NS),
        )
        for moment in moments
    ]


@st.composite
def ticks(draw: st.DrawFn) -> list[MarketEvent]:
    moments = sorted(draw(st.lists(st.integers(1, 9), min_size=1, max_size=12)))
    return [
        Tick(
            symbol=BTC,
            bid_price=(bid := draw(prices)),
            ask_price=bid + 1,
            ts_event_ns=TimestampNs(moment * MINUTE_NS),
            ts_received_ns=TimestampNs(moment * MINUTE_NS),
        )
        for moment in moments
    ]


@st.composite
def orders(draw: st.DrawFn) -> list[NewOrder]:
    """In the order of their decisions, as strategies submit them."""
    moments = sorted(draw(st.lists(st.integers(0, 10), min_size=1, max_size=6)))
    found = []
    for number, moment in enumerate(moments):
        limit = draw(st.none() | prices)
        found.append(
            NewOrder(
                client_order_id=ClientOrderId(f"order-{number}"),
                symbol=BTC,
                side=draw(st.sampled_from(Side)),
                order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
                time_in_force=draw(st.sampled_from(TimeInForce)),
                quantity=draw(quantities),
                limit_price=limit,
                decided_at_ns=TimestampNs(moment * MINUTE_NS),
            )
        )
    return found


markets = candles() | trades() | ticks()
Outcome = tuple[list[BookRow], dict[str, Decimal], dict[str, Decimal]]


def outcome(venue: PaperVenue, path: Path) -> Outcome:
    found = list(read_book(path)), venue.balances(), free_in(venue)
    venue.close()
    return found


def run(path: Path, market: Sequence[MarketEvent], wanted: Sequence[NewOrder]) -> Outcome:
    """Submit everything first, then show the events one by one."""
    venue = PaperVenue(path, SETTINGS)
    for order in wanted:
        venue.submit(order)
    for event in market:
        venue.on_market([event])
    return outcome(venue, path)


def run_in_pieces(
    path: Path,
    market: Sequence[MarketEvent],
    wanted: Sequence[NewOrder],
    cuts: Sequence[int],
    submits: Sequence[int],
    deaths: Sequence[int],
) -> Outcome:
    """Show pieces between the cuts, submit at given places, and die and begin again at others."""
    for death in deaths:
        venue = PaperVenue(path, SETTINGS)
        show(venue, market[:death], wanted, cuts, submits)
        venue.close()
    venue = PaperVenue(path, SETTINGS)
    show(venue, market, wanted, cuts, submits)
    for order in wanted:
        venue.submit(order)
    return outcome(venue, path)


def show(
    venue: PaperVenue,
    market: Sequence[MarketEvent],
    wanted: Sequence[NewOrder],
    cuts: Sequence[int],
    submits: Sequence[int],
) -> None:
    places = sorted(submits)
    for start in range(len(market)):
        for order in (o for o, place in zip(wanted, places, strict=False) if place == start):
            venue.submit(order)
        if start in cuts or start == 0:
            end = next((c for c in sorted(cuts) if c > start), len(market))
            # A feed that is restarted delivers its last piece again.
            venue.on_market(market[max(0, start - 1) : end])


@pytest.mark.slow
@EXAMPLES
@given(
    market=markets,
    wanted=orders(),
    cuts=st.lists(st.integers(0, 12)),
    submits=st.lists(st.integers(0, 12), min_size=6, max_size=6),
    deaths=st.lists(st.integers(0, 12), max_size=2),
)
def test_neither_timing_nor_pieces_nor_restarts_change_the_book(
    market: list[MarketEvent],
    wanted: list[NewOrder],
    cuts: list[int],
    submits: list[int],
    deaths: list[int],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plain = run(Path(folder, "plain.db"), market, wanted)

        disturbed = run_in_pieces(
            Path(folder, "disturbed.db"), market, wanted, cuts, submits, deaths
        )

    assert disturbed == plain


@pytest.mark.slow
@EXAMPLES
@given(market=markets, wanted=orders())
def test_money_and_coins_are_conserved_and_never_overdrawn(
    market: list[MarketEvent], wanted: list[NewOrder]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows, totals, free = run(Path(folder, "paper.db"), market, wanted)

    fills = [(row.side.sign, fill) for row in rows for fill in row.fills]
    coins = sum((sign * fill.quantity for sign, fill in fills), START["BTC"])
    money = START["USDT"] - sum(sign * f.quantity * f.price + f.fee for sign, f in fills)
    assert totals == {"USDT": money, "BTC": coins}
    assert all(0 <= free[currency] <= totals[currency] for currency in totals)


@pytest.mark.slow
@EXAMPLES
@given(market=markets, wanted=orders())
def test_no_order_fills_beyond_its_quantity_or_its_limit(
    market: list[MarketEvent], wanted: list[NewOrder]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows, _, _ = run(Path(folder, "paper.db"), market, wanted)

    for row in rows:
        assert sum(fill.quantity for fill in row.fills) == row.filled_quantity <= row.quantity
        assert (row.state is OrderState.FILLED) == (row.filled_quantity == row.quantity)
        for fill in row.fills:
            limit = fill.price if row.limit_price is None else row.limit_price
            assert row.side.sign * (limit - fill.price) >= 0
