"""The lean venue of a backtest gives every order what the paper venue gives it."""

import os
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.paper import PaperVenue
from exchanges.paper_plain import PlainVenue
from exchanges.paper_settings import PaperSettings
from exchanges.protocol import NewOrder
from messages.errors import Rejected
from messages.ids import ClientOrderId, StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketEvent, Tick, Trade
from messages.values import Instrument, OrderState, OrderType, Side, TimeInForce
from tests.exchanges.paper_run import free_in

SYMBOLS = (Symbol("BTC/USDT"), Symbol("ETH/USDT"), Symbol("ETH/BTC"))
STRATEGIES = (StrategyId("late"), StrategyId("early"))
MS = 1_000_000

# On the ticks, coarser, and finer than they are.
prices = st.integers(80, 120).map(Decimal) | st.integers(79_500, 80_500).map(
    lambda thousandths: (Decimal(thousandths) / 1000).normalize()
)
prices |= st.sampled_from([Decimal(p) for p in ("9.99", "9", "0.170000", "0.17", "0.00002")])
volumes = st.sampled_from([Decimal(0), Decimal("0.3"), Decimal(5), Decimal(40), Decimal(400)])


@st.composite
def events(draw: st.DrawFn, kind: type, symbol: Symbol, at_ms: int) -> MarketEvent:
    ts_ns = TimestampNs(at_ms * MS)
    if kind is Trade:
        quantity = draw(volumes) + Decimal("0.1")
        return Trade(
            symbol=symbol,
            price=draw(prices),
            quantity=quantity,
            aggressor_side=None,
            ts_event_ns=ts_ns,
        )
    if kind is Tick:
        bid = draw(prices)
        return Tick(
            symbol=symbol,
            bid_price=bid,
            ask_price=bid + 1,
            ts_event_ns=ts_ns,
            ts_received_ns=ts_ns,
        )
    low, one, two, high = sorted(draw(st.tuples(prices, prices, prices, prices)))
    return Candle(
        symbol=symbol,
        open=one,
        high=high,
        low=low,
        close=two,
        volume=draw(volumes),
        ts_open_ns=TimestampNs(ts_ns - 1),
        ts_event_ns=ts_ns,
    )


@st.composite
def worlds(draw: st.DrawFn) -> list[MarketEvent | NewOrder]:
    """Events in the order of time, each symbol of one kind, with orders decided at some."""
    kinds = {symbol: draw(st.sampled_from([Candle, Candle, Trade, Tick])) for symbol in SYMBOLS}
    found: list[MarketEvent | NewOrder] = []
    at_ms, last = 1_000, dict.fromkeys(SYMBOLS, 0)
    for number in range(draw(st.integers(1, 25))):
        at_ms += draw(st.sampled_from([0, 0, 50, 100]))
        symbol = draw(st.sampled_from(SYMBOLS))
        if kinds[symbol] is Candle and last[symbol] == at_ms:
            continue
        last[symbol] = at_ms
        found.append(draw(events(kinds[symbol], symbol, at_ms)))
        places = range(draw(st.integers(0, 2)))
        found += [draw(_order(symbol, at_ms, f"{number}-{place}")) for place in places]
    return found


def _order(symbol: Symbol, at_ms: int, name: str) -> st.SearchStrategy[NewOrder]:
    limit = st.sampled_from([None, None, Decimal(95), Decimal("104.5")])
    return limit.flatmap(
        lambda price: st.builds(
            NewOrder,
            client_order_id=st.just(ClientOrderId(name)),
            symbol=st.just(symbol),
            side=st.sampled_from(Side),
            order_type=st.just(OrderType.MARKET if price is None else OrderType.LIMIT),
            time_in_force=st.sampled_from(TimeInForce),
            quantity=st.sampled_from([Decimal(q) for q in ("0", "0.5", "3", "9.00001", "40")]),
            limit_price=st.just(price),
            decided_at_ns=st.just(TimestampNs(at_ms * MS)),
            strategy_id=st.sampled_from(STRATEGIES),
        )
    )


settings_of = st.builds(
    PaperSettings,
    balances=st.just({"USDT": Decimal(1000), "BTC": Decimal(5)}),
    latency_ms=st.sampled_from([0, 50]),
    slippage_bps=st.sampled_from([Decimal(0), Decimal(3)]),
    taker_fee_bps=st.sampled_from([Decimal(10), Decimal(-1)]),
    instruments=st.sampled_from([(), (Instrument(symbol=SYMBOLS[1], min_notional=Decimal(100)),)]),
)


@pytest.mark.slow
@settings(max_examples=2_000 if os.environ.get("WATCHKEEPER_STRESS") else 25)
@given(world=worlds(), terms=settings_of)
def test_the_two_venues_are_one(world: list[Any], terms: PaperSettings) -> None:
    paper = PaperVenue(None, terms, strategies=STRATEGIES)
    plain = PlainVenue(terms, STRATEGIES)
    of_paper, of_plain = [], []
    for one in world:
        if isinstance(one, NewOrder):
            of_paper.append(_submitted(paper, one))
            of_plain.append(_submitted(plain, one))
        else:
            reports = [r for r in paper.on_market([one]) if r.state is not OrderState.ACCEPTED]
            of_paper += sorted(map(_moved, reports))  # one that only locked money tells nothing
            of_plain += sorted(map(_worked, plain.on_market(one)))
        assert of_plain == of_paper
        assert _there(plain.balances()) == _there(paper.balances())
        assert _there(free_in(plain)) == _there(free_in(paper))


