"""A market over a real NATS server: each event once, in order, to whom asked for it."""

import time
from collections.abc import Callable
from decimal import Decimal

from exchanges.bus_frames import subject_of
from exchanges.feed_settings import Channel
from exchanges.nats_feed import BusSettings
from messages.ids import ActorPath, TimestampNs
from messages.market import FeedEnded, FeedPhase, Trade
from tests.exchanges.bus_run import (
    BEGIN_NS,
    BTC,
    ETH,
    LIMIT_S,
    MINUTE_NS,
    Following,
    Publishing,
    candle,
    head,
)
from tests.exchanges.nats_bus.market import MARKS, slip_in
from tests.exchanges.nats_server import NatsServer

pytestmark = MARKS


def test_every_event_comes_once_in_order_and_exact(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    wanted = [candle(i, symbol) for i in range(600) for symbol in (BTC, ETH)]
    publisher = publishing(server.url).open().start()
    publisher.put(wanted[:500])
    reader = following(server.url, symbols=(BTC, ETH)).open().start()
    publisher.put(wanted[500:], 500)
    end = FeedEnded(feed=ActorPath("f"), delivered=1_200)
    publisher.put([end], 1_200)

    assert reader.until_candles(1_200) == wanted
    reader.until(lambda: end in reader.told)
    publisher.until_stored(1_200)
    reader.until_phase(FeedPhase.LIVE)
    assert reader.phases()[:3] == [FeedPhase.CONNECTING, FeedPhase.BACKFILLING, FeedPhase.LIVE]
    stats = reader.feed.stats
    assert (stats.usable, stats.malformed, stats.duplicate, stats.gaps) == (1_200, 0, 0, 0)


def test_the_end_of_a_recording_that_went_on_later_is_not_the_readers_end(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    short = publishing(server.url, writer="short").open().start()
    end = FeedEnded(feed=ActorPath("f"), delivered=2)
    short.put([candle(0), candle(1), end])
    short.until_stored(2)
    short.stop()
    longer = publishing(server.url, writer="longer").open().start()
    last = FeedEnded(feed=ActorPath("f"), delivered=4)
    longer.put([*(candle(i) for i in range(4)), last])
    longer.loop.submit(longer.writer.drain()).result(LIMIT_S)
    slip_in(server, subject_of("market", "candles", BTC), b"garbage")

    reader = following(server.url).open().start()
    reader.until(lambda: last in reader.told)

    assert reader.candles() == [candle(i) for i in range(4)]
    assert [item for item in reader.told if isinstance(item, FeedEnded)] == [last]


def test_a_reader_gets_only_what_it_asked_for_and_goes_on_from_a_place(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    publisher = publishing(server.url).open().start()
    trade = Trade(
        symbol=BTC,
        price=Decimal("1.5"),
        quantity=Decimal(2),
        aggressor_side=None,
        ts_event_ns=TimestampNs(BEGIN_NS),
    )
    publisher.put([candle(0), candle(0, ETH), trade, candle(1), trade, candle(2)])
    publisher.until_stored(6)

    both = {"channels": frozenset({Channel.CANDLES, Channel.TRADES})}
    first = following(server.url, **both).open().start()
    first.until(lambda: len(first.candles() + first.trades()) == 5)
    again = following(server.url, **both).open().start({BTC: BEGIN_NS + 2 * MINUTE_NS}, place=4)
    again.until(lambda: len(again.candles()) == 1)

    assert first.candles() == [candle(0), candle(1), candle(2)]
    assert first.trades() == [trade, trade]
    assert again.candles() == [candle(2)]
    assert again.trades() == [trade]


def test_on_a_real_clock_what_was_before_is_history_and_only_what_comes_is_told(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    about = head(clock="real", source="ccxt:binance")
    begin_ns = time.time_ns() // MINUTE_NS * MINUTE_NS - 40 * MINUTE_NS
    wanted = [candle(i, BTC, begin_ns) for i in range(41)]
    publisher = publishing(server.url, about).open().start(skew_ms=7)
    publisher.put(wanted[:-1])
    publisher.until_stored(40)

    reader = following(server.url, BusSettings(clock="real"), history=10).open().start()
    reader.until_phase(FeedPhase.LIVE)
    publisher.put(wanted[-1:], 40)
    reader.until_candles(1)

    assert reader.history() == wanted[30:40]
    assert reader.candles() == wanted[40:]
    assert reader.states()[-1].skew_ms == 7


def test_a_reader_that_takes_nothing_is_given_no_more_than_its_window(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    publisher = publishing(server.url).open().start()
    reader = following(server.url, BusSettings(clock="market", window=64)).open()
    reader.takes = False
    reader.start()
    wanted = [candle(i) for i in range(1_000)]
    publisher.put(wanted)
    publisher.until_stored(1_000)
    reader.until_candles(32)
    publisher.put([candle(1_000)], 1_000)
    publisher.until_stored(1_001)

    assert 32 <= len(reader.candles()) <= 64
    reader.take_all()
    assert reader.until_candles(1_001) == [*wanted, candle(1_000)]
