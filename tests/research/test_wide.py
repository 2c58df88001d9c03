"""Several symbols, longer bars and timers in the plain loop: who is told what, and when."""

import os
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.risk_limits import RiskLimits
from decisions.strategy import fast_door
from exchanges.event_blocks import event_blocks
from exchanges.paper_settings import PaperSettings
from messages.ids import StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketEvent, Tick, Trade
from messages.orders import OrderUpdate
from messages.values import OrderState, Side, Target
from research.backtest.cuts import cut_off, cuts_at, events_from, moments_of, size_of
from research.backtest.loop import Backtest, Outcome
from research.backtest.plan import MarketPlan, Plan, StrategyPlan
from research.backtest.report import report_on
from research.backtest.tables import as_table
from strategies.protocol import Decision, Strategy, market_order

STRESS = bool(os.environ.get("WATCHKEEPER_STRESS"))
BTC, ETH, CROSS = Symbol("BTC/USDT"), Symbol("ETH/USDT"), Symbol("ETH/BTC")
MINUTE_NS = 60_000_000_000
START_NS = 28_333_332 * MINUTE_NS
RICH = {"USDT": Decimal(1_000_000), "BTC": Decimal(100), "ETH": Decimal(100)}
FREE = PaperSettings(
    balances=RICH, taker_fee_bps=Decimal(0), maker_fee_bps=Decimal(0), slippage_bps=Decimal(0)
)


def candle(minute: int, opened: int, closed: int, symbol: Symbol = BTC) -> Candle:
    prices = sorted((opened, closed))
    return Candle(
        symbol=symbol,
        open=Decimal(opened),
        high=Decimal(prices[1]),
        low=Decimal(prices[0]),
        close=Decimal(closed),
        volume=Decimal(10_000),
        ts_open_ns=TimestampNs(START_NS + (minute - 1) * MINUTE_NS),
        ts_event_ns=TimestampNs(START_NS + minute * MINUTE_NS),
    )


def market(symbol: Symbol, events: Sequence[MarketEvent]) -> MarketPlan:
    return MarketPlan(symbol=symbol, blocks=partial(event_blocks, events, 3))


def run(
    build: Callable[[], Strategy],
    markets: Mapping[Symbol, Sequence[MarketEvent]],
    venue: PaperSettings = FREE,
    limits: RiskLimits | None = None,
) -> tuple[Outcome, Plan]:
    symbols = tuple(markets)
    plan = Plan(
        markets=tuple(market(symbol, events) for symbol, events in markets.items()),
        strategies=(
            StrategyPlan(id=StrategyId("w"), symbol=symbols[0], build=build, symbols=symbols),
        ),
        venue=venue,
        limits=limits or RiskLimits(),
    )
    return Backtest(plan).run(), plan


class Noting(Strategy):
    """Writes down what it is told; `does` says what it decides."""

    def __init__(self, does: Callable[["Noting", str], Any] = lambda *_: ()) -> None:
        self.told: list[str] = []
        self.states: list[OrderState] = []
        self._does = does

    def _note(self, what: str, ts_ns: int) -> Any:
        self.told.append(f"{what} {(ts_ns - START_NS) / MINUTE_NS:g}")
        return self._does(self, self.told[-1])

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        return self._note(candle.symbol[:3], candle.ts_event_ns)

    def on_bar(self, bar: Candle, timeframe: str, position: Decimal) -> Any:
        return self._note(f"{bar.symbol[:3]} {timeframe}", bar.ts_event_ns)

    def on_timer(self, due_ns: TimestampNs, position: Decimal) -> Any:
        return self._note("timer", due_ns)

    def on_update(self, update: OrderUpdate) -> None:
        self.states.append(update.state)


def test_at_one_moment_the_symbol_that_is_named_first_goes_first() -> None:
    events = {
        ETH: [candle(n, 10, 10, ETH) for n in (1, 2, 4)],
        BTC: [candle(n, 100, 100) for n in (1, 3, 4, 5)],
    }
    strategy = Noting()
    strategy.timeframes, strategy.timer_s = ("2m",), 120

    run(lambda: strategy, events)

    # The second candle of BTC is missing: its bar is told by the third.
    assert strategy.told == [
        *("ETH 1", "BTC 1"),
        *("ETH 2m 2", "ETH 2", "timer 2"),
        *("BTC 2m 2", "BTC 3"),
        *("ETH 2m 4", "ETH 4", "timer 4", "BTC 2m 4", "BTC 4"),
        "BTC 5",
    ]


def test_what_is_decided_on_a_later_symbol_is_at_its_last_price_and_meets_its_next_candle() -> None:
    """The candle of BTC that closes at the same moment is not seen, and is not traded."""

    def does(self: Noting, told: str) -> Any:
        order = market_order(Side.BUY, Decimal(1), "now")
        return (msgspec.structs.replace(order, symbol=BTC),) if told == "ETH 2" else ()

    events = {
        ETH: [candle(n, 10, 10, ETH) for n in (1, 2, 3)],
        BTC: [candle(1, 100, 101), candle(2, 200, 201), candle(3, 300, 301)],
    }

    outcome, _ = run(lambda: Noting(does), events)

    (order,) = outcome.orders
    assert order.intent.reference_price == 101
    assert order.intent.decided_at_ns == START_NS + 2 * MINUTE_NS
    assert [fill.price for fill in order.fills] == [300]


