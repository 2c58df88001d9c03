"""The generated market, and several markets as one."""

import hashlib
from itertools import islice, pairwise

import pytest

from exchanges.demo import DemoSource
from exchanges.merge import LimitedSource, MergedSource
from messages.ids import Symbol
from messages.market import Candle

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")


def test_the_default_market_is_the_same_everywhere_and_for_ever() -> None:
    digest = hashlib.sha256()
    for event in DemoSource(BTC, limit=5000).events():
        digest.update(f"{event.ts_event_ns} {event.close} {event.volume}\n".encode())

    assert digest.hexdigest()[:16] == "68dd96083855ad57"


def test_another_seed_and_another_symbol_are_other_markets() -> None:
    closes = {
        tuple(event.close / event.open for event in DemoSource(symbol, seed=seed, limit=9).events())
        for symbol, seed in [(BTC, 1), (BTC, 2), (ETH, 1)]
    }

    assert len(closes) == 3


def test_generated_candles_are_sound() -> None:
    for bar in DemoSource(BTC, limit=20_000).events():
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.volume > 0


def test_the_generated_market_has_gaps_and_counts_them_once() -> None:
    source = DemoSource(BTC, limit=5000)
    bars = list(source.events())
    list(source.events())

    leaps = [b.ts_open_ns - a.ts_event_ns for a, b in pairwise(bars)]

    assert source.stats.usable == 5000
    assert source.stats.gaps == sum(leap > 0 for leap in leaps) > 0
    assert source.stats.missing == sum(leaps) // 60_000_000_000


def test_the_default_market_crosses_upward_within_forty_candles() -> None:
    closes = [float(bar.close) for bar in DemoSource(BTC, limit=40).events()]

    def above(place: int) -> bool:
        fast, slow = closes[place - 4 : place + 1], closes[place - 14 : place + 1]
        return sum(fast) / 5 > sum(slow) / 15

    assert any(above(place) and not above(place - 1) for place in range(15, 40))


@pytest.mark.parametrize("start_index", [0, 1, 500, 999, 1000, 1001])
def test_a_reading_may_begin_anywhere(start_index: int) -> None:
    merged = MergedSource([DemoSource(BTC, limit=500), DemoSource(ETH, limit=500)])
    whole = list(merged.events())

    assert list(merged.events(start_index)) == whole[start_index:]
    assert merged.stats.usable == 1000


def test_at_one_moment_the_source_given_first_goes_first() -> None:
    merged = MergedSource([DemoSource(ETH, limit=5), DemoSource(BTC, limit=5)])

    symbols = [event.symbol for event in merged.events()]

    assert symbols[:4] == [ETH, BTC, ETH, BTC]


def test_a_merge_is_in_the_order_of_time() -> None:
    merged = MergedSource([DemoSource(BTC, limit=3000), DemoSource(ETH, limit=3000)])

    events = list(merged.events())

    assert len(events) == 6000
    assert all(a.ts_event_ns <= b.ts_event_ns for a, b in pairwise(events))


def test_a_market_without_end_is_generated_as_it_is_read() -> None:
    merged = MergedSource([DemoSource(BTC), DemoSource(ETH)])

    assert all(isinstance(event, Candle) for event in islice(merged.events(10), 10))


@pytest.mark.parametrize("start_index", [0, 1, 9, 10, 11, 30])
def test_the_beginning_of_a_market_ends_there_wherever_reading_begins(start_index: int) -> None:
    source = DemoSource(BTC, limit=30)
    first = list(source.events())[:10]

    assert list(LimitedSource(source, 10).events(start_index)) == first[start_index:]
