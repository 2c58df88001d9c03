from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.strategy import StrategyMemory, StrategyRun, new_memory
from messages.ids import (
    AccountId,
    ActorPath,
    ClientOrderId,
    OrderKey,
    StrategyId,
    Symbol,
    TimestampNs,
)
from messages.market import Candle, MarketBatch, MarketEvent, Tick, Trade
from messages.orders import OrderIntent, OrderUpdate
from messages.stops import StopActed
from messages.values import OrderState, OrderType, Side, TimeInForce

BTC = Symbol("BTC/USDT")
CREATED = TimestampNs(77)
FEED = ActorPath("feeds/feed")


class Wish(msgspec.Struct, frozen=True):
    side: Side
    quantity: Decimal
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.IOC
    limit_price: Decimal | None = None
    reason: str = "because"


class Swinger:
    """Buys one on a close above the mean of the last two before it, sells all below it."""

    warmup_events = 2

    def __init__(self, raise_on: Callable[[Candle], bool] = lambda _: False) -> None:
        self._raise_on = raise_on
        self._seen: list[Decimal] = []
        self.updates: list[OrderUpdate] = []

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Wish]:
        before, self._seen = self._seen, [*self._seen[-1:], candle.close]
        if self._raise_on(candle):
            raise ValueError("poison")
        if len(before) < 2:
            return ()
        middle = sum(before, Decimal(0)) / 2
        if candle.close > middle and position == 0:
            return (Wish(Side.BUY, Decimal(1)),)
        if candle.close < middle and position > 0:
            return (Wish(Side.SELL, position),)
        return ()

    def on_trade(self, trade: Trade, position: Decimal) -> Sequence[Wish]:
        return (Wish(Side.BUY, trade.quantity), Wish(Side.BUY, trade.quantity))

    def on_tick(self, tick: Tick, position: Decimal) -> Sequence[Wish]:
        return (Wish(Side.SELL, Decimal(1), OrderType.LIMIT, TimeInForce.GTC, tick.ask_price),)

    def on_update(self, update: OrderUpdate) -> None:
        self.updates.append(update)


def candle(close: int, place: int, symbol: Symbol = BTC) -> Candle:
    price = Decimal(close)
    return Candle(
        symbol=symbol,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1),
        ts_open_ns=TimestampNs(place * 60),
        ts_event_ns=TimestampNs(place * 60 + 60),
    )


def trade(moment: int, quantity: str = "1") -> Trade:
    return Trade(
        symbol=BTC,
        price=Decimal(100),
        quantity=Decimal(quantity),
        aggressor_side=None,
        ts_event_ns=TimestampNs(moment),
    )


def market(closes: Iterable[int]) -> list[MarketEvent]:
    return [candle(close, place) for place, close in enumerate(closes)]


def batch(events: Sequence[MarketEvent], first: int = 0) -> MarketBatch:
    return MarketBatch(feed=FEED, first_index=first, events=tuple(events))


def run(
    memory: StrategyMemory | None = None, build: Callable[[], Any] = Swinger, name: str = "one"
) -> StrategyRun:
    memory = new_memory(2) if memory is None else memory
    return StrategyRun(build, memory, AccountId("main"), StrategyId(name), BTC)


def take_all(one: StrategyRun, events: Iterable[MarketEvent]) -> list[OrderIntent]:
    return [intent for event in events for intent in one.take(event, CREATED)]


def test_a_decision_becomes_an_intent_with_the_time_and_price_of_its_event() -> None:
    (intent,) = take_all(run(), market([10, 10, 20]))

    assert (intent.side, intent.quantity) == (Side.BUY, Decimal(1))
    assert intent.reason == "because"
    assert (intent.decided_at_ns, intent.ts_created_ns) == (180, CREATED)
    assert intent.reference_price == 20
    assert intent.account == "main"


def test_the_position_is_what_the_decisions_would_hold_if_they_filled() -> None:
    one = run()

    intents = take_all(one, market([10, 10, 20, 30, 5]))

    assert [intent.side for intent in intents] == [Side.BUY, Side.SELL]
    assert one.memory.position == 0


