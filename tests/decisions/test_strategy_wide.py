"""Strategies that ask for more than plain events: bars, timers, symbols, fills, snapshots."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.order_keys import order_key
from decisions.strategy import StrategyMemory, StrategyRun, memory_of, new_memory, warmup_candles
from messages.ids import (
    NS_PER_S,
    AccountId,
    ActorPath,
    ClientOrderId,
    OrderKey,
    StrategyId,
    Symbol,
    TimestampNs,
    TradeId,
)
from messages.market import Candle, MarketBatch, MarketEvent, Tick
from messages.orders import Fill, OrderIntent, OrderUpdate
from messages.values import Liquidity, OrderState, Side, Target

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
MINUTE = 60 * NS_PER_S
CREATED = TimestampNs(77)
ONE = Decimal(1)


class Plain:
    """What every strategy of these tests begins from."""

    warmup_events = 0
    positions: Mapping[Symbol, Decimal] = {}

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        self.told.append(("candle", candle.symbol, candle.ts_event_ns // MINUTE))
        return ()

    def on_trade(self, trade: Any, position: Decimal) -> Any:
        return ()

    def on_tick(self, tick: Tick, position: Decimal) -> Any:
        return ()

    def on_update(self, update: OrderUpdate) -> None:
        self.told.append(("update", update.state))


def candle(minute: int, close: int = 100, symbol: Symbol = BTC) -> Candle:
    price = Decimal(close)
    return Candle(
        symbol=symbol,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=ONE,
        ts_open_ns=TimestampNs(minute * MINUTE),
        ts_event_ns=TimestampNs((minute + 1) * MINUTE),
    )


def tick(second: int) -> Tick:
    at = TimestampNs(second * NS_PER_S)
    return Tick(symbol=BTC, bid_price=ONE, ask_price=ONE, ts_event_ns=at, ts_received_ns=at)


def run(
    build: Callable[[], Any],
    memory: StrategyMemory | None = None,
    symbols: Sequence[Symbol] = (BTC,),
) -> StrategyRun:
    memory = memory_of(build(), MINUTE, symbols) if memory is None else memory
    account, name = AccountId("main"), StrategyId("one")
    return StrategyRun(build, memory, account, name, symbols[0], symbols=symbols)


def take_all(one: StrategyRun, events: Iterable[MarketEvent]) -> list[OrderIntent]:
    return [intent for event in events for intent in one.take(event, CREATED)]


def batch(events: Sequence[MarketEvent], first: int = 0) -> MarketBatch:
    return MarketBatch(feed=ActorPath("feeds/feed"), first_index=first, events=tuple(events))


# ------------------------------------------------------------------ timers


class Timed(Plain):
    timer_s = 300

    def on_timer(self, due_ns: TimestampNs, position: Decimal) -> Any:
        self.told.append(("timer", due_ns // MINUTE))
        return Target(position + 1, "it is time")


def told_by(strategy: Plain, events: Iterable[MarketEvent]) -> list[Any]:
    take_all(run(lambda: strategy), events)
    return strategy.told


def timers(strategy: Plain, events: Iterable[MarketEvent]) -> list[int]:
    return [what[1] for what in told_by(strategy, events) if what[0] == "timer"]


def test_a_timer_due_with_a_candle_is_called_right_after_it() -> None:
    told = told_by(Timed(), [candle(minute) for minute in range(3, 6)])

    assert [what[-1] for what in told] == [4, 5, 5, 6]
    assert [what[0] for what in told] == ["candle", "candle", "timer", "candle"]


def test_a_timer_that_a_quiet_market_has_passed_is_called_once_with_the_last_due_time() -> None:
    told = told_by(Timed(), [candle(1), candle(23), candle(24)])

    assert [(what[0], what[-1]) for what in told] == [
        ("candle", 2),
        ("timer", 20),
        ("candle", 24),
        ("candle", 25),
        ("timer", 25),
    ]


def test_a_decision_on_a_timer_is_keyed_by_its_due_time_however_late_it_was_noticed() -> None:
    (late,) = take_all(run(Timed), [candle(1, 100), candle(6, 500)])
    (exact,) = take_all(run(Timed), [candle(1, 100), candle(4, 500)])

    due = TimestampNs(5 * MINUTE)
    assert late.order_key == exact.order_key
    assert late.order_key == order_key(late.account, late.strategy_id, BTC, due, 0)
    assert late.decided_at_ns == due
    assert [late.reference_price, exact.reference_price] == [Decimal(100), Decimal(500)]


def test_a_timer_at_a_decision_of_the_same_moment_has_the_next_key() -> None:
    class Both(Timed):
        def on_candle(self, candle: Candle, position: Decimal) -> Any:
            return Target(position + 1, "a candle")

    first, second, third = take_all(run(Both), [candle(3), candle(4)])

    moment = TimestampNs(5 * MINUTE)
    assert [first.decided_at_ns, second.decided_at_ns, third.decided_at_ns] == [
        4 * MINUTE,
        moment,
        moment,
    ]
    assert third.order_key == order_key(third.account, third.strategy_id, BTC, moment, 1)


def test_what_a_timer_decides_on_history_is_thrown_away() -> None:
    one = run(Timed)
    history = msgspec.structs.replace(batch([candle(1), candle(6), candle(9)]), is_history=True)

    assert list(one.take_batch(history, lambda: CREATED)) == []
    assert one.memory.position == 0

    assert len(take_all(one, [candle(14)])) == 1


@settings(max_examples=30)
@given(minutes=st.lists(st.integers(0, 200), unique=True).map(sorted))
def test_each_due_time_is_told_at_most_once_in_order_and_never_early(minutes: list[int]) -> None:
    strategy = Timed()
    told = told_by(strategy, [candle(minute) for minute in minutes])

    due = [what[1] for what in told if what[0] == "timer"]
    ends = {(minute + 1) // 5 * 5 for minute in minutes if (minute + 1) % 5 == 0}
    assert due == sorted(set(due))
    assert all(moment % 5 == 0 for moment in due)
    if minutes:
        assert ends - {minutes[0] + 1} <= set(due)
    for place, what in enumerate(told):
        if what[0] == "timer":
            before = [one[-1] for one in told[:place] if one[0] == "candle"][-1]
            after = [one[-1] for one in told[place:] if one[0] == "candle"][:1]
            is_passed = before < what[1] < max(after, default=0)
            assert before == what[1] or is_passed, "after its candle, or before the next one"


# ------------------------------------------------------------------ timeframes


class Framed(Plain):
    timeframes = ("1m", "5m", "15m")
    warmup_bars: Mapping[str, int] = {"15m": 2}

    def on_bar(self, bar: Candle, timeframe: str, position: Decimal) -> Any:
        self.told.append((timeframe, bar.close))
        return Target(Decimal(len(self.told)), timeframe) if timeframe == "15m" else None


def test_the_longest_bar_is_told_first_and_the_candle_that_closed_it_last() -> None:
    told = told_by(Framed(), [candle(minute, minute) for minute in range(15)])

    assert [what[0] for what in told if what[0] != "candle"] == ["5m", "5m", "15m", "5m"]
    assert [what[0] for what in told[-3:]] == ["15m", "5m", "candle"]
    assert told[-3][1] == told[-2][1] == 14


def test_a_decision_on_a_bar_is_made_at_the_event_that_closed_it() -> None:
    market = [candle(minute) for minute in range(14)]  # the last minute of the bar is missing

    (intent,) = take_all(run(Framed), [*market, candle(16)])

    assert intent.decided_at_ns == 17 * MINUTE


def test_a_warm_up_in_bars_has_room_for_the_candles_of_them() -> None:
    assert warmup_candles(Framed(), MINUTE) == 2 * 15 + 14
    assert memory_of(Framed(), MINUTE, [BTC, ETH]).warmed == (0, 88)


class Frameless(Framed):
    """Needs no bars of before: it looks at the present one alone."""

    warmup_bars: Mapping[str, int] = {}


@pytest.mark.parametrize("framed", [Framed, Frameless])
@pytest.mark.parametrize("reached", [101, 104, 105, 106])
def test_a_fresh_one_is_told_the_same_bars_after_its_warm_up_as_the_old_one(
    framed: type[Framed], reached: int
) -> None:
    market = [candle(minute, minute) for minute in range(200)]
    old, heir = framed(), framed()
    one = run(lambda: old)
    take_all(one, market[:reached])
    reborn = run(lambda: heir, one.memory.inherited())
    reborn.warm_up()
    heir.told.clear()
    before = len(old.told)

    take_all(one, market[reached:])
    take_all(reborn, market[reached:])

    assert heir.told == old.told[before:]


# ------------------------------------------------------------------ several symbols


class Pair(Plain):
    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        self.told.append((candle.symbol, position, dict(self.positions)))
        if candle.symbol == ETH and position == 0:
            return [Target(ONE, "long"), Target(-ONE, "short", symbol=BTC)]
        return ()


def test_a_pair_sees_both_markets_and_trades_one_on_an_event_of_the_other() -> None:
    strategy = Pair()
    one = run(lambda: strategy, symbols=(BTC, ETH))

    on_eth, on_btc = take_all(one, [candle(1), candle(1, 50, ETH), candle(2), candle(2, 51, ETH)])

    assert (on_eth.symbol, on_eth.side, on_eth.reference_price) == (ETH, Side.BUY, Decimal(50))
    assert (on_btc.symbol, on_btc.side, on_btc.reference_price) == (BTC, Side.SELL, Decimal(100))
    assert strategy.told[-2:] == [
        (BTC, -ONE, {BTC: -ONE, ETH: ONE}),
        (ETH, ONE, {BTC: -ONE, ETH: ONE}),
    ]
    assert one.memory.positions(BTC) == {BTC: -ONE, ETH: ONE}
    assert one.memory.position == -ONE


def test_events_of_a_third_symbol_are_counted_and_not_shown() -> None:
    strategy = Pair()
    one = run(lambda: strategy, symbols=(BTC, ETH))

    take_all(one, [candle(1, 1, Symbol("DOGE/USDT"))])

    assert strategy.told == []
    assert one.memory.next_index == 1


GOLDEN = [
    "00000000ea60e7dc173248e105f5f869",
    "00000001d4c0fd48134a9369de6ed8ba",
    "00000002bf200948a23a6a6e73eb52c3",
    "00000003a9803e6c8c74eadc02e889ab",
]
"""Of what was released: a key that changes is an order sent twice."""


class Doubler(Plain):
    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        return Target(position + 1, "more")


def test_one_symbol_has_the_keys_and_the_memory_that_it_always_had() -> None:
    market = [candle(minute) for minute in range(4)]
    plain, among = run(Doubler), run(Doubler, symbols=(BTC, ETH))

    assert take_all(plain, market) == take_all(among, market)
    assert plain.memory.wide is None
    assert [intent.order_key for intent in take_all(run(Doubler), market)] == GOLDEN


def test_a_moment_that_comes_again_after_a_later_one_has_the_next_key_after_a_restart_too() -> None:
    one = run(Doubler, symbols=(BTC, ETH))
    intents = take_all(one, [candle(1), candle(2)])

    reborn = run(Doubler, one.memory.inherited(), symbols=(BTC, ETH))
    reborn.warm_up()
    intents += take_all(reborn, [candle(1), candle(2)])

    assert len({intent.order_key for intent in intents}) == 4


def test_one_that_goes_on_from_an_earlier_process_holds_what_that_one_did_of_each_symbol() -> None:
    memory = memory_of(Pair(), MINUTE, (BTC, ETH))
    memory.begin_with((BTC, ETH), {ETH: ONE, BTC: -ONE}, decided_until_ns=-1)
    strategy = Pair()
    one = run(lambda: strategy, memory.inherited(), symbols=(BTC, ETH))

    assert take_all(one, [candle(1), candle(1, 50, ETH)]) == []
    assert strategy.told[-1] == (ETH, ONE, {BTC: -ONE, ETH: ONE})


@pytest.mark.parametrize("restarted", [False, True])
def test_a_timer_that_an_earlier_process_has_decided_on_decides_nothing(restarted: bool) -> None:
    """It was due at five, noticed by the next event, and the process died after it."""
    memory = memory_of(Timed(), MINUTE, (BTC,))
    memory.begin_with((BTC,), {BTC: ONE}, decided_until_ns=5 * MINUTE)
    one = run(Timed, memory)

    assert take_all(one, [candle(1), candle(6)]) == []
    if restarted:
        one = run(Timed, one.memory.inherited())
        one.warm_up()
    (intent,) = take_all(one, [candle(9)])

    assert intent.decided_at_ns == 10 * MINUTE
    assert one.memory.position == 2


def test_a_plain_strategy_sees_its_position_by_symbol_too() -> None:
    strategy = Doubler()
    one = run(lambda: strategy)

    take_all(one, [candle(1), candle(2)])

    assert strategy.positions == {BTC: Decimal(2)}


# ------------------------------------------------------------------ fills


class Filled(Plain):
    def on_fill(self, fill: Fill, order: OrderUpdate) -> None:
        self.told.append((fill.trade_id, order.side))
        if fill.trade_id == "bad":
            raise ValueError("too much")


def update(*trades: str, late: bool = False, order: str = "k") -> OrderUpdate:
    fills = tuple(
        Fill(
            trade_id=TradeId(trade),
            price=ONE,
            quantity=ONE,
            fee=Decimal(0),
            fee_currency="USDT",
            liquidity=Liquidity.TAKER,
            ts_event_ns=TimestampNs(1),
        )
        for trade in trades
    )
    return OrderUpdate(
        order_key=OrderKey(order),
        client_order_id=ClientOrderId("c"),
        strategy_id=StrategyId("one"),
        symbol=BTC,
        side=Side.BUY,
        state=OrderState.FILLED,
        quantity=ONE,
        filled_quantity=ONE,
        average_price=ONE,
        fills=fills,
        reason="",
        decided_at_ns=TimestampNs(1),
        ts_event_ns=TimestampNs(2),
        late_fills=late,
    )


def test_each_execution_is_told_once_after_the_update_that_brought_it() -> None:
    strategy = Filled()
    one = run(lambda: strategy)

    one.update(update("a", "b"))
    one.update(update("b", "c"))

    executions = [what[0] for what in strategy.told if what[0] != "update"]
    assert executions == ["a", "b", "c"]
    assert strategy.told[0][0] == "update"


def test_of_two_own_orders_that_met_both_executions_are_told() -> None:
    """The venue gives them one trade id."""
    strategy = Filled()
    one = run(lambda: strategy)

    one.update(update("a", order="buy"))
    one.update(update("a", order="sell"))

    assert [what[0] for what in strategy.told] == ["update", "a", "update", "a"]


def test_an_execution_that_was_learnt_late_is_told_and_the_state_is_not_told_again() -> None:
    strategy = Filled()

    run(lambda: strategy).update(update("a", late=True))

    assert strategy.told == [("a", Side.BUY)]


def test_an_execution_that_brought_a_strategy_down_is_not_told_to_the_next() -> None:
    memory = new_memory(0)
    with pytest.raises(ValueError, match="too much"):
        run(Filled, memory).update(update("bad"))
    heir = Filled()

    run(lambda: heir, memory.inherited()).update(update("bad", "good"))

    assert [what[0] for what in heir.told] == ["update", "good"]


# ------------------------------------------------------------------ ticks beside a numbered feed


def test_a_tick_that_the_feed_does_not_number_costs_no_candle() -> None:
    strategy = Plain()
    one = run(lambda: strategy)
    list(one.take_batch(batch([candle(0), candle(1)]), lambda: CREATED))

    one.take_aside(tick(150), CREATED)
    list(one.take_batch(batch([candle(2)], first=2), lambda: CREATED))

    assert [what[-1] for what in strategy.told] == [1, 2, 3]


# ------------------------------------------------------------------ snapshots


class Kept(Timed):
    """Holds more than any warm-up could rebuild: how many events it has ever seen."""

    timeframes = ("5m",)
    overrides = frozenset({"snapshot", "restore"})
    raise_on: Callable[[Candle], bool] = staticmethod(lambda _: False)

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        self.seen += 1
        if type(self).raise_on(candle):
            raise ValueError("poison")
        return Target(Decimal(self.seen * self.seen % 7), "by count")

    def on_bar(self, bar: Candle, timeframe: str, position: Decimal) -> Any:
        self.seen += int(bar.close)
        return Target(position - 1, "by bar")

    def snapshot(self) -> bytes | None:
        return str(self.seen).encode()

    def restore(self, data: bytes) -> None:
        self.seen = int(data)


def test_a_restored_strategy_goes_on_as_if_it_had_never_stopped() -> None:
    market = [candle(minute, minute) for minute in range(300)]
    undisturbed = take_all(run(Kept), market)
    one = run(Kept)
    intents = take_all(one, market[:201])

    reborn = run(Kept, one.memory.inherited())
    reborn.warm_up()
    intents += take_all(reborn, market[201:])

    assert intents == undisturbed
    assert reborn.problem is None


@settings(max_examples=30)
@given(
    closes=st.lists(st.integers(1, 9), min_size=1, max_size=60),
    cuts=st.sets(st.integers(1, 60)),
    crashes=st.sets(st.integers(0, 59), max_size=5),
)
def test_a_crash_anywhere_changes_no_intent_of_a_strategy_with_snapshots(
    closes: list[int], cuts: set[int], crashes: set[int]
) -> None:
    events = [candle(place, close) for place, close in enumerate(closes)]
    left = {event.ts_open_ns for place, event in enumerate(events) if place in crashes}

    class Fragile(Kept):
        @staticmethod
        def raise_on(one: Candle) -> bool:
            fatal = one.ts_open_ns in left
            left.discard(one.ts_open_ns)
            return fatal

    one = run(Fragile)
    intents: list[OrderIntent] = []
    while (done := one.memory.next_index) < len(events):
        stop = min([cut for cut in cuts if cut > done], default=len(events))
        try:
            intents += one.take_batch(batch(events[done:stop], done), lambda: CREATED)
        except ValueError:
            one = run(Fragile, one.memory.inherited())
            one.warm_up()

    # A batch that crashed has told what came before; `+=` of a generator keeps that too.
    assert intents == take_all(run(Kept), events)


def test_a_snapshot_that_cannot_be_restored_is_told_and_warm_up_takes_its_place() -> None:
    class Forgetful(Kept):
        warmup_events = 3

        def restore(self, data: bytes) -> None:
            raise KeyError("another version")

    one = run(Forgetful)
    take_all(one, [candle(minute) for minute in range(20)])

    reborn = run(Forgetful, one.memory.inherited())
    reborn.warm_up()

    assert isinstance(reborn.problem, KeyError)
    assert reborn.memory.wide is not None
    assert reborn.memory.wide.snapshot is None
    assert "seen" in reborn.strategy_state(str)
    assert int(reborn.strategy_state(str)["seen"]) > 0


@pytest.mark.parametrize("answer", ["text", 7, [b"x"]])
def test_a_snapshot_that_is_no_bytes_is_told_and_not_kept(answer: Any) -> None:
    class Wrong(Kept):
        def snapshot(self) -> Any:
            return answer

    one = run(Wrong)

    take_all(one, [candle(1)])

    assert isinstance(one.problem, TypeError)
    assert one.memory.wide is not None
    assert one.memory.wide.snapshot is None


def test_a_restore_that_hung_is_not_tried_again() -> None:
    one = run(Kept)
    take_all(one, [candle(minute) for minute in range(20)])
    memory = one.memory.inherited()
    assert memory.wide is not None
    memory.wide.restoring = True

    reborn = run(Kept, memory)
    reborn.warm_up()

    assert memory.wide.snapshot is None
    assert not memory.wide.restoring


def test_a_snapshot_under_which_an_event_failed_twice_is_dropped() -> None:
    class Poisoned(Kept):
        @staticmethod
        def raise_on(one: Candle) -> bool:
            return one.close == 666

    memory = run(Poisoned).memory
    take_all(run(Poisoned, memory), [candle(0)])
    for _ in range(2):
        memory = memory.inherited()
        one = run(Poisoned, memory)
        one.warm_up()
        with pytest.raises(ValueError, match="poison"):
            one.take(candle(1, 666), CREATED)
    memory = memory.inherited()

    last = run(Poisoned, memory)
    last.warm_up()

    assert memory.wide is not None
    assert memory.wide.snapshot is None
    assert take_all(last, [candle(1, 666)]) == []
    assert memory.passed_over == 1
