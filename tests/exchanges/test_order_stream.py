"""Merging a stream with REST: however it stutters, one snapshot later all is told and told once."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.facts import AccountTrade
from exchanges.order_stream import Known, OrderStream, merge
from messages.ids import ClientOrderId, Symbol, TimestampNs, TradeId, VenueOrderId
from messages.order_states import FINAL_STATES
from messages.orders import Fill, OrderReport
from messages.values import Liquidity, OrderState, Side

BTC, SEVEN = Symbol("BTC/USDT"), VenueOrderId("7")
OPEN, PART, FILLED = OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.FILLED
CANCELED = OrderState.CANCELED


def report(state: OrderState, filled: str = "0", at: int = 0, **more: Any) -> OrderReport:
    values: dict[str, Any] = {
        "client_order_id": ClientOrderId("wk1"),
        "symbol": BTC,
        "state": state,
        "venue_order_id": SEVEN,
        "filled_quantity": Decimal(filled),
        "average_price": None,
        "fills": (),
        "reason": "",
        "evidence": "stream",
        "ts_event_ns": TimestampNs(at),
    } | more
    return OrderReport(**values)


def fill(number: int, quantity: str = "1", price: str = "100", fee: str = "0.1") -> Fill:
    return Fill(
        trade_id=TradeId(str(number)),
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_currency="BNB",
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(number),
    )


def trade(one: Fill) -> AccountTrade:
    return AccountTrade(symbol=BTC, side=Side.BUY, venue_order_id=SEVEN, fill=one)


@pytest.fixture
def stream() -> OrderStream:
    return OrderStream()


def told(stream: OrderStream) -> OrderReport:
    whole = stream.whole(BTC, SEVEN)
    assert whole is not None
    return whole


def test_a_filled_order_does_not_open_again(stream: OrderStream) -> None:
    """The events 2, 1, 0 of one order: ccxt's own cache would say "open, filled 0"."""
    stream.tell(report(FILLED, "2", 2), by_rest=False)
    assert stream.tell(report(PART, "1", 1), by_rest=False) is None
    assert stream.tell(report(OPEN, "0", 0), by_rest=False) is None

    assert (told(stream).state, told(stream).filled_quantity) == (FILLED, Decimal(2))


def test_a_repeated_trade_counts_once(stream: OrderStream) -> None:
    stream.tell(report(OPEN), by_rest=False)
    news = stream.trade(trade(fill(1)))
    assert news is not None
    assert [one.trade_id for one in news.fills] == ["1"]

    assert stream.trade(trade(fill(1))) is None
    assert sum(one.fee for one in told(stream).fills) == Decimal("0.1")


def test_a_trade_before_its_order_waits_for_it(stream: OrderStream) -> None:
    assert stream.trade(trade(fill(1))) is None

    news = stream.tell(report(OPEN), by_rest=False)

    assert news is not None
    assert (news.state, news.filled_quantity, len(news.fills)) == (PART, Decimal(1), 1)


def test_news_hold_only_the_new_fills(stream: OrderStream) -> None:
    stream.tell(report(PART, "1", fills=(fill(1),)), by_rest=False)

    news = stream.tell(report(FILLED, "2", fills=(fill(1), fill(2))), by_rest=True)

    assert news is not None
    assert [one.trade_id for one in news.fills] == ["2"]
    assert len(told(stream).fills) == 2


def test_a_late_fill_of_a_canceled_order_is_kept(stream: OrderStream) -> None:
    stream.tell(report(CANCELED, "0"), by_rest=False)

    stream.trade(trade(fill(1)))

    assert (told(stream).state, told(stream).filled_quantity) == (CANCELED, Decimal(1))


def test_of_two_ends_the_one_with_more_filled_is_true(stream: OrderStream) -> None:
    stream.tell(report(CANCELED, "0"), by_rest=True)
    stream.tell(report(FILLED, "2"), by_rest=False)

    assert told(stream).state is FILLED