def test_a_decision_on_a_tick_is_made_at_the_middle_and_keeps_its_limit() -> None:
    tick = Tick(
        symbol=BTC,
        bid_price=Decimal(99),
        ask_price=Decimal(101),
        ts_event_ns=TimestampNs(5),
        ts_received_ns=TimestampNs(6),
    )

    (intent,) = run().take(tick, CREATED)

    assert (intent.reference_price, intent.limit_price) == (Decimal(100), Decimal(101))
    assert (intent.order_type, intent.time_in_force) == (OrderType.LIMIT, TimeInForce.GTC)


def test_decisions_of_one_moment_have_each_their_own_key() -> None:
    one = run()

    intents = take_all(one, [trade(5), trade(5, "2"), trade(6)])

    assert len({intent.order_key for intent in intents}) == 6


def test_a_moment_that_comes_again_after_a_later_one_has_the_next_keys() -> None:
    """A live market tells a candle when it is sure, after trades that are younger."""
    one = run()

    intents = take_all(one, [trade(5), trade(6), trade(5, "2"), trade(6, "3")])

    assert len({intent.order_key for intent in intents}) == 8
    assert list(one.memory.decided.values()) == [4, 4]
    assert len({i.order_key for i in take_all(run(), [trade(5), trade(5, "2")])}) == 4


def test_moments_of_long_ago_are_forgotten() -> None:
    one = run()

    take_all(one, [trade(moment) for moment in range(1, 1_000)])

    assert 100 < len(one.memory.decided) < 300
    assert max(one.memory.decided) == (BTC, 999)


def test_the_same_events_give_the_same_keys_in_another_life() -> None:
    events = [trade(5), trade(5), trade(6)]

    assert take_all(run(), events) == take_all(run(), events)


def test_two_strategies_that_decide_the_same_have_different_keys() -> None:
    keys = {take_all(run(name=name), [trade(5)])[0].order_key for name in ("one", "two")}

    assert len(keys) == 2


def test_events_of_other_symbols_are_counted_and_not_shown() -> None:
    one = run()

    intents = one.take(candle(1, 0, Symbol("ETH/USDT")), CREATED)

    assert intents == []
    assert one.memory.next_index == 1
    assert not one.memory.recent


def test_events_already_taken_are_skipped_when_a_batch_comes_again() -> None:
    one = run()
    events = market([10, 10, 20, 5])
    first = list(one.take_batch(batch(events[:3]), lambda: CREATED))

    again = list(one.take_batch(batch(events), lambda: CREATED))

    assert [intent.side for intent in first] == [Side.BUY]
    assert [intent.side for intent in again] == [Side.SELL]
    assert one.memory.next_index == 4


def test_an_event_whose_intents_were_not_all_told_is_the_next_incarnations() -> None:
    abandoned = run()
    events = market([10, 10, 20, 5])
    intents = abandoned.take_batch(batch(events), lambda: CREATED)
    first = next(intents)
    # It was replaced here, before it could ask for more: what it told may not have gone out.
    intents.close()  # type: ignore[attr-defined]

    successor = run(abandoned.memory.inherited())
    successor.warm_up()
    again = list(successor.take_batch(batch(events), lambda: CREATED))

    assert abandoned.memory.position == 0
    assert [intent.side for intent in again] == [Side.BUY, Side.SELL]
    assert again[0].order_key == first.order_key


def test_a_batch_after_a_gap_is_not_taken() -> None:
    one = run()

    assert list(one.take_batch(batch(market([1, 2, 3]), first=1), lambda: CREATED)) == []
    assert one.memory.next_index == 0


def poisoned() -> Swinger:
    return Swinger(lambda candle: candle.close == 666)


def test_an_event_that_brings_a_strategy_down_moves_no_position_and_waits_for_its_successor() -> (
    None
):
    one = run(build=poisoned)

    with pytest.raises(ValueError, match="poison"):
        take_all(one, market([10, 10, 20, 666]))

    assert (one.memory.next_index, one.memory.position) == (3, Decimal(1))


