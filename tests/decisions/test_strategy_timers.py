"""A strategy with a timer is told each due time at most once, in order and never early."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.order_keys import order_key
from messages.ids import TimestampNs
from messages.market import Candle
from messages.values import Target
from tests.decisions.plain_strategy import MINUTE, Timed, candle, run, told_by
from tests.decisions.strategy_runs import BTC, CREATED, batch, take_all


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
