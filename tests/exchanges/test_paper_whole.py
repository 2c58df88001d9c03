"""An order that its first event fills whole: one step does what many would have done."""

import os
from decimal import Decimal

from hypothesis import event as seen
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.matching import Terms
from exchanges.paper_order import Place, accepted, advance, advance_by_steps, filled_whole
from exchanges.protocol import NewOrder
from messages.ids import ClientOrderId, Symbol, TimestampNs
from messages.market import Candle, MarketEvent, Tick, Trade
from messages.values import Instrument, OrderType, Side, TimeInForce

EXAMPLES = settings(
    max_examples=5000 if os.environ.get("WATCHKEEPER_STRESS") else 200, deadline=None
)
BTC = Symbol("BTC/USDT")
prices = st.sampled_from(["97", "100", "100.05", "0.00031", "1E+2", "99.999", "100.1234567"])
prices_of = prices.map(Decimal)
quantities = st.sampled_from(
    ["1", "0.5", "12.345678", "3.000", "1.0000000000000000000000000000001"]
).map(Decimal)
rates = st.sampled_from(["0", "0.001", "-0.0002", "0.00075"]).map(Decimal)
moments = st.sampled_from([TimestampNs(60), TimestampNs(120)])


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    tick = Decimal(draw(st.sampled_from(["0.01", "0.05", "1", "0.00000001", "10"])))
    step = Decimal(draw(st.sampled_from(["0.00001", "0.1", "1"])))
    return Terms(
        instrument=Instrument(symbol=BTC, price_tick=tick, quantity_step=step),
        maker_fee_rate=draw(rates),
        taker_fee_rate=draw(rates),
        slippage_rate=draw(st.sampled_from(["0", "0.0001", "0.03"]).map(Decimal)),
        participation=Decimal("0.1"),
    )


@st.composite
def events(draw: st.DrawFn) -> MarketEvent:
    price, at_ns = draw(prices_of), draw(moments)
    volume = draw(st.sampled_from(["0", "10", "1000", "123.4567"]).map(Decimal))
    kind = draw(st.sampled_from([Candle, Candle, Trade, Tick]))
    if kind is Trade:
        return Trade(
            symbol=BTC, price=price, quantity=volume, aggressor_side=None, ts_event_ns=at_ns
        )
    if kind is Tick:
        return Tick(
            symbol=BTC,
            bid_price=price,
            ask_price=price * 2,
            ts_event_ns=at_ns,
            ts_received_ns=at_ns,
        )
    bar = {"open": price, "high": price * 2, "low": price / 2, "close": price, "volume": volume}
    return Candle(symbol=BTC, ts_open_ns=TimestampNs(0), ts_event_ns=at_ns, **bar)


@st.composite
def orders(draw: st.DrawFn) -> NewOrder:
    return NewOrder(
        client_order_id=ClientOrderId("one"),
        symbol=BTC,
        side=draw(st.sampled_from(Side)),
        order_type=OrderType.MARKET,
        time_in_force=draw(st.sampled_from(TimeInForce)),
        quantity=draw(quantities),
        limit_price=None,
        decided_at_ns=draw(moments),
        touched_price=draw(st.none() | prices_of),
    )


frees = st.sampled_from(["0", "1", "3", "12.345678", "100.11", "105", "1E+6"]).map(Decimal)


@EXAMPLES
@given(orders(), events(), terms(), frees)
def test_at_once_is_as_step_by_step_to_the_last_digit(
    order: NewOrder, event: MarketEvent, terms: Terms, free: Decimal
) -> None:
    before, place = accepted(1, order, 0), Place(event.ts_event_ns, 0)

    at_once = advance(before, event, place, terms, free)

    whole = filled_whole(before, event, place, terms, free) is not None
    seen(f"filled whole: {whole}, {order.side}, {type(event).__name__}")
    assert repr(at_once) == repr(advance_by_steps(before, event, place, terms, free))