@pytest.mark.slow
@settings(max_examples=2_000 if os.environ.get("WATCHKEEPER_STRESS") else 25)
@given(world=worlds(), terms=settings_of)
def test_an_order_that_is_filled_at_once_is_filled_as_any_other(
    world: list[Any], terms: PaperSettings
) -> None:
    step_by_step, at_once = PlainVenue(terms), AtOnce(PlainVenue(terms))
    for one in world:
        if isinstance(one, NewOrder):
            at_once.submit(one)
            _submitted(step_by_step, one)
        else:
            found = at_once.on_market(one)
            assert found == sorted(map(_worked, step_by_step.on_market(one)))
        assert _there(at_once.venue.balances()) == _there(step_by_step.balances())


@pytest.mark.parametrize(
    ("decided_ms", "state"), [(1_030, OrderState.FILLED), (990, OrderState.REJECTED)]
)
def test_what_one_filled_at_once_is_there_for_the_orders_behind_it_in_the_same_candle(
    decided_ms: int, state: OrderState
) -> None:
    """Such as a timer's, which is decided within a candle and submitted when that is shown."""
    terms = PaperSettings(balances={"USDT": Decimal(1000)}, latency_ms=0)
    candle = Candle(
        symbol=SYMBOLS[0],
        open=Decimal(100),
        high=Decimal(100),
        low=Decimal(100),
        close=Decimal(100),
        volume=Decimal(400),
        ts_open_ns=TimestampNs(1_000 * MS),
        ts_event_ns=TimestampNs(1_060 * MS),
    )
    first, second = (
        NewOrder(
            client_order_id=ClientOrderId(side),
            symbol=SYMBOLS[0],
            side=side,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.GTC,
            quantity=Decimal(3),
            limit_price=None,
            decided_at_ns=TimestampNs(at_ms * MS),
        )
        for side, at_ms in ((Side.BUY, 1_000), (Side.SELL, decided_ms))
    )
    plain, paper = PlainVenue(terms), PaperVenue(None, terms)

    assert plain.takes_at_once(first)
    assert plain.fill_at_once(first, candle.open, candle.volume, candle.ts_event_ns) is not None
    of_plain = plain.submit(second, candle).progress.state
    paper.submit(first)
    paper.on_market([candle])
    of_paper = paper.submit(second).state

    assert of_plain is of_paper is state
    assert _there(free_in(plain)) == _there(free_in(paper))


class AtOnce:
    """Uses the venue as a backtest does: a market order that is alone waits for its candle."""

    def __init__(self, venue: PlainVenue) -> None:
        self.venue = venue
        self._alone: dict[Symbol, NewOrder] = {}

    def submit(self, order: NewOrder) -> None:
        before = self._alone.pop(order.symbol, None)
        if before is not None:
            self.venue.submit(before)
        elif order.limit_price is None and self.venue.takes_at_once(order):
            self._alone[order.symbol] = order
            return
        _submitted(self.venue, order)

    def on_market(self, event: MarketEvent) -> list[tuple[Any, ...]]:
        order = self._alone.pop(event.symbol, None)
        if order is not None:
            executed = None
            if isinstance(event, Candle):
                at_ns, volume = event.ts_event_ns, event.volume
                surely = self.venue.surely_gives(order, float(volume))
                known = None if surely else volume
                executed = self.venue.fill_at_once(order, event.open, known, at_ns)
            if executed is not None:
                name, quantity = order.client_order_id, executed.quantity
                average = quantity * executed.price / quantity
                fills = [repr(executed.as_fill(name))]
                told = name, OrderState.FILLED, quantity, "", average, fills
                return [(*told, event.ts_event_ns)]
            self.venue.submit(order)
        return sorted(map(_worked, self.venue.on_market(event)))


def _submitted(venue: Any, order: NewOrder) -> tuple[Any, ...]:
    try:
        answer = venue.submit(order)
    except Rejected as error:
        return (order.client_order_id, str(error))
    return _moved(answer) if isinstance(venue, PaperVenue) else _worked(answer)


def _moved(report: Any) -> tuple[Any, ...]:
    told = report.client_order_id, report.state, report.filled_quantity, report.reason
    return (*told, report.average_price or 0, [*map(repr, report.fills)], report.ts_event_ns)


def _worked(worked: Any) -> tuple[Any, ...]:
    now = worked.progress
    told = now.order.client_order_id, now.state, now.filled, now.reason
    average = now.value / now.filled if now.filled else 0
    return (*told, average, [*map(repr, worked.fills)], now.cursor.ts_ns)


def _there(balances: dict[str, Decimal]) -> dict[str, Decimal]:
    """A currency that nothing was ever posted in may be missing, or there with nothing."""
    return {currency: amount for currency, amount in balances.items() if amount}
