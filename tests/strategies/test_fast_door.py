"""The fast door into a strategy and `on_candle` are one: the same decisions, the same memory."""

import os
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.strategy import StrategyRun, new_memory
from messages.ids import AccountId, ActorPath, StrategyId, Symbol, TimestampNs
from messages.market import Candle, MarketBatch
from messages.values import Instrument
from strategies.crossover import CrossParams
from strategies.ema_cross import EmaCross
from strategies.sma_cross import SmaCross
from tests.decisions.orders_only import orders

BTC = Symbol("BTC/USDT")
CLASSES = [SmaCross, EmaCross]


def candle(place: int, close: float) -> Candle:
    price = Decimal(repr(close))
    return Candle(
        symbol=BTC,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1),
        ts_open_ns=TimestampNs(place),
        ts_event_ns=TimestampNs(place + 1),
    )


def decisions(
    cls: Any,
    params: CrossParams,
    blocks: list[list[float]],
    *,
    door: bool,
    by_close: bool = False,
) -> list[Any]:
    """Decide on all closes; with the door, block by block as a backtest does."""
    strategy = cls(params, BTC, Decimal(500), Instrument(symbol=BTC))
    position, decided, seen = Decimal(0), [], 0
    for closes in blocks:
        place = 0
        while place < len(closes):
            if door:
                place = strategy.pass_closes(closes, place)
                if place == len(closes):
                    break
            if by_close:
                found = strategy.on_close(Decimal(repr(closes[place])), position)
            else:
                found = strategy.on_candle(candle(seen + place, closes[place]), position)
            position += sum((one.quantity * one.side.sign for one in found), start=Decimal(0))
            decided += [(seen + place, one) for one in found]
            place += 1
        seen += len(closes)
    return decided


@pytest.mark.slow
@pytest.mark.parametrize("cls", CLASSES)
@settings(max_examples=1_000 if os.environ.get("WATCHKEEPER_STRESS") else 30)
@given(
    seed=st.integers(0, 10**6),
    fast=st.integers(1, 6),
    more=st.integers(1, 20),
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=4),
    ticks=st.sampled_from([1, 3, 40]),
    begin=st.sampled_from([1_000, 1_000, 30]),
)
def test_the_two_doors_decide_the_same(
    cls: Any, seed: int, fast: int, more: int, sizes: list[int], ticks: int, begin: int
) -> None:
    """Also where prices move so little that the means are level, or nearly, or are below 0."""
    chance, price, least = random.Random(seed), begin, 1 if begin == 1_000 else -50
    blocks = []
    for size in sizes:
        steps = [chance.randint(-ticks, ticks) for _ in range(size)]
        block = []
        for step in steps:
            price = max(price + step, least)
            block.append(price / 100)
        blocks.append(block)
    params = CrossParams(fast=fast, slow=fast + more)

    singly = decisions(cls, params, blocks, door=False)

    assert decisions(cls, params, blocks, door=True) == singly
    assert decisions(cls, params, blocks, door=True, by_close=True) == singly


@pytest.mark.parametrize("cls", CLASSES)
def test_a_door_that_is_asked_again_goes_no_further(cls: Any) -> None:
    chance, price, closes = random.Random(7), 1_000, []
    for _ in range(2_000):
        price += chance.randint(-3, 3)
        closes.append(price / 100)
    params, place, position, found = CrossParams(fast=3, slow=8), 0, Decimal(0), []
    strategy = cls(params, BTC, Decimal(500), Instrument(symbol=BTC))

    while (place := strategy.pass_closes(closes, place)) < len(closes):
        assert strategy.pass_closes(closes, place) == place
        for one in strategy.on_close(Decimal(repr(closes[place])), position):
            position += one.quantity * one.side.sign
            found.append((place, one))
        place += 1

    assert found == decisions(cls, params, [closes], door=False)
    assert len(found) > 100


@pytest.mark.parametrize("cls", CLASSES)
def test_a_batch_is_decided_as_its_candles_are(cls: Any) -> None:
    chance, price, events = random.Random(5), 1_000, []
    for place in range(3_000):
        price += chance.randint(-3, 3)
        events.append(candle(place, price / 100))

    def run() -> StrategyRun:
        memory, (account, name) = new_memory(40), (AccountId("paper"), StrategyId("s"))
        params = CrossParams(fast=3, slow=8)
        return StrategyRun(
            lambda: cls(params, BTC, Decimal(500), Instrument(symbol=BTC)),
            memory,
            account,
            name,
            BTC,
        )

    together, apart = run(), run()
    found, singly, first = [], [], 0
    for size in (200, 1, 15, 1_000, 16, 1_768):
        part = tuple(events[first : first + size])
        batch = MarketBatch(feed=ActorPath("feeds/x"), first_index=first, events=part)
        found += orders(together.take_batch(batch, lambda: TimestampNs(7)))
        for event in part:
            singly += orders(apart.take(event, TimestampNs(7)))
        first += size
        assert together.memory.next_index == apart.memory.next_index == first
        assert together.memory.recent == apart.memory.recent

    assert found == singly
    assert len(found) > 100


@pytest.mark.parametrize("cls", CLASSES)
def test_the_door_is_used_for_more_than_nothing(cls: Any) -> None:
    closes = [100.0 + place / 10 for place in range(1_000)]
    strategy = cls(CrossParams(fast=3, slow=10), BTC, Decimal(500), Instrument(symbol=BTC))
    for place in range(20):
        strategy.on_candle(candle(place, closes[place]), Decimal(0))

    assert strategy.pass_closes(closes, 20) >= 200
