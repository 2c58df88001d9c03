"""A decision becomes one intent under its own key, whatever the batches and whatever dies."""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.strategy import StrategyRun, new_memory
from messages.ids import AccountId, ClientOrderId, OrderKey, StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketEvent, Tick, Trade
from messages.orders import OrderIntent, OrderUpdate
from messages.values import OrderState, OrderType, Side, TimeInForce
from tests.decisions.orders_only import orders
from tests.decisions.strategy_runs import BTC, CREATED, batch, take_all
from tests.decisions.swinger import Swinger, Wish, candle, market, run, trade


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

    (intent,) = orders(run().take(tick, CREATED))

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
    first = orders(one.take_batch(batch(events[:3]), lambda: CREATED))

    again = orders(one.take_batch(batch(events), lambda: CREATED))

    assert [intent.side for intent in first] == [Side.BUY]
    assert [intent.side for intent in again] == [Side.SELL]
    assert one.memory.next_index == 4


def test_an_event_whose_intents_were_not_all_told_is_the_next_incarnations() -> None:
    abandoned = run()
    events = market([10, 10, 20, 5])
    intents = abandoned.take_batch(batch(events), lambda: CREATED)
    first = next(intents)
    # It was replaced here, before it could ask for more: what it told may not have gone out.
    intents.close()  # type: ignore[attr-defined]  # it is a generator

    successor = run(abandoned.memory.inherited())
    successor.warm_up()
    again = orders(successor.take_batch(batch(events), lambda: CREATED))

    assert abandoned.memory.position == 0
    assert [intent.side for intent in again] == [Side.BUY, Side.SELL]
    assert again[0].order_key == first.order_key


def test_what_is_inherited_is_of_one_moment_though_the_abandoned_one_goes_on() -> None:
    """Of two, the event that was taken between them would be shown to no incarnation."""
    one = run()
    take_all(one, market([10, 11, 12]))

    class Moving(deque[MarketEvent]):
        moves = 3

        def copy(self) -> "Moving":
            found = Moving(self, self.maxlen)
            if self.moves:
                self.moves -= 1
                one.memory.next_index += 1
                self.append(market([13])[0])
            return found

    one.memory.recent = Moving(one.memory.recent, one.memory.recent.maxlen)
    found = one.memory.inherited()

    assert (found.next_index, len(found.recent)) == (6, 6)


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
    assert [intent.side for intent in orders(reborn.take(candle(5, 3), CREATED))] == [Side.SELL]


def test_an_event_that_raises_only_in_warm_up_is_left_out_of_it() -> None:
    memory = new_memory(2)
    take_all(run(memory), market([10, 10, 666]))

    reborn = run(memory, poisoned)
    reborn.warm_up()

    assert [event.close for event in memory.recent if isinstance(event, Candle)] == [10, 10]
    assert [intent.side for intent in orders(reborn.take(candle(5, 3), CREATED))] == [Side.SELL]


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
                intents += orders([intent])
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
