"""A strategy that sees bars of several lengths, and several symbols."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from decisions.managed_orders import ManagedOrders
from decisions.strategy import memory_of, warmup_candles
from messages.ids import Symbol, TimestampNs
from messages.market import Candle
from messages.order_changes import Cancel
from messages.values import OrderState, Side, Target
from tests.decisions.plain_strategy import ETH, MINUTE, ONE, Plain, Timed, candle, run, told_by
from tests.decisions.strategy_runs import BTC, take_all
from tests.decisions.test_managed_orders import told


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
    memory.begin_with((BTC, ETH), {ETH: ONE, BTC: -ONE}, decided_until={})
    strategy = Pair()
    one = run(lambda: strategy, memory.inherited(), symbols=(BTC, ETH))

    assert take_all(one, [candle(1), candle(1, 50, ETH)]) == []
    assert strategy.told[-1] == (ETH, ONE, {BTC: -ONE, ETH: ONE})


def test_an_earlier_process_that_died_between_two_orders_of_a_moment_left_the_second() -> None:
    memory = memory_of(Doubler(), MINUTE, (BTC, ETH))
    memory.begin_with((BTC, ETH), {BTC: ONE}, decided_until={BTC: 2 * MINUTE})
    one = run(Doubler, memory, symbols=(BTC, ETH))

    (intent,) = take_all(one, [candle(1), candle(1, 50, ETH)])

    assert (intent.symbol, intent.decided_at_ns) == (ETH, 2 * MINUTE)
    assert one.memory.positions(BTC) == {BTC: ONE, ETH: ONE}


def test_what_that_one_was_shown_before_its_last_decision_is_not_decided_anew() -> None:
    """By what is held now it would be decided otherwise, also where that symbol was quiet."""
    memory = memory_of(Doubler(), MINUTE, (BTC, ETH))
    memory.begin_with((BTC, ETH), {BTC: ONE}, decided_until={BTC: 9 * MINUTE, ETH: 2 * MINUTE})
    one = run(Doubler, memory, symbols=(BTC, ETH))
    market = [candle(place, 50, symbol) for place in range(1, 9) for symbol in (BTC, ETH)]

    (intent,) = take_all(one, market)

    assert (intent.symbol, intent.decided_at_ns) == (ETH, 9 * MINUTE)


class Toggle(Plain):
    """Goes in with both on the event of one, or out with both."""

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        if candle.symbol != BTC:
            return ()
        much = Decimal(0) if self.positions[ETH] else ONE
        return [Target(much, "both", symbol=ETH), Target(much - 1, "both")]


def test_no_half_of_another_decision_stands_beside_what_was_done() -> None:
    """Of the two that it gave one was claimed; with that held it would leave it."""
    memory = memory_of(Toggle(), MINUTE, (BTC, ETH))
    memory.begin_with((BTC, ETH), {ETH: ONE}, decided_until={ETH: 2 * MINUTE})
    one = run(Toggle, memory, symbols=(BTC, ETH))

    assert take_all(one, [candle(0, 50, ETH), candle(1)]) == []
    assert one.memory.positions(BTC) == {BTC: 0, ETH: ONE}


def test_what_is_left_out_is_not_looked_at() -> None:
    """Of a market that is not seen yet there is no price, and nothing to be decided."""
    memory = memory_of(Toggle(), MINUTE, (BTC, ETH))
    memory.begin_with((BTC, ETH), {ETH: ONE}, decided_until={ETH: 2 * MINUTE})

    assert take_all(run(Toggle, memory, symbols=(BTC, ETH)), [candle(1)]) == []


class Ends(Plain):
    """Ends what is open of one market on the event of the other."""

    manages_orders = True
    open_orders: Mapping[Any, Any] = {}

    def on_candle(self, candle: Candle, position: Decimal) -> Any:
        return [Cancel(order=one, reason="enough") for one in self.open_orders]


@pytest.mark.parametrize(("decided", "given"), [(2, []), (1, [BTC])])
def test_nor_is_a_cancel_given_under_the_key_of_what_was_decided(
    decided: int, given: list[Symbol]
) -> None:
    memory = memory_of(Ends(), MINUTE, (ETH, BTC))
    memory.managed = ManagedOrders()
    left = [told(1, Side.SELL, 5, OrderState.ACCEPTED)]
    memory.begin_with((ETH, BTC), {}, {BTC: decided * MINUTE}, left)
    one = run(Ends, memory, symbols=(ETH, BTC))

    intents = one.take(candle(1, 50, ETH), TimestampNs(77))

    assert [intent.symbol for intent in intents] == given


@pytest.mark.parametrize("restarted", [False, True])
def test_a_timer_that_an_earlier_process_has_decided_on_decides_nothing(restarted: bool) -> None:
    """It was due at five, noticed by the next event, and the process died after it."""
    memory = memory_of(Timed(), MINUTE, (BTC,))
    memory.begin_with((BTC,), {BTC: ONE}, decided_until={BTC: 5 * MINUTE})
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
