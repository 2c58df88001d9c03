"""A strategy that keeps snapshots goes on as if it had never stopped."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages.market import Candle
from messages.orders import OrderIntent
from messages.values import Target
from tests.decisions.orders_only import orders
from tests.decisions.plain_strategy import Timed, candle, run, update
from tests.decisions.strategy_runs import BTC, CREATED, batch, take_all


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
            for intent in one.take_batch(batch(events[done:stop], done), lambda: CREATED):
                intents += orders([intent])
        except ValueError:
            one = run(Fragile, one.memory.inherited())
            one.warm_up()

    # A batch that crashed has told what came before, which is kept too.
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


def test_a_snapshot_that_passes_for_bytes_becomes_some() -> None:
    class Passing(bytes):
        """As numpy's does."""

    class Odd(Kept):
        def snapshot(self) -> bytes:
            return Passing(b"7")

    one = run(Odd)
    take_all(one, [candle(1)])

    assert one.memory.wide is not None
    assert one.memory.wide.snapshot is not None
    assert type(one.memory.wide.snapshot.data) is bytes


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


class Warmed(Timed):
    """Keeps none, and is shown the last events."""

    warmup_events = 10


@pytest.mark.parametrize("kind", [Kept, Warmed])
def test_a_warm_up_that_is_left_half_way_leaves_all_as_it_was_to_the_next(kind: Any) -> None:
    """At an end; of orders it is told all the same."""
    market = [candle(minute, minute) for minute in range(300)]
    undisturbed = take_all(run(kind), market)
    one = run(kind)
    intents = take_all(one, market[:250])
    made: list[Any] = []
    shown = iter([False] * 3)

    def build() -> Any:
        made.append(kind())
        return made[-1]

    left = run(build, one.memory.inherited())
    assert not left.warm_up(lambda: next(shown, True))
    left.update(update("t"))

    assert made[-1].positions == {BTC: one.memory.position}
    reborn = run(kind, left.memory.inherited())
    assert reborn.warm_up()
    intents += take_all(reborn, market[250:])
    assert intents == undisturbed


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