@pytest.mark.parametrize(("latency_ms", "filled_at"), [(0, 200), (29_000, 200), (31_000, 300)])
def test_what_a_timer_decides_within_a_candle_meets_that_candle_if_it_is_there_in_time(
    latency_ms: int, filled_at: int
) -> None:
    """It is due half a minute before the candle's close, and called with it."""

    def does(self: Noting, told: str) -> Any:
        return (market_order(Side.BUY, Decimal(1), "now"),) if told == "timer 1.5" else ()

    strategy = Noting(does)
    strategy.timer_s = 90
    events = [candle(1, 100, 101), candle(2, 200, 201), candle(3, 300, 301)]
    venue = msgspec.structs.replace(FREE, latency_ms=latency_ms)

    outcome, _ = run(lambda: strategy, {BTC: events}, venue)

    (order,) = outcome.orders
    assert strategy.told.index("timer 1.5") == strategy.told.index("BTC 2") - 1
    assert order.intent.reference_price == 101
    assert [fill.price for fill in order.fills] == [filled_at]


def test_what_risk_refuses_is_told_before_the_next_event() -> None:
    def does(self: Noting, told: str) -> Any:
        if told == "BTC 1":
            return (market_order(Side.BUY, Decimal(7), "too much"),)
        assert self.states == [OrderState.REFUSED]
        return ()

    events = {BTC: [candle(1, 100, 101), candle(2, 100, 101)], ETH: [candle(2, 10, 10, ETH)]}

    outcome, _ = run(lambda: Noting(does), events, limits=RiskLimits(max_order_notional=Decimal(9)))

    assert [order.state for order in outcome.orders] == [OrderState.REFUSED]


class HasADoor(Strategy):
    """It would pass every candle by."""

    def __init__(self) -> None:
        self.due = 0

    def pass_closes(self, closes: Sequence[float], start: int) -> int:
        return len(closes)

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        return ()

    def on_timer(self, due_ns: TimestampNs, position: Decimal) -> Any:
        self.due += 1
        return ()


def test_no_door_leads_past_a_timer() -> None:
    strategy = HasADoor()
    strategy.timer_s = 60
    assert fast_door(strategy) is not None

    run(lambda: strategy, {BTC: [candle(n, 100, 100) for n in range(1, 10)]})

    assert strategy.due == 8


class OnEverything(Noting):
    def on_trade(self, trade: Trade, position: Decimal) -> Any:
        return self._note("trade", trade.ts_event_ns)

    def on_book(self, book: Tick, position: Decimal) -> Any:
        return self._note("book", book.ts_event_ns)


def trade(minute: int, price: int, symbol: Symbol = ETH) -> Trade:
    return Trade(
        symbol=symbol,
        price=Decimal(price),
        quantity=Decimal(1_000),
        aggressor_side=None,
        ts_event_ns=TimestampNs(START_NS + minute * MINUTE_NS),
    )


def book(minute: int) -> Tick:
    at = TimestampNs(START_NS + minute * MINUTE_NS)
    bid, ask = Decimal(10), Decimal(12)
    return Tick(symbol=ETH, bid_price=bid, ask_price=ask, ts_event_ns=at, ts_received_ns=at)


def test_trades_and_books_are_told_where_the_data_has_them() -> None:
    def does(self: Noting, told: str) -> Any:
        return Target(Decimal(1), "now", symbol=ETH) if told == "book 3" else ()

    strategy = OnEverything(does)
    events: dict[Symbol, Sequence[MarketEvent]] = {
        BTC: [candle(1, 100, 100), candle(4, 100, 100)],
        ETH: [trade(1, 11), trade(2, 11), book(3), trade(5, 13)],
    }

    outcome, plan = run(lambda: strategy, events)

    assert strategy.told == ["BTC 1", "trade 1", "trade 2", "book 3", "BTC 4", "trade 5"]
    (order,) = outcome.orders
    assert [fill.price for fill in order.fills] == [13]
    assert outcome.never_called == {}
    assert not any("never called" in line for line in as_table(report_on("x", plan, outcome)))


def test_where_the_data_has_none_the_report_says_so() -> None:
    outcome, plan = run(OnEverything, {BTC: [candle(1, 100, 100)]})

    assert outcome.never_called == {StrategyId("w"): ("on_trade", "on_book")}
    told = "\n".join(as_table(report_on("x", plan, outcome)))
    assert "never called  on_trade and on_book of w: there is no such event in the data" in told


# ---------------------------------------------------------------- money


