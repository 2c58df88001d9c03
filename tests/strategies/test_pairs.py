"""Pairs: trades what its rule gives on whole columns, and leaves no leg alone."""

import os
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest

from messages.errors import ConfigError
from messages.ids import ClientOrderId, TimestampNs
from messages.market import Candle
from messages.orders import OrderIntent, OrderUpdate
from messages.values import Instrument, OrderState, Side
from persistence.entries import fingerprint
from strategies import build, check_params
from strategies.pairs import PairsParams
from tests.decisions.orders_only import orders
from tests.strategies.pair_market import (
    GRIDS,
    A,
    B,
    in_order,
    leg,
    made_up_pair,
    make,
    memory_for,
    pairs_legs,
    recorded_pair,
    run_on,
)

STRESS = bool(os.environ.get("WATCHKEEPER_STRESS"))
SMALL = {"lookback": 40, "entry": 1.8, "stop": 3.5}
ONE = {**SMALL, "hedge": "one", "leave": 0.0}
NOW = TimestampNs(0)


def whole(params: dict[str, Any]) -> dict[str, Any]:
    """With the defaults."""
    return msgspec.structs.asdict(msgspec.convert(params, PairsParams))


def traded(params: dict[str, Any], candles: list[Candle]) -> list[OrderIntent]:
    run = run_on(memory_for(params), params)
    return [intent for one in candles for intent in orders(run.take(one, NOW))]


# ------------------------------------------------------------ the rule


@pytest.mark.slow
@pytest.mark.parametrize("params", [SMALL, ONE], ids=["ols", "one"])
@pytest.mark.parametrize("seed", range(3))
def test_a_made_up_pair_is_traded_as_the_rule_says(params: dict[str, Any], seed: int) -> None:
    first, second = made_up_pair(1_500, seed)

    made = [leg(one) for one in traded(params, in_order(first, second))]

    assert made == pairs_legs(first, second, whole(params))
    assert len(made) > 20, "a market without trades shows nothing"
    assert {side for _, symbol, side, _ in made if symbol == A} == {"buy", "sell"}


@pytest.mark.slow
@pytest.mark.parametrize("params", [{"lookback": 240}, {"lookback": 120, "hedge": "one"}])
@pytest.mark.parametrize("folder", ["binance-2021", "binance-2023"])
def test_a_recorded_pair_is_traded_as_the_rule_says(folder: str, params: dict[str, Any]) -> None:
    since, count = (0, 42_000) if STRESS else (30_000, 2_500)
    first, second = recorded_pair(folder, since, count)

    made = [leg(one) for one in traded(params, in_order(first, second))]

    assert made == pairs_legs(first, second, whole(params))
    assert len(made) > 20


def test_which_of_the_two_candles_of_a_moment_comes_first_changes_nothing() -> None:
    first, second = made_up_pair(800, 5)

    one_way = traded(SMALL, in_order(first, second))
    other_way = traded(SMALL, in_order(second, first))

    assert [leg(one) for one in one_way] == [leg(one) for one in other_way]
    assert [one.order_key for one in one_way] == [one.order_key for one in other_way]


def test_both_legs_are_of_one_moment_and_never_of_one_side() -> None:
    made = traded(SMALL, in_order(*made_up_pair(1_500, 1)))

    for one, other in zip(made[::2], made[1::2], strict=True):
        assert (one.symbol, other.symbol) == (A, B)
        assert one.decided_at_ns == other.decided_at_ns
        assert one.side is not other.side


def test_a_leg_too_small_for_the_venue_keeps_both_from_being_entered() -> None:
    """It takes 5 or more, and one leg is always worth less than the other."""
    first, second = made_up_pair(1_500, 2)
    run = run_on(memory_for(SMALL), SMALL)
    assert [intent for one in in_order(first, second) for intent in orders(run.take(one, NOW))]

    small = run_on(memory_for(SMALL), SMALL)
    small._build = lambda: make(SMALL, Decimal("5.01"))
    small._make()

    assert not [intent for one in in_order(first, second) for intent in small.take(one, NOW)]


# ------------------------------------------------------------ one leg is refused