def test_an_event_that_brings_two_down_is_passed_over_and_not_shown_to_a_third() -> None:
    memory = new_memory(2)
    take_all(run(memory), market([10, 10]))
    for _ in range(2):
        with pytest.raises(ValueError, match="poison"):
            run(memory, poisoned).take(candle(666, 2), CREATED)

    intents = run(memory, poisoned).take(candle(666, 2), CREATED)

    assert intents == []
    assert (memory.next_index, memory.passed_over) == (3, 1)


def test_a_decision_that_cannot_become_an_intent_moves_no_position() -> None:
    class Broken(Swinger):
        def on_trade(self, trade: Trade, position: Decimal) -> Sequence[Any]:
            return (Wish(Side.BUY, Decimal(1)), object())

    one = run(build=Broken)

    with pytest.raises(AttributeError):
        one.take(trade(5), CREATED)

    assert one.memory.position == 0


def test_warm_up_decides_nothing_and_leaves_the_memory_alone() -> None:
    memory = new_memory(2)
    take_all(run(memory), market([10, 10, 20]))

    reborn = run(memory)
    reborn.warm_up()

    assert (memory.next_index, memory.position) == (3, Decimal(1))
    assert [intent.side for intent in reborn.take(candle(5, 3), CREATED)] == [Side.SELL]


def test_an_event_that_raises_only_in_warm_up_is_left_out_of_it() -> None:
    memory = new_memory(2)
    take_all(run(memory), market([10, 10, 666]))

    reborn = run(memory, poisoned)
    reborn.warm_up()

    assert [event.close for event in memory.recent if isinstance(event, Candle)] == [10, 10]
    assert [intent.side for intent in reborn.take(candle(5, 3), CREATED)] == [Side.SELL]


def test_an_event_that_a_warm_up_hung_on_is_left_out_of_the_next() -> None:
    memory = new_memory(2)
    take_all(run(memory), market([10, 10, 20]))
    memory.warming_on = memory.recent[1]

    run(memory).warm_up()

    assert [event.close for event in memory.recent if isinstance(event, Candle)] == [10, 20]
    assert memory.warming_on is None


def test_what_became_of_an_order_is_told_and_moves_no_position() -> None:
    strategy = Swinger()
    one = run(build=lambda: strategy)

    one.update(
        OrderUpdate(
            order_key=OrderKey("k"),
            client_order_id=ClientOrderId("c"),
            strategy_id=StrategyId("one"),
            symbol=BTC,
            side=Side.BUY,
            state=OrderState.FILLED,
            quantity=Decimal(1),
            filled_quantity=Decimal(1),
            average_price=Decimal(100),
            fills=(),
            reason="",
            decided_at_ns=TimestampNs(1),
            ts_event_ns=TimestampNs(2),
        )
    )

    assert len(strategy.updates) == 1
    assert one.memory.position == 0


def test_what_a_strategy_holds_is_cleaned_before_it_is_cut() -> None:
    class Noted(Swinger):
        note = ""

    strategy = Noted()
    strategy.note = "x" * 190 + "opensesame"

    told = StrategyRun(
        lambda: strategy, new_memory(2), AccountId("main"), StrategyId("a"), BTC
    ).strategy_state(lambda text: text.replace("opensesame", "***"))

    assert told["note"] == "'" + "x" * 190 + "***'"
    assert told["updates"] == "[]"


def test_a_strategy_without_warm_up_remembers_no_events() -> None:
    one = run(new_memory(0))

    one.take(candle(1, 0), CREATED)

    assert not one.memory.recent


