"""A strategy that manages its orders decides an event once, whatever dies while it is told."""

from decimal import Decimal

import msgspec
import pytest

from decisions.strategy import StrategyRun, new_memory
from decisions.strategy_memory import StrategyMemory
from decisions.strategy_record import memory_in, packed_memory
from messages.ids import NS_PER_S, AccountId, ActorPath, StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketBatch
from messages.orders import CancelIntent, Intent, OrderIntent
from messages.values import OrderState as S
from messages.values import OrderType, Side, TimeInForce
from strategies.protocol import Cancel, Decision, Decisions, Replace, Strategy
from tests.decisions.test_managed_orders import decision, told
from tests.decisions.test_strategy_live import acted

BTC = Symbol("BTC/USDT")
MINUTE = 60 * NS_PER_S
CREATED = TimestampNs(7)


class Follows(Strategy):
    """Keeps two bids, and moves one of them and ends the other, if they are there."""

    manages_orders = True

    def on_candle(self, candle: Candle, position: Decimal) -> Decisions:
        bids = list(self.open_orders)
        if not bids:
            return (_bid(candle), _bid(candle))
        return [
            Replace(order=bids[0], limit_price=candle.close, reason=""),
            *(Cancel(order=one, reason="") for one in bids[1:]),
        ]


def _bid(candle: Candle) -> Decision:
    return Decision(
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(1),
        limit_price=candle.close,
        reason="",
    )


def run(memory: StrategyMemory) -> StrategyRun:
    return StrategyRun(Follows, memory, AccountId("main"), StrategyId("one"), BTC)


def candle(place: int) -> Candle:
    price, opened = Decimal(100 + place), place * MINUTE
    return Candle(
        symbol=BTC,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=price,
        ts_open_ns=TimestampNs(opened),
        ts_event_ns=TimestampNs(opened + MINUTE),
    )


def batch(*places: int) -> MarketBatch:
    events = tuple(map(candle, places))
    return MarketBatch(feed=ActorPath("feed"), first_index=places[0], events=events)


def ends(one: StrategyRun, intent: Intent, state: S) -> None:
    assert isinstance(intent, OrderIntent)
    update = told(0, intent.side, 1, state)
    one.update(msgspec.structs.replace(update, order_key=intent.order_key))


@pytest.fixture
def resting() -> StrategyRun:
    """Two bids, open."""
    one = run(new_memory(0, manages_orders=True))
    for intent in list(one.take_batch(batch(0), lambda: CREATED)):
        ends(one, intent, S.ACCEPTED)
    assert len(one.memory.managed.open) == 2  # type: ignore[union-attr]  # it manages
    return one


@pytest.mark.parametrize(("state", "filled"), [(S.REFUSED, 0), (S.CANCELED, 0)])
def test_an_exit_that_a_stop_has_forestalled_is_given_back_to_what_the_stop_has_left(
    state: S, filled: int
) -> None:
    """Both were decided on one event: counted as one, it believed for ever in what is gone."""
    one = run(new_memory(0, manages_orders=True))
    one.memory.position = Decimal(1)
    managed = one.memory.managed
    assert managed is not None
    managed.decided([decision(7, Side.SELL, 1)])
    one.memory.position = Decimal(0)
    again = run(one.memory)

    again.stop_acted(acted("-1"))
    again.update(told(7, Side.SELL, 1, state, filled))

    assert again.memory.position == 0


@pytest.mark.parametrize("is_recorded", [False, True])
def test_what_was_decided_is_told_by_the_next_incarnation_and_not_decided_again(
    resting: StrategyRun, is_recorded: bool
) -> None:
    """Both bids have ended meanwhile: asked once more, it would give two new ones."""
    first, second = list(resting.memory.managed.open)  # type: ignore[union-attr]  # it manages
    giving = resting.take_batch(batch(1), lambda: CREATED)
    replacement = next(giving)

    memory = resting.memory.inherited()
    successor = run(memory_in(packed_memory(memory)) if is_recorded else memory)
    for key in (first, second):
        update = msgspec.structs.replace(told(0, Side.BUY, 1, S.CANCELED), order_key=key)
        successor.update(update)
    given = list(successor.take_batch(batch(1, 2), lambda: CREATED))

    assert given[0] == replacement
    assert isinstance(given[1], CancelIntent)
    assert (given[0].replaces, given[1].cancels) == (first, second)  # type: ignore[union-attr]  # one of each
    assert all(one.decided_at_ns == 2 * MINUTE for one in given[:2])
    assert successor.memory.position == 1 + sum(
        one.quantity for one in given[2:] if isinstance(one, OrderIntent)
    )


def test_what_was_told_is_not_told_again(resting: StrategyRun) -> None:
    list(resting.take_batch(batch(1), lambda: CREATED))

    successor = run(resting.memory.inherited())

    given = list(successor.take_batch(batch(1), lambda: CREATED))
    assert given == []


def test_an_event_aside_is_told_with_the_next_one_by_a_successor(resting: StrategyRun) -> None:
    """Nobody knows whether an incarnation that was struck has told it: the keys know."""
    given = resting.take_aside(candle(1), CREATED)
    successor = run(resting.memory.inherited())

    assert list(successor.take_aside(candle(2), CREATED))[: len(given)] == list(given)
    assert isinstance(successor.memory, StrategyMemory)
    assert not set(given) & set(successor.take_aside(candle(3), CREATED))


def test_an_update_comes_to_the_orders_of_an_event_that_is_being_told(
    resting: StrategyRun,
) -> None:
    giving = resting.take_batch(batch(1), lambda: CREATED)
    replacement = next(giving)

    ends(resting, replacement, S.ACCEPTED)

    assert replacement.order_key in resting.memory.managed.open  # type: ignore[union-attr]  # it manages
