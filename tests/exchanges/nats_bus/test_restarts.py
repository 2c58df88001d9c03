"""A bot's feed begins anew, or its connection breaks: nothing is lost unsaid or told twice."""

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchanges.feed_settings import Channel
from exchanges.nats_answers import Stored
from exchanges.nats_feed import BusSettings
from messages.ids import NS_PER_S, TimestampNs
from messages.market import Candle, FeedGap, FeedHistory, FeedPhase, Trade
from tests.exchanges.bus_run import BTC, ETH, MINUTE_NS, Following, Publishing, candle, head
from tests.exchanges.nats_bus.market import MARKS, raw
from tests.exchanges.nats_server import NatsServer, nats_server

pytestmark = MARKS
TRADES = frozenset({Channel.TRADES})


def settings(clock: str = "real") -> BusSettings:
    return BusSettings(clock=clock, quiet_ms=5_000, backoff_ms=20)


def trades(count: int) -> list[Trade]:
    begin_ns = time.time_ns() - 100 * NS_PER_S
    return [
        Trade(
            symbol=BTC,
            price=Decimal(100 + number),
            quantity=Decimal(1),
            aggressor_side=None,
            ts_event_ns=TimestampNs(begin_ns + number * NS_PER_S),
        )
        for number in range(count)
    ]


def spans(gaps: list[FeedGap]) -> list[tuple[int, int]]:
    return [(gap.ts_from_ns, gap.ts_to_ns) for gap in gaps]


def places(reader: Following, kinds: Any) -> list[int]:
    told = zip(reader.told, reader.places, strict=True)
    return [place for item, place in told if isinstance(item, kinds)]


def place_after(reader: Following, count: int) -> int:
    """Follow so far, and end as an incarnation does."""
    reader.until_trades(count)
    place = reader.feed.place
    reader.stop()
    return place


@pytest.mark.parametrize("clock", ["real", "market"])
def test_what_the_stream_let_go_of_over_a_restart_is_told_before_the_next_trade(
    server: NatsServer,
    publishing: Callable[..., Publishing],
    following: Callable[..., Following],
    clock: str,
) -> None:
    wanted = trades(20)
    publisher = publishing(server.url, head(clock=clock)).open().start()
    first = Following(server.url, settings(clock), channels=TRADES).open().start()
    first.until_phase(FeedPhase.LIVE)
    publisher.put(wanted[:5])
    place = place_after(first, 5)
    publisher.put(wanted[5:], 5)
    publisher.until_stored(20)
    raw(server, lambda client: client._api("STREAM.PURGE.market", {"keep": 5}))

    known = {BTC: wanted[4].ts_event_ns}
    reader = following(server.url, settings(clock), channels=TRADES).open()
    reader.start(place=place, traded_ns=known)

    assert reader.until_trades(5) == wanted[15:]
    assert spans(reader.gaps()) == [(wanted[4].ts_event_ns, wanted[15].ts_event_ns)]


@pytest.mark.parametrize("clock", ["real", "market"])
def test_a_stream_that_is_made_anew_over_a_restart_is_read_from_its_beginning(
    server: NatsServer,
    publishing: Callable[..., Publishing],
    following: Callable[..., Following],
    clock: str,
) -> None:
    """It has another trade at that place."""
    wanted = trades(20)
    publisher = publishing(server.url, head(clock=clock)).open().start()
    first = Following(server.url, settings(clock), channels=TRADES).open().start()
    first.until_phase(FeedPhase.LIVE)
    publisher.put(wanted[:5])
    place = place_after(first, 5)
    raw(server, lambda client: client._api("STREAM.DELETE.market"))
    publisher.put(wanted[5:], 5)
    publisher.until_stored(20)

    known = {BTC: wanted[4].ts_event_ns}
    reader = following(server.url, settings(clock), channels=TRADES).open()
    reader.start(place=place, traded_ns=known)

    assert reader.until_trades(15) == wanted[5:]
    assert spans(reader.gaps()) == [(wanted[4].ts_event_ns, wanted[5].ts_event_ns)]


def test_where_the_stream_is_as_it_was_a_restart_tells_no_gap_and_no_trade_twice(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    wanted = trades(10)
    wanted[5] = wanted[4]  # two of the same moment
    publisher = publishing(server.url, head(clock="real")).open().start()
    first = Following(server.url, settings(), channels=TRADES).open().start()
    first.until_phase(FeedPhase.LIVE)
    publisher.put(wanted[:5])
    place = place_after(first, 5)
    publisher.put(wanted[5:], 5)

    reader = following(server.url, settings(), channels=TRADES).open()
    reader.start(place=place, traded_ns={BTC: wanted[4].ts_event_ns})

    assert reader.until_trades(5) == wanted[5:]
    assert reader.gaps() == []


def test_a_gap_has_the_place_before_the_event_that_it_comes_with(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    """A restart between the two goes on with that event, and not behind it."""
    publisher = publishing(server.url).open().start()
    publisher.put([candle(0), candle(5)])

    reader = following(server.url).open().start()

    reader.until_candles(2)
    assert places(reader, Candle | FeedGap) == [1, 1, 2]


def test_a_history_that_is_not_all_told_has_no_place_to_go_on_from(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    """A restart between two symbols' tells that of the second."""
    begin_ns = time.time_ns() // MINUTE_NS * MINUTE_NS - 3 * MINUTE_NS
    publisher = publishing(server.url, head(clock="real")).open().start()
    past = [candle(i, symbol, begin_ns) for i in range(2) for symbol in (BTC, ETH)]
    publisher.put(past)
    publisher.until_stored(4)
    both = {"symbols": (BTC, ETH), "history": 2}
    first = following(server.url, settings(), **both).open().start()
    first.until_phase(FeedPhase.LIVE)
    assert places(first, FeedHistory) == [0, 4]

    second = following(server.url, settings(), **both).open()
    second.start({BTC: past[2].ts_event_ns})

    second.until_phase(FeedPhase.LIVE)
    assert [one.symbol for one in second.history()] == [ETH, ETH]


def test_a_history_that_a_lost_connection_falls_into_is_told_whole(
    tmp_path: Path, following: Callable[..., Following]
) -> None:
    begin_ns = time.time_ns() // MINUTE_NS * MINUTE_NS - 600 * MINUTE_NS
    past = [candle(i, BTC, begin_ns) for i in range(600)]
    with nats_server(tmp_path) as server:
        publisher = Publishing(server.url, head(clock="real")).open().start()
        publisher.put(past)
        publisher.until_stored(600)
        reader = following(server.url, settings(), history=500).open()
        take = reader.feed._take

        def take_and_be_cut_off(stored: Stored) -> None:
            take(stored)
            if stored.place == 200:
                server.kill()
                server.start()

        reader.feed._take = take_and_be_cut_off  # type: ignore[method-assign]
        reader.start()
        reader.until_phase(FeedPhase.LIVE)
        publisher.stop()
        reader.stop()

    assert FeedPhase.BACKOFF in reader.phases()
    assert reader.history() == past[100:]