def update(intent: OrderIntent, state: OrderState, filled: Decimal = Decimal(0)) -> OrderUpdate:
    return OrderUpdate(
        order_key=intent.order_key,
        client_order_id=ClientOrderId("c"),
        strategy_id=intent.strategy_id,
        symbol=intent.symbol,
        side=intent.side,
        state=state,
        quantity=intent.quantity,
        filled_quantity=filled,
        average_price=None,
        fills=(),
        reason="",
        decided_at_ns=intent.decided_at_ns,
        ts_event_ns=intent.decided_at_ns,
    )


Ended = tuple[OrderState, Decimal]
"""How an order ends, and how much of it was filled."""


class Venue:
    """Fills every order at once, but those that `refuses` gives another end."""

    def __init__(self, params: dict[str, Any], refuses: Any) -> None:
        self.run = run_on(memory_for(params), params)
        self._refuses = refuses
        self.held = {A: Decimal(0), B: Decimal(0)}
        self.made: list[tuple[OrderIntent, Decimal]] = []
        self.washed: list[OrderIntent] = []
        """Of which there was nothing to send."""

    def take(self, one: Candle) -> list[OrderIntent]:
        intents = orders(self.run.take(one, NOW))
        for intent in intents:
            # As the gate does: of what leaves, no more is sent than there is.
            there = max(-intent.side.sign * self.held[intent.symbol], Decimal(0))
            sent = intent.quantity - intent.leaves + min(intent.leaves, there)
            if not sent:
                self.washed.append(intent)
                self.run.update(update(intent, OrderState.REFUSED))
                continue
            state, part = self._refuses(len(self.made), intent) or (OrderState.FILLED, Decimal(1))
            intent = msgspec.structs.replace(intent, quantity=sent)
            filled = (sent * part).quantize(Decimal("0.00001"))
            self.made.append((intent, filled))
            self.held[intent.symbol] += intent.side.sign * filled
            self.run.update(update(intent, state, filled))
        return intents

    @property
    def is_lone(self) -> bool:
        return (self.held[A] > 0) - (self.held[A] < 0) != (self.held[B] < 0) - (self.held[B] > 0)


@pytest.mark.parametrize("symbol", [A, B])
@pytest.mark.parametrize(
    "end",
    [
        (OrderState.REFUSED, Decimal(0)),
        (OrderState.REJECTED, Decimal(0)),
        (OrderState.CANCELED, Decimal("0.4")),
    ],
    ids=["refused", "rejected", "half filled"],
)
def test_a_leg_that_is_not_filled_takes_the_other_with_it_at_the_next_candle(
    symbol: str, end: Ended
) -> None:
    """The first entry of each kind fails; the exits that follow are of what is really held."""

    def refuses(number: int, intent: OrderIntent) -> Ended | None:
        return end if number < 2 and intent.symbol == symbol else None

    venue = Venue(SMALL, refuses)
    candles = iter(in_order(*made_up_pair(1_500, 1)))
    entered = next(intents for one in candles if (intents := venue.take(one)))
    assert len(entered) == 2
    assert venue.is_lone or end[1]

    left = venue.take(next(candles))

    assert venue.held == {A: 0, B: 0}
    assert {one.symbol for one in left} == {A, B}
    assert [one.symbol for one in venue.washed] == ([] if end[1] else [symbol])
    for one in candles:
        venue.take(one)
        assert not venue.is_lone
    assert len(venue.made) > 20, "it went on"


def test_after_a_refusal_nothing_is_entered_before_the_spread_was_back() -> None:
    """Every order that adds is refused for one leg: one entry for each way out and back."""
    first, second = made_up_pair(3_000, 1)
    quiet = pairs_legs(first, second, whole(SMALL))
    venue = Venue(
        SMALL, lambda _, one: (OrderState.REFUSED, Decimal(0)) if one.symbol == A else None
    )

    for one in in_order(first, second):
        venue.take(one)

    entries = [one for one, _ in venue.made if one.symbol == A]
    assert venue.held == {A: 0, B: 0}
    assert 4 < len(entries) <= len(quiet) // 4 + 1


def test_an_exit_that_is_refused_is_tried_at_each_candle_until_it_is_taken() -> None:
    def refuses(number: int, intent: OrderIntent) -> Ended | None:
        return (OrderState.REJECTED, Decimal(0)) if 2 <= number < 7 and intent.symbol == B else None

    venue = Venue(SMALL, refuses)
    lone = 0
    for one in in_order(*made_up_pair(1_500, 1)):
        venue.take(one)
        lone += venue.is_lone

    tried = [one for one, filled in venue.made[2:] if not filled]
    assert len(tried) == 5 - 1
    assert lone == len(tried)
    assert not venue.is_lone