@st.composite
def rows(draw: st.DrawFn, symbol: Symbol) -> list[MarketEvent]:
    found: list[MarketEvent] = []
    minute = 0
    for _ in range(draw(st.integers(1, 12))):
        minute += draw(st.sampled_from([1, 1, 1, 2]))
        one = candle(minute, *draw(st.tuples(st.integers(80, 120), st.integers(80, 120))), symbol)
        volume = draw(st.sampled_from([Decimal(0), Decimal(3), Decimal("77.7")]))
        found.append(msgspec.structs.replace(one, volume=volume))
    return found


wishes = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from(Side),
        st.sampled_from(["0.01", "0.5", "1.33333", "7"]),
        st.sampled_from([BTC, ETH, CROSS]),
    ),
    max_size=10,
)


class Scripted(Strategy):
    """Trades any of its symbols at any event, once it knows a price."""

    def __init__(self, script: Any) -> None:
        self._script, self._seen, self._priced = script, 0, set[Symbol]()

    def on_candle(self, candle: Candle, position: Decimal) -> list[Decision]:
        self._seen += 1
        self._priced.add(candle.symbol)
        return [
            msgspec.structs.replace(market_order(side, Decimal(quantity), "so"), symbol=symbol)
            for place, side, quantity, symbol in self._script
            if place == self._seen and symbol in self._priced
        ]


@pytest.mark.slow
@settings(max_examples=1_000 if STRESS else 30)
@given(
    first=rows(BTC),
    second=rows(ETH),
    third=rows(CROSS),
    script=wishes,
    fee=st.sampled_from(["7.77", "0", "-1.3"]),
)
def test_no_coin_comes_from_nowhere_whatever_is_paid_with_what(
    first: Any, second: Any, third: Any, script: Any, fee: str
) -> None:
    """BTC is bought with USDT, ETH with USDT and with BTC; each currency has an account."""
    balances = {"USDT": Decimal(900), "BTC": Decimal(2), "ETH": Decimal(2)}
    venue = PaperSettings(balances=balances, taker_fee_bps=Decimal(fee))

    markets = {BTC: first, ETH: second, CROSS: third}
    outcome, plan = run(lambda: Scripted(script), markets, venue)

    moved = dict(balances)
    for one in outcome.markets:
        base, quote = one.symbol.split("/")
        moved[base] += one.quantity
        moved[quote] += one.cash
    assert outcome.balances == moved
    assert all(amount >= 0 for amount in moved.values())
    by_fills = dict(balances)
    for order in outcome.orders:
        base, quote = order.intent.symbol.split("/")
        for fill in order.fills:
            assert fill.fee_currency == quote
            by_fills[base] += order.intent.side.sign * fill.quantity
            by_fills[quote] -= order.intent.side.sign * fill.quantity * fill.price + fill.fee
    assert by_fills == moved
    told = {one.quote: one for one in report_on("x", plan, outcome).quotes}
    assert set(told) == {"USDT", "BTC"}
    profits = {one.symbol: one.profit for one in outcome.markets}
    assert told["USDT"].net == profits[BTC] + profits[ETH]
    assert told["BTC"].net == profits[CROSS]
    assert told["BTC"].capital == 2


# ---------------------------------------------------------------- cutting


@st.composite
def some_markets(draw: st.DrawFn) -> tuple[MarketPlan, ...]:
    plans = []
    for symbol in (BTC, ETH, CROSS)[: draw(st.integers(1, 3))]:
        minutes = sorted(draw(st.sets(st.integers(1, 12), min_size=1)))
        plans.append(market(symbol, [candle(n, 100, 100, symbol) for n in minutes]))
    return tuple(plans)


def shown(markets: Sequence[MarketPlan]) -> list[tuple[int, Symbol]]:
    """What a strategy of all of them is shown by the loop."""
    found: list[tuple[int, Symbol]] = []

    class All(Strategy):
        def on_candle(self, candle: Candle, position: Decimal) -> Any:
            found.append((candle.ts_event_ns, candle.symbol))
            return ()

    symbols = tuple(one.symbol for one in markets)
    one = StrategyPlan(id=StrategyId("a"), symbol=symbols[0], build=All, symbols=symbols)
    plan = Plan(markets=tuple(markets), strategies=(one,), venue=FREE, limits=RiskLimits())
    Backtest(plan).run()
    return found


@pytest.mark.slow
@settings(max_examples=1_000 if STRESS else 30)
@given(some_markets())
def test_a_cut_leaves_the_first_events_as_they_are_shown(markets: tuple[MarketPlan, ...]) -> None:
    whole = shown(markets)
    assert size_of(markets) == len(whole)
    symbols = [one.symbol for one in markets]
    assert [(ts_ns, symbols[place]) for ts_ns, place in moments_of(markets)] == whole
    for first in (0, 1, len(whole) // 2):
        events = list(events_from(markets, first))
        assert [number for number, _ in events] == [*range(first, len(whole))]
        assert [(event.ts_event_ns, event.symbol) for _, event in events] == whole[first:]

    for cut in cuts_at(markets, range(1, len(whole))):
        assert shown(cut_off(markets, cut)) == whole[: cut.count]
        assert cut.last_ns == whole[cut.count - 1][0]
        assert cut.is_whole == (whole[cut.count][0] > cut.last_ns)