def drive(events: list[MarketEvent], cuts: set[int], crashes: dict[int, int]) -> list[OrderIntent]:
    """A feed that sends what is not finished, in pieces; an actor that is reborn by warm-up.

    `crashes` says how often the event at a place brings down whoever is shown it.
    """
    left = dict(crashes)
    memory = new_memory(2)
    intents: list[OrderIntent] = []

    def is_fatal(candle: Candle) -> bool:
        place = candle.ts_open_ns // 60
        left[place] = left.get(place, 0) - 1
        return left[place] >= 0

    one = run(memory, lambda: Swinger(is_fatal))
    while memory.next_index < len(events):
        stop = min([cut for cut in cuts if cut > memory.next_index], default=len(events))
        start = max(0, memory.next_index - 3)
        try:
            for intent in one.take_batch(batch(events[start:stop], start), lambda: CREATED):
                intents.append(intent)
        except ValueError:
            memory = memory.inherited()
            one = run(memory, lambda: Swinger(is_fatal))
            one.warm_up()
    return intents


@given(
    closes=st.lists(st.integers(8, 12), min_size=1, max_size=40),
    cuts=st.sets(st.integers(1, 40)),
)
def test_however_a_market_is_cut_into_batches_the_intents_are_the_same(
    closes: list[int], cuts: set[int]
) -> None:
    events = market(closes)

    assert drive(events, cuts, {}) == take_all(run(), events)


@pytest.mark.slow
@given(
    closes=st.lists(st.integers(8, 12), min_size=1, max_size=40),
    cuts=st.sets(st.integers(1, 40)),
    crashes=st.dictionaries(st.integers(0, 39), st.integers(1, 2), max_size=5),
)
def test_a_crash_costs_no_decision_and_a_second_on_the_same_event_costs_that_event_alone(
    closes: list[int], cuts: set[int], crashes: dict[int, int]
) -> None:
    events = market(closes)

    intents = drive(events, cuts, crashes)

    survived = [event for place, event in enumerate(events) if crashes.get(place) != 2]
    assert intents == take_all(run(), survived)


@given(closes=st.lists(st.integers(8, 12), max_size=40))
def test_no_two_intents_share_a_key(closes: list[int]) -> None:
    intents = take_all(run(), market(closes))

    assert len({intent.order_key for intent in intents}) == len(intents)


# ------------------------------------------------------------------ a live market


def begun(position: str, decided_until: int = -1) -> StrategyRun:
    """One whose earlier process has decided until a moment."""
    memory = new_memory(2)
    memory.begin_with([BTC], {BTC: Decimal(position)}, decided_until)
    return run(memory.inherited())


def test_one_that_goes_on_from_an_earlier_process_leaves_what_that_one_bought() -> None:
    intents = take_all(begun("1"), market([10, 10, 5]))

    assert [(one.side, one.quantity) for one in intents] == [(Side.SELL, Decimal(1))]


def test_one_that_goes_on_does_not_buy_a_second_time() -> None:
    assert take_all(begun("1"), market([10, 10, 20])) == []
    assert len(take_all(begun("0"), market([10, 10, 20]))) == 1


def test_what_an_earlier_process_was_told_to_decide_on_is_history() -> None:
    """It decided on the third candle, which the market tells again."""
    third, fourth = 180, 240
    one = begun("1", decided_until=third)

    assert take_all(one, market([10, 10, 5])) == []
    assert one.memory.position == 1
    (left,) = take_all(one, [candle(5, 3)])
    assert left.decided_at_ns == fourth


def test_history_builds_the_state_and_decides_nothing() -> None:
    one = run()
    rising = market([10, 11, 12])
    history = msgspec.structs.replace(batch(rising), is_history=True)

    assert list(one.take_batch(history, lambda: CREATED)) == []
    assert (one.memory.next_index, one.memory.position) == (3, Decimal(0))
    assert list(one.memory.recent) == rising

    (intent,) = one.take_batch(batch([candle(20, 3)], first=3), lambda: CREATED)
    assert intent.side is Side.BUY


def test_lost_events_are_passed_over_only_when_the_feed_says_so() -> None:
    one = run()
    late = batch([candle(10, 5)], first=5)

    list(one.take_batch(late, lambda: CREATED))
    list(one.take_batch(msgspec.structs.replace(late, lost=4), lambda: CREATED))
    assert one.memory.next_index == 0

    list(one.take_batch(msgspec.structs.replace(late, lost=5), lambda: CREATED))
    assert one.memory.next_index == 6


