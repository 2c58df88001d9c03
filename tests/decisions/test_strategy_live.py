"""A strategy in a live market: after an earlier process, beside stops, by its fast door."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec
import pytest

from decisions.strategy import StrategyRun, new_memory
from decisions.strategy_memory import Protected
from messages.ids import AccountId, ClientOrderId, OrderKey, StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketBatch, Tick, Trade
from messages.orders import OrderIntent, OrderUpdate
from messages.stops import StopActed
from messages.values import OrderState, Protection, Side
from tests.decisions.orders_only import orders
from tests.decisions.strategy_runs import BTC, CREATED, FEED, batch, take_all
from tests.decisions.swinger import Swinger, Wish, begun, candle, market, run
from tests.decisions.test_managed_orders import decision


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

    (intent,) = orders(one.take_batch(batch([candle(20, 3)], first=3), lambda: CREATED))
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


def told_of(key: str, state: OrderState, filled: str) -> OrderUpdate:
    return OrderUpdate(
        order_key=OrderKey(key),
        client_order_id=ClientOrderId(key),
        strategy_id=StrategyId("one"),
        symbol=BTC,
        side=Side.BUY,
        state=state,
        quantity=Decimal(2),
        filled_quantity=Decimal(filled),
        average_price=None,
        fills=(),
        reason="",
        decided_at_ns=TimestampNs(1),
        ts_event_ns=TimestampNs(2),
    )


def protected(*, from_ledger: bool, position: str = "0") -> StrategyRun:
    """One that counts an entry of 2, which a stop protects, beside what it has."""
    one = run()
    one.memory.position = Decimal(position) + 2
    one.memory.protected[OrderKey("entry")] = Protected(BTC, Decimal(2))
    one.memory.from_ledger = from_ledger
    return StrategyRun(Swinger, one.memory, AccountId("main"), StrategyId("one"), BTC)


@pytest.mark.parametrize(
    ("state", "filled", "from_ledger", "position", "after"),
    [
        (OrderState.REFUSED, "0", False, "0", "0"),
        (OrderState.REFUSED, "0", False, "1", "1"),
        (OrderState.REFUSED, "0", True, "0", "0"),
        (OrderState.REJECTED, "0", True, "0", "0"),
        (OrderState.CANCELED, "0.5", True, "1", "1.5"),
        (OrderState.FILLED, "2", True, "0", "2"),
        (OrderState.REFUSED, "0", True, "-2", "0"),  # left by itself meanwhile: nothing is left
        (OrderState.REFUSED, "0", True, "-3", "-1"),
        (OrderState.REJECTED, "0", False, "0", "2"),  # it may be shown this market again
        (OrderState.ACCEPTED, "0", True, "0", "2"),
    ],
)
def test_of_an_entry_that_a_stop_would_leave_the_position_counts_what_it_brought(
    state: OrderState, filled: str, from_ledger: bool, position: str, after: str
) -> None:
    one = protected(from_ledger=from_ledger, position=position)

    one.update(told_of("entry", state, filled))
    one.update(told_of("entry", state, filled))

    assert one.memory.position == Decimal(after)


@pytest.mark.parametrize(
    ("least", "position", "filled", "after"),
    [
        ("0", "3", "0", "3"),  # all left, and 3 are another entry's
        ("0", "3", "0.5", "3"),
        ("1", "1", "0", "0"),  # 1 of 2 left: of the other 1 nothing has filled
        ("1", "1", "0.5", "0"),  # what has filled went first
        ("1", "1", "1.5", "0.5"),
        ("3", "3", "0.5", "1.5"),  # nothing of it left, but what was held before
    ],
)
def test_what_was_left_of_it_before_its_end_is_not_taken_back_once_more(
    least: str, position: str, filled: str, after: str
) -> None:
    """An exit sold what had filled of it; what was entered since is another entry's."""
    one = protected(from_ledger=True)
    one.memory.left(BTC, Decimal(least))
    one.memory.position = Decimal(position)
    again = StrategyRun(Swinger, one.memory, AccountId("main"), StrategyId("one"), BTC)

    again.update(told_of("entry", OrderState.CANCELED, filled))

    assert again.memory.position == Decimal(after)


def test_what_a_stop_has_left_was_of_its_own_entry_whichever_is_the_oldest() -> None:
    """Both are half filled, and act: when the rests end, of neither is anything held."""
    one = run()
    one.memory.position, one.memory.from_ledger = Decimal(4), True
    for key in ("entry", "younger"):
        one.memory.protected[OrderKey(key)] = Protected(BTC, Decimal(2))
    both = StrategyRun(Swinger, one.memory, AccountId("main"), StrategyId("one"), BTC)

    both.stop_acted(msgspec.structs.replace(acted("-1", "x"), entry_key=OrderKey("younger")))
    both.stop_acted(acted("-1", "y"))
    assert [one.left for one in both.memory.protected.values()] == [Decimal(1), Decimal(1)]
    for key in ("entry", "younger"):
        both.update(told_of(key, OrderState.CANCELED, "1"))

    assert both.memory.position == 0


def entry(number: int, stop: Protection) -> OrderIntent:
    return msgspec.structs.replace(decision(number, Side.BUY, 1), protection=stop)


def test_an_exit_leaves_the_oldest_entries_whatever_is_entered_with_it() -> None:
    memory = new_memory(0)
    stop = Protection(stop_loss=Decimal(1))
    first = entry(1, stop)
    out = msgspec.structs.replace(decision(2, Side.SELL, 1), leaves=Decimal(1))
    second = entry(3, stop)

    memory.decided_on([first], {BTC: Decimal(1)})
    memory.decided_on([out, second], {BTC: Decimal(1)})

    assert [one.left for one in memory.protected.values()] == [Decimal(1), Decimal(0)]


def test_an_order_without_a_stop_counts_as_filled_whatever_becomes_of_it() -> None:
    one = protected(from_ledger=True)

    one.update(told_of("another", OrderState.REFUSED, "0"))

    assert one.memory.position == 2


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