def test_open_orders_are_never_forgotten_and_ended_ones_are() -> None:
    stream = OrderStream(keep=3)
    for number in range(10):
        name = VenueOrderId(str(number))
        state = OPEN if number < 2 else FILLED
        stream.tell(report(state, venue_order_id=name), by_rest=False)

    assert len(stream.open_orders()) == 2
    assert stream.whole(BTC, VenueOrderId("2")) is None
    assert stream.whole(BTC, VenueOrderId("9")) is not None


def test_an_order_without_the_venues_id_tells_nothing(stream: OrderStream) -> None:
    assert stream.tell(report(OPEN, venue_order_id=None), by_rest=False) is None


# ------------------------------------------------------------------ any history, any stutter

Event = tuple[str, OrderReport | Fill]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Event], OrderReport]:
    """One order's true life as events, and what REST says of it in the end."""
    quantities = draw(st.lists(st.integers(1, 5), max_size=5))
    fills = [fill(n + 1, str(q), price=str(100 + n)) for n, q in enumerate(quantities)]
    end = draw(st.sampled_from([None, FILLED, CANCELED, OrderState.EXPIRED]))
    end = end if end is not FILLED or fills else None
    events: list[Event] = [("order", report(OPEN, "0", 0))]
    filled = Decimal(0)
    for number, one in enumerate(fills):
        filled += one.quantity
        last = end is FILLED and number == len(fills) - 1
        state = FILLED if last else PART
        events.append(("order", report(state, str(filled), number + 1)))
        events.append(("trade", one))
    if end is not None and end is not FILLED:
        events.append(("order", report(end, str(filled), len(fills) + 1)))
    last_report = [e for _, e in events if isinstance(e, OrderReport)][-1]
    snapshot = msgspec.structs.replace(last_report, fills=tuple(fills), evidence="find")
    return events, snapshot


def play(events: list[Event], snapshot: OrderReport) -> tuple[OrderReport, list[OrderReport]]:
    stream, news = OrderStream(), list[OrderReport | None]()
    for _, event in events:
        if isinstance(event, Fill):
            news.append(stream.trade(trade(event)))
        else:
            news.append(stream.tell(event, by_rest=False))
    news.append(stream.tell(snapshot, by_rest=True))
    return told(stream), [one for one in news if one is not None]


@pytest.mark.slow
@given(histories(), st.data())
def test_any_stutter_and_one_snapshot_give_the_same_order(
    history: tuple[list[Event], OrderReport], data: st.DataObject
) -> None:
    events, snapshot = history
    stuttered = data.draw(st.lists(st.sampled_from(events), max_size=20))

    clean, _ = play(events, snapshot)
    final, news = play(stuttered, snapshot)

    ignore: dict[str, Any] = {"evidence": "", "reason": ""}
    assert msgspec.structs.replace(final, **ignore) == msgspec.structs.replace(clean, **ignore)
    assert (final.state, final.filled_quantity) == (snapshot.state, snapshot.filled_quantity)
    assert final.fills == snapshot.fills
    ids = [one.trade_id for each in news for one in each.fills]
    assert sorted(ids) == sorted({one.trade_id for one in snapshot.fills})


@given(histories(), st.data())
def test_what_is_told_never_goes_back(
    history: tuple[list[Event], OrderReport], data: st.DataObject
) -> None:
    events, snapshot = history
    _, news = play(data.draw(st.permutations(events)), snapshot)

    filled = [one.filled_quantity for one in news]
    ended = [one.state in FINAL_STATES for one in news]
    assert filled == sorted(filled)
    assert ended == sorted(ended)


@given(histories(), st.data())
def test_merging_does_not_depend_on_who_spoke_first(
    history: tuple[list[Event], OrderReport], data: st.DataObject
) -> None:
    events, snapshot = history
    reports = [event for _, event in events if isinstance(event, OrderReport)]
    one = Known(report=data.draw(st.sampled_from(reports)), by_rest=False)
    other = Known(report=snapshot, by_rest=True)

    assert merge(one, other) == merge(other, one)
