"""Events that are left as a run ends in order, or its incarnation: whoever is next sees them."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.strategy import StrategyRun, new_memory
from messages.market import MarketEvent
from messages.orders import Intent
from tests.decisions import test_strategy_managed as managed
from tests.decisions.plain_strategy import run as run_plain
from tests.decisions.strategy_runs import CREATED, batch
from tests.decisions.swinger import market
from tests.decisions.swinger import run as run_swinger
from tests.decisions.test_strategy_snapshots import Kept

Make = Callable[[Any], StrategyRun]


def swings(memory: Any) -> StrategyRun:
    return run_swinger(memory)


def keeps_snapshots(memory: Any) -> StrategyRun:
    return run_plain(Kept, memory)


def manages_orders(memory: Any) -> StrategyRun:
    return managed.run(new_memory(0, manages_orders=True) if memory is None else memory)


def after(events: int) -> Callable[[], bool]:
    """Tell that it is over once so many events are shown: it is asked before each."""
    asked = 0

    def is_over() -> bool:
        nonlocal asked
        asked += 1
        return asked > events

    return is_over


def take(one: StrategyRun, events: list[MarketEvent], shown: int | None = None) -> list[Intent]:
    first = one.memory.next_index
    left = batch(events[first:], first)
    if shown is None:
        return list(one.take_batch(left, lambda: CREATED))
    return list(one.take_batch(left, lambda: CREATED, after(shown)))


@pytest.mark.parametrize("make", [swings, keeps_snapshots, manages_orders])
@settings(max_examples=30)
@given(
    closes=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    shown=st.lists(st.integers(0, 12), max_size=6),
)
def test_however_often_events_are_left_the_intents_are_the_same(
    make: Make, closes: list[int], shown: list[int]
) -> None:
    events = market(closes)
    undisturbed = take(make(None), events)

    one, intents = make(None), list[Intent]()
    for events_shown in shown:
        before = one.memory.next_index
        intents += take(one, events, events_shown)
        assert one.memory.next_index == min(before + events_shown, len(events))
        one = make(one.memory.inherited())
        one.warm_up()
    intents += take(one, events)

    assert intents == undisturbed
