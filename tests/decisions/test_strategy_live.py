"""A strategy in a live market: after an earlier process, beside stops, by its fast door."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec
import pytest

from decisions.strategy import StrategyRun, new_memory
from decisions.strategy_record import memory_in, packed_memory
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


STOP = Protection(stop_loss=Decimal(1))


def entry(number: int, quantity: int = 2) -> OrderIntent:
    return msgspec.structs.replace(decision(number, Side.BUY, quantity), protection=STOP)


def sale(number: int, quantity: int, leaves: int) -> OrderIntent:
    return msgspec.structs.replace(
        decision(number, Side.SELL, quantity), leaves=Decimal(leaves), protection=None
    )


def named(key: str, intent: OrderIntent) -> OrderIntent:
    return msgspec.structs.replace(intent, order_key=OrderKey(key))


def decided(position: str, *intents: OrderIntent, from_ledger: bool = True) -> StrategyRun:
    """One that had this position and has decided these, one after the other."""
    memory = new_memory(0)
    memory.from_ledger, memory.position = from_ledger, Decimal(position)
    for intent in intents:
        memory.position += intent.side.signed(intent.quantity)
        memory.decided_on([intent], {BTC: memory.position})
    return StrategyRun(Swinger, memory, AccountId("main"), StrategyId("one"), BTC)


def protected(*, from_ledger: bool, position: str = "0") -> StrategyRun:
    """One that counts an entry of 2, which a stop protects, beside what it has."""
    return decided(position, named("entry", entry(1)), from_ledger=from_ledger)


@pytest.mark.parametrize(
    ("state", "filled", "from_ledger", "position", "after"),
    [
        (OrderState.REFUSED, "0", False, "0", "0"),
        (OrderState.REFUSED, "0", False, "1", "1"),
        (OrderState.REFUSED, "0", True, "0", "0"),
        (OrderState.REJECTED, "0", True, "0", "0"),
        (OrderState.CANCELED, "0.5", True, "1", "1.5"),
        (OrderState.FILLED, "2", True, "0", "2"),
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
    ("before", "since", "filled", "after"),
    [
        ("0", [sale(2, 2, 2)], "0", "0"),  # left by itself meanwhile: nothing is left
        ("0", [sale(2, 3, 2)], "0", "-1"),  # turned around
        ("0", [sale(2, 2, 2), entry(3, 3)], "0", "3"),  # all left, and 3 are another entry's
        ("0", [sale(2, 2, 2), entry(3, 3)], "0.5", "3"),
        ("0", [sale(2, 1, 1)], "0", "0"),  # 1 of 2 left: of the other 1 nothing has filled
        ("0", [sale(2, 1, 1)], "0.5", "0"),  # what has filled went first
        ("0", [sale(2, 1, 1)], "1.5", "0.5"),
        ("1", [], "0.5", "1.5"),  # nothing of it left, but what was held before
    ],
)
def test_what_was_left_of_it_before_its_end_is_not_taken_back_once_more(
    before: str, since: list[OrderIntent], filled: str, after: str
) -> None:
    """An exit sold what had filled of it; what was entered since is another entry's."""
    one = decided(before, named("entry", entry(1)), *since)

    one.update(told_of("entry", OrderState.CANCELED, filled))

    assert one.memory.position == Decimal(after)


@pytest.mark.parametrize(("brings", "after"), [("0", "0"), ("1", "0"), ("2", "1")])
def test_an_exit_leaves_what_was_there_whichever_of_its_entries_has_brought_it(
    brings: str, after: str
) -> None:
    """It sold the younger one, which had filled, and counted as of the older one: 1 stayed."""
    one = decided("0", named("entry", entry(1)), named("younger", entry(2)), sale(3, 3, 3))
    one.update(told_of("younger", OrderState.FILLED, "2"))
    assert one.memory.position == 1

    one.update(told_of("entry", OrderState.CANCELED, brings))

    assert one.memory.position == Decimal(after)