def test_what_a_follower_has_is_not_lost_to_it_though_the_feed_says_so() -> None:
    one = run()
    list(one.take_batch(batch(market([10, 11])), lambda: CREATED))
    again = msgspec.structs.replace(batch(market([10, 11, 12])[1:], first=1), lost=1)

    list(one.take_batch(again, lambda: CREATED))

    assert (one.memory.next_index, len(one.memory.recent)) == (3, 3)


# ------------------------------------------------------------------ what stops have left


def acted(change: str, key: str = "x", symbol: Symbol = BTC) -> StopActed:
    return StopActed(
        order_key=OrderKey(key),
        entry_key=OrderKey("entry"),
        strategy_id=StrategyId("one"),
        symbol=symbol,
        change=Decimal(change),
        cause="stop_loss",
        why="",
        ts_event_ns=TimestampNs(1),
    )


@pytest.mark.parametrize(
    ("position", "change", "after"),
    [("3", "-1", "2"), ("3", "-3", "0"), ("3", "-4", "0"), ("-3", "1", "-2"), ("0", "-3", "0")],
)
def test_what_a_stop_has_left_is_no_position_and_never_beyond_flat(
    position: str, change: str, after: str
) -> None:
    """Beyond it the strategy has left by itself meanwhile, or has turned around."""
    memory = new_memory(0)
    memory.position = Decimal(position)
    run = StrategyRun(Swinger, memory, AccountId("main"), StrategyId("one"), BTC)

    run.stop_acted(acted(change))

    assert memory.position == Decimal(after)


def test_an_exit_that_is_told_twice_counts_once_over_a_restart_too() -> None:
    memory = new_memory(0)
    memory.position = Decimal(3)
    StrategyRun(Swinger, memory, AccountId("main"), StrategyId("one"), BTC).stop_acted(acted("-1"))
    memory = memory.inherited()
    run = StrategyRun(Swinger, memory, AccountId("main"), StrategyId("one"), BTC)

    run.stop_acted(acted("-1"))
    assert memory.position == 2
    run.stop_acted(acted("-1", "y"))
    assert memory.position == 1
    run.stop_acted(acted("-1", "z", Symbol("ETH/USDT")))
    assert memory.position == 1


class Doored:
    """Decides on nothing; its fast door falls in, or lies about how far it came."""

    warmup_events = 0

    def __init__(self, door: Callable[[Sequence[float], int], int]) -> None:
        self._door = door
        self.seen: list[Candle] = []

    def on_candle(self, candle: Candle, position: Decimal) -> Sequence[Wish]:
        self.seen.append(candle)
        return ()

    def on_trade(self, trade: Trade, position: Decimal) -> Sequence[Wish]:
        return ()

    def on_tick(self, tick: Tick, position: Decimal) -> Sequence[Wish]:
        return ()

    def on_update(self, update: OrderUpdate) -> None:
        pass

    def pass_closes(self, closes: Sequence[float], start: int) -> int:
        return self._door(closes, start)


def raising(closes: Sequence[float], start: int) -> int:
    raise ZeroDivisionError


@pytest.mark.parametrize("door", [raising, lambda closes, start: len(closes) + 1, lambda *_: -1])
def test_a_fast_door_that_fails_stays_shut_and_no_event_is_lost(
    door: Callable[[Sequence[float], int], int],
) -> None:
    memory, built = new_memory(0), []

    def incarnation() -> StrategyRun:
        def build() -> Doored:
            built.append(Doored(door))
            return built[-1]

        account, name = AccountId("paper"), StrategyId("s")
        return StrategyRun(build, memory, account, name, BTC)

    events = tuple(candle(100 + place, place) for place in range(40))
    batch = MarketBatch(feed=FEED, first_index=0, events=events)
    with pytest.raises((ZeroDivisionError, ValueError)):
        list(incarnation().take_batch(batch, lambda: CREATED))
    assert memory.next_index == 0

    memory = memory.inherited()
    list(incarnation().take_batch(batch, lambda: CREATED))

    assert built[-1].seen == list(events)
    assert memory.next_index == 40
    assert memory.passed_over == 0
