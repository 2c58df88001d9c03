"""What is written into the mapped file is read from it: the same events, to the last digit."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.event_blocks import Block, event_blocks
from exchanges.replay import ReplaySource
from messages.ids import NS_PER_S, TimestampNs
from messages.market import Candle, MarketEvent, Trade
from research.optimise.columns import ColumnFile, MappedMarket
from tests.research.optimise.markets import BTC, write_candles


def candle(second: int, *numbers: Any, length_s: int = 60) -> Candle:
    o, h, lo, c, v = (Decimal(str(number)) for number in numbers)
    at = TimestampNs(second * NS_PER_S)
    opened = TimestampNs((second - length_s) * NS_PER_S)
    return Candle(
        symbol=BTC, open=o, high=h, low=lo, close=c, volume=v, ts_open_ns=opened, ts_event_ns=at
    )


def trade(second: int) -> Trade:
    return Trade(
        symbol=BTC,
        price=Decimal("1.10"),
        quantity=Decimal(2),
        aggressor_side=None,
        ts_event_ns=TimestampNs(second * NS_PER_S),
    )


def mapped(blocks: Iterator[Block]) -> tuple[MappedMarket, ColumnFile]:
    columns = ColumnFile()
    index = columns.add(BTC, blocks)
    return MappedMarket(index, columns.mapped()), columns


def events_of(market: MappedMarket, start: int = 0, stop: int | None = None) -> list[MarketEvent]:
    last = market.count if stop is None else stop
    return [
        block.event(place)
        for block in market.blocks(start, last)
        for place in range(len(block.times_ns))
    ]


numbers = st.one_of(
    st.decimals("0.01", "99999.99", places=2),
    st.decimals("0.0000001", "0.001", places=9),
    st.just(Decimal("1.00000000000000000001")),  # no float gives it back
    st.just(Decimal(10) ** 17 + 1),
)
kinds: st.SearchStrategy[tuple[str, list[Decimal], int]] = st.one_of(
    st.tuples(st.just("candle"), st.lists(numbers, min_size=5, max_size=5), st.sampled_from([60])),
    st.tuples(st.just("candle"), st.lists(numbers, min_size=5, max_size=5), st.just(300)),
    st.tuples(st.just("trade"), st.just([]), st.just(0)),
)


@pytest.mark.slow
@given(
    some=st.lists(st.tuples(kinds, st.sampled_from([60, 60, 60, 120, 0])), max_size=40),
    size=st.integers(1, 9),
)
def test_any_market_comes_back_as_it_was(some: Any, size: int) -> None:
    events: list[MarketEvent] = []
    now = 1_700_000_000
    for (kind, values, length), step in some:
        now += step
        made = trade(now) if kind == "trade" else candle(now, *values, length_s=length)
        events.append(made)

    market, columns = mapped(event_blocks(events, size))

    assert market.count == len(events)
    assert events_of(market) == events
    columns.close()


@pytest.mark.slow
@pytest.mark.parametrize("gaps", [False, True])
def test_a_recording_comes_back_with_its_closes_and_times(tmp_path: Path, gaps: bool) -> None:
    source = ReplaySource(write_candles(tmp_path / "c.csv", 9_000, gaps=gaps), BTC, "1h")
    expected = list(source.events())

    market, columns = mapped(source.blocks())

    assert events_of(market) == expected
    assert events_of(market, 4_000, 4_500) == expected[4_000:4_500]
    closes = [close for block in market.blocks(0, market.count) for close in block.closes or []]
    assert closes == [float(one.close) for one in expected if isinstance(one, Candle)]
    assert market.span_ns == (expected[0].ts_event_ns, expected[-1].ts_event_ns)
    columns.close()


@pytest.mark.slow
def test_a_moment_is_found_by_its_place(tmp_path: Path) -> None:
    source = ReplaySource(write_candles(tmp_path / "c.csv", 5_000), BTC, "1h")
    times = [event.ts_event_ns for event in source.events()]
    market, columns = mapped(source.blocks())

    for moment in (0, times[0] - 1, times[0], times[0] + 1, times[777], times[4_300], times[-1]):
        assert market.place_after(moment) == sum(ts <= moment for ts in times)
    assert market.place_after(times[-1] + 10**18) == len(times)
    columns.close()


def test_other_candles_have_another_name(tmp_path: Path) -> None:
    digests = set()
    for seed in (1, 1, 2):
        source = ReplaySource(write_candles(tmp_path / "c.csv", 100, seed), BTC, "1h")
        _, columns = mapped(source.blocks())
        digests.add(columns.digest)
        columns.close()

    assert len(digests) == 2