@pytest.mark.parametrize("is_recorded", [False, True])
def test_what_a_stop_has_left_was_of_its_own_entry_whichever_is_the_oldest(
    is_recorded: bool,
) -> None:
    """Both are half filled, and act: when the rests end, of neither is anything held."""
    both = decided("0", named("entry", entry(1)), named("younger", entry(2)))

    both.stop_acted(msgspec.structs.replace(acted("-1", "x"), entry_key=OrderKey("younger")))
    both.stop_acted(acted("-1", "y"))
    assert both.memory.position == 2
    memory = both.memory.inherited()
    memory = memory_in(packed_memory(memory)) if is_recorded else memory
    again = StrategyRun(Swinger, memory, AccountId("main"), StrategyId("one"), BTC)
    for key in ("entry", "younger"):
        again.update(told_of(key, OrderState.CANCELED, "1"))

    assert again.memory.position == 0


@pytest.mark.parametrize(
    ("after", "position"),
    [
        ("entry", "3"),  # of the sale nothing was there any more, and 3 were bought
        ("sale", "3"),  # it was sold for what the stop had left of it
        ("second", "1"),
        (None, "1"),
        ("of before", "1"),
    ],
)
def test_what_was_decided_before_a_stop_was_heard_of_is_counted_on_what_it_has_left(
    after: str | None, position: str
) -> None:
    """The executor had sold all when the sale came: the strategy took itself for out of 3."""
    one = decided(
        "0",
        named("entry", entry(1)),
        named("sale", sale(2, 2, 2)),
        named("second", decision(3, Side.BUY, 3)),
    )
    late = msgspec.structs.replace(acted("-2"), after=None if after is None else OrderKey(after))

    one.stop_acted(late)

    assert one.memory.position == Decimal(position)


def test_where_the_market_is_shown_again_a_stop_has_acted_after_all_that_was_decided() -> None:
    """It is shown there first, however fast the executor was."""
    one = decided("0", named("entry", entry(1)), decision(2, Side.BUY, 1), from_ledger=False)

    one.stop_acted(msgspec.structs.replace(acted("-2"), after=OrderKey("entry")))

    assert one.memory.position == 1


def test_one_that_turns_around_has_left_what_was_there_though_its_entry_brings_nothing() -> None:
    turned = msgspec.structs.replace(sale(1, 3, 1), protection=STOP)
    one = decided("1", named("entry", turned))
    assert one.memory.position == -2

    update = msgspec.structs.replace(told_of("entry", OrderState.CANCELED, "1.5"), side=Side.SELL)
    one.update(msgspec.structs.replace(update, quantity=Decimal(3)))

    assert one.memory.position == Decimal("-0.5")


def test_what_follows_an_entry_is_remembered_while_it_is_open_and_no_longer() -> None:
    many = [one for at in range(200) for one in (decision(at, Side.BUY, 1), sale(at, 1, 1))]
    one = decided("0", named("entry", entry(1)), *many)
    assert len(one.memory.courses[BTC].steps) == 401

    one.update(told_of("entry", OrderState.CANCELED, "0"))

    assert one.memory.position == 0
    assert len(one.memory.courses[BTC].steps) <= 64


@pytest.mark.parametrize(("held", "filled", "after"), [("1", "0", "0"), ("1", "1.5", "0.5")])
def test_an_exit_that_an_earlier_process_left_open_leaves_what_its_entries_bring(
    held: str, filled: str, after: str
) -> None:
    """An entry of 2 and an exit of 1 are open; the ledger counts both as filled."""
    memory = new_memory(0)
    left = [told_of("entry", OrderState.ACCEPTED, "0")]
    memory.begin_with([BTC], {BTC: Decimal(held)}, {}, left, {OrderKey("entry")})
    memory.from_ledger = True
    one = StrategyRun(Swinger, memory, AccountId("main"), StrategyId("one"), BTC)

    one.update(told_of("entry", OrderState.CANCELED, filled))

    assert one.memory.position == Decimal(after)


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


@pytest.mark.parametrize(
    "door", [raising, lambda closes, start: len(closes) + 1, lambda *_: -1, lambda *_: 3.0]
)
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
    with pytest.raises((ZeroDivisionError, ValueError, TypeError)):
        list(incarnation().take_batch(batch, lambda: CREATED))
    assert memory.next_index == 0

    memory = memory.inherited()
    list(incarnation().take_batch(batch, lambda: CREATED))

    assert built[-1].seen == list(events)
    assert memory.next_index == 40
    assert memory.passed_over == 0
