"""A strategy is told each execution once; a tick beside a numbered feed costs it nothing."""

import pytest

from decisions.strategy import new_memory
from messages.orders import Fill, OrderUpdate
from messages.values import Side
from tests.decisions.plain_strategy import Plain, candle, run, tick, update
from tests.decisions.strategy_runs import CREATED, batch


class Filled(Plain):
    def on_fill(self, fill: Fill, order: OrderUpdate) -> None:
        self.told.append((fill.trade_id, order.side))
        if fill.trade_id == "bad":
            raise ValueError("too much")


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


def test_a_tick_that_the_feed_does_not_number_costs_no_candle() -> None:
    strategy = Plain()
    one = run(lambda: strategy)
    list(one.take_batch(batch([candle(0), candle(1)]), lambda: CREATED))

    one.take_aside(tick(150), CREATED)
    list(one.take_batch(batch([candle(2)], first=2), lambda: CREATED))

    assert [what[-1] for what in strategy.told] == [1, 2, 3]