def test_a_new_process_that_finds_one_leg_alone_leaves_it() -> None:
    candles = in_order(*made_up_pair(300, 1, gaps=False))
    memory = memory_for(SMALL)
    memory.begin_with((A, B), {A: Decimal("0.5"), B: Decimal(0)}, decided_until={})
    run = run_on(memory, SMALL)

    first = next(intents for one in candles if (intents := orders(run.take(one, NOW))))

    (intent,) = first
    assert (intent.symbol, intent.side, intent.quantity) == (A, Side.SELL, Decimal("0.5"))
    assert intent.decided_at_ns == candles[1].ts_event_ns


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 4])
def test_crashes_change_no_order_even_among_refusals(seed: int) -> None:
    """Each incarnation goes on from the snapshot, which holds what no warm-up gives back."""

    def refuses(number: int, intent: OrderIntent) -> Ended | None:
        return (OrderState.REFUSED, Decimal(0)) if number % 5 == 2 else None

    candles = in_order(*made_up_pair(1_500, seed))
    quiet, shaken = Venue(SMALL, refuses), Venue(SMALL, refuses)
    crashes = set(Random(seed).sample(range(200, len(candles)), 25))
    for place, one in enumerate(candles):
        quiet.take(one)
        if place in crashes:
            shaken.run = run_on(shaken.run.memory.inherited(), SMALL)
            shaken.run.warm_up()
            assert shaken.run.problem is None
        shaken.take(one)

    made = [[fingerprint(one) for one, _ in venue.made] for venue in (shaken, quiet)]
    assert made[0] == made[1]
    assert any(not filled for _, filled in quiet.made)


@pytest.mark.slow
@pytest.mark.parametrize("params", [SMALL, ONE], ids=["ols", "one"])
def test_a_warm_up_makes_one_that_decides_as_an_old_one(params: dict[str, Any]) -> None:
    """Without positions, which it does not inherit here: the same entries, wherever it begins."""
    candles = in_order(*made_up_pair(1_500, 9))
    needed = 2 * make(params).warmup_events

    def entries(begin: int, warmup: int) -> Iterator[Any]:
        run = run_on(memory_for(params), params)
        for one in candles[begin - warmup : begin]:
            run._show(one)
        for one in candles[begin:]:
            if intents := orders(run.take(one, NOW)):
                yield [(leg(intent), fingerprint(intent)) for intent in intents]

    for begin in range(2 * needed, len(candles), 301):
        old, fresh = entries(begin, begin), entries(begin, needed)
        assert next(old, None) == next(fresh, None)


# ------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"entry": 0.4}, "leave must be less than entry, and entry less than stop, not 0.5, 0.4"),
        ({"entry": 4.0}, "and entry less than stop, not 0.5, 4.0 and 4.0"),
        (
            {"lookback": 10, "entry": 3.0},
            "entry must be less than 2.85, which a score over 10 moments can reach, not 3.0",
        ),
        ({"lookback": 9}, "lookback = 9: expected 10 to 10000 (the nearest is 10)"),
        ({"hedge": "kalman"}, "hedge = 'kalman'"),
    ],
)
def test_parameters_that_make_no_sense_are_a_sentence(
    params: dict[str, Any], sentence: str
) -> None:
    (problem,) = check_params("pairs", params)

    assert sentence in problem


@pytest.mark.parametrize(
    ("others", "sentence"),
    [
        ({}, 'needs two, such as symbols = ["BTC/USDT", "ETH/USDT"], not ETH/USDT'),
        ({"BTC/USD": None}, "both symbols must be paid in one currency, not USDT, USD"),
        ({"BTC/USDT": None, "LTC/USDT": None}, "needs two, such as"),
    ],
)
def test_it_is_of_two_symbols_of_one_currency(others: dict[Any, Any], sentence: str) -> None:
    more = {symbol: Instrument(symbol=symbol) for symbol in others}

    with pytest.raises(ConfigError, match="pairs could not be made") as caught:
        build("pairs", {}, A, Decimal(100), GRIDS[A], more)

    assert sentence in str(caught.value)
