"""What no publisher of ours has written is counted, told and reaches nobody."""

import time
from collections.abc import Callable
from decimal import Decimal

import pytest

from exchanges.bus_frames import VERSION, encoded, message_id, subject_of
from exchanges.nats_client import NatsClient
from exchanges.nats_feed import BusSettings
from messages.codec import to_msgpack
from messages.ids import NS_PER_S, ActorPath, TimestampNs
from messages.market import Candle, FeedEnded, FeedGap, FeedPhase
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
from tests.exchanges.nats_bus.market import MARKS, consumers, frame, raw, slip_in, slip_in_bytes
from tests.exchanges.nats_server import NatsServer
from tests.waiting import until

pytestmark = MARKS


def test_hostile_messages_are_counted_told_and_reach_nobody(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    here = subject_of("market", "candles", BTC)
    publisher = publishing(server.url).open().start()
    publisher.put([candle(0)])
    publisher.until_stored(1)
    reader = following(server.url).open().start()
    garbage = [
        b"",
        b"garbage",
        bytes([VERSION]) + b"\xff" * 50,
        bytes([VERSION + 1]) + to_msgpack(frame(candle(1))),
        bytes([VERSION]) + to_msgpack(candle(1)),
        encoded(frame(candle(1, ETH))),
        bytes(4_000),
        bytes([VERSION]) + b"\x81\xa1a" * 1_300,
    ]
    forged = [
        encoded(frame(candle(1, close=Decimal("NaN")))),
        encoded(frame(candle(1, low=Decimal(-5)))),
        encoded(frame(candle(1, ts_event_ns=TimestampNs(BEGIN_NS)))),
        encoded(frame(candle(1, begin_ns=BEGIN_NS + 400 * 86_400 * NS_PER_S))),
    ]
    slip_in(server, here, *garbage)
    publisher.put([candle(1)], 1)
    publisher.until_stored(2)  # it goes on behind them
    reader.until_candles(2)
    slip_in(server, here, *forged)
    reader.until(lambda: reader.feed.stats.malformed == len(garbage + forged))

    assert reader.candles() == [candle(0), candle(1)]
    assert publisher.writer.state.foreign == len(garbage)
    assert reader.phases().count(FeedPhase.CONNECTING) == 1
    told = " ".join(reader.feed.stats.problems)
    for part in ("no payload of version 1", "another symbol", "a number that is none", "a year"):
        assert part in told
    # A publisher that begins finds garbage as the newest, and looks further back.
    publisher.stop()
    slip_in(server, here, b"garbage")
    assert publishing(server.url, writer="next").open().writer.next_index == 2


def test_who_has_looked_what_a_stranger_stored_reads_on_no_more(
    server: NatsServer, publishing: Callable[..., Publishing]
) -> None:
    """Each look left a reading behind, with a task here and a consumer at the server."""
    publisher = publishing(server.url).open().start()
    for minute in range(3):
        slip_in(server, subject_of("market", "candles", BTC), b"garbage")
        publisher.put([candle(minute)], minute)
        publisher.until_stored(minute + 1)

    assert publisher.writer.state.foreign == 3
    until(lambda: consumers(server) == 0)
    client = publisher.writer._client
    assert client is not None
    assert len(client._nats._subs) == 2, "answers to requests, and acknowledgements"


def test_a_message_that_speaks_as_the_server_does_holds_up_nobody(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    """Its header says that there is nothing to read, which only the server can say."""
    publisher = publishing(server.url).open().start()
    publisher.put([candle(0)])
    publisher.until_stored(1)
    reader = following(server.url).open().start()
    reader.until_candles(1)

    async def speak(client: NatsClient) -> None:
        here = subject_of("market", "candles", BTC)
        await client._nats.request(here, b"x", headers={"Status": "404"}, timeout=LIMIT_S)

    raw(server, speak)
    publisher.put([candle(1)], 1)
    publisher.until_stored(2)

    assert reader.until_candles(2) == [candle(0), candle(1)]
    assert (publisher.writer.state.foreign, reader.feed.stats.malformed) == (1, 1)


ODD = {
    "a header that is cut off": (b"market.candles.BTC/USDT", b"NATS/1.0"),
    "a status that is no text": (b"market.pulse", b"NATS/1.0 \xff\xff\xff\r\n\r\n"),
    "a subject that is no text": (b"market.candles.\xff\xfe", b"NATS/1.0\r\n\r\n"),
    "a reply that is no text": (b"market.pulse \xff\xfe", b"NATS/1.0\r\n\r\n"),
}


@pytest.mark.parametrize(("subject", "header"), ODD.values(), ids=list(ODD))
def test_what_the_library_cannot_read_holds_up_nobody(
    server: NatsServer,
    publishing: Callable[..., Publishing],
    following: Callable[..., Following],
    subject: bytes,
    header: bytes,
) -> None:
    """It read no more then, told nobody, and met the same message at its next connection."""
    publisher = publishing(server.url).open().start()
    publisher.put([candle(0)])
    publisher.until_stored(1)
    reader = following(server.url).open().start()
    reader.until_phase(FeedPhase.LIVE)

    slip_in_bytes(server, subject, header)
    publisher.put([candle(1)], 1)
    publisher.until_stored(2)

    assert reader.until_candles(2) == [candle(0), candle(1)]
    assert FeedPhase.BACKOFF not in (*reader.phases(), *publisher.phases)


def test_on_a_real_clock_what_is_from_the_future_is_counted(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    now_ns = time.time_ns() // MINUTE_NS * MINUTE_NS
    publisher = publishing(server.url, head(clock="real")).open().start()
    reader = following(server.url, BusSettings(clock="real")).open().start()
    reader.until_phase(FeedPhase.LIVE)

    publisher.put([candle(-2, BTC, now_ns, volume=Decimal(1)), candle(9, BTC, now_ns)])
    reader.until(lambda: reader.feed.stats.malformed >= 1)

    assert len(reader.candles()) == 1
    assert "s in the future" in reader.feed.stats.problems[0]


def test_on_a_real_clock_a_next_publisher_goes_on_behind_what_bots_believe(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    """Each candle that came for a year was taken for one that the stream had."""
    now_ns = time.time_ns() // MINUTE_NS * MINUTE_NS

    def sound(minute: int) -> Candle:
        return candle(minute, BTC, now_ns, volume=Decimal(1))

    first = publishing(server.url, head(clock="real")).open().start()
    first.put([sound(-3)])
    first.until_stored(1)
    first.die()
    ahead = candle(500_000, begin_ns=now_ns)
    slip_in(server, subject_of("market", "candles", BTC), encoded(frame(ahead, 99)))
    gap = FeedGap(
        feed=ActorPath("anything"),
        symbol=BTC,
        ts_from_ns=TimestampNs(1),
        ts_to_ns=ahead.ts_event_ns,
        missing=0,
    )
    slip_in(server, subject_of("market", "trades", BTC), encoded(frame(gap, 99)))

    second = publishing(server.url, head(clock="real"), writer="second")
    reached = second.loop.submit(second.writer.open()).result(LIMIT_S)
    second.start().put([sound(-2)])
    second.until_stored(1)

    assert reached == ({BTC: sound(-3).ts_event_ns}, {})
    assert second.writer.state.foreign == 2
    reader = following(server.url, BusSettings(clock="real"), history=5).open().start()
    reader.until_phase(FeedPhase.LIVE)
    assert reader.history() == [sound(-3), sound(-2)]


def test_on_a_real_clock_an_end_is_counted_and_ends_nobody(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    now_ns = time.time_ns() // MINUTE_NS * MINUTE_NS
    end = FeedEnded(feed=ActorPath("anything"), delivered=0)
    publisher = publishing(server.url, head(clock="real")).open().start()
    reader = following(server.url, BusSettings(clock="real")).open().start()
    reader.until_phase(FeedPhase.LIVE)

    publisher.put([end, candle(-1, BTC, now_ns, volume=Decimal(1))])
    reader.until_candles(1)

    assert not [item for item in reader.told if isinstance(item, FeedEnded)]
    assert reader.feed.stats.malformed == 1
    assert reader.feed.stats.problems == ["'market.end': a live market has no end"]


def test_nobody_can_take_a_candles_name_before_it_comes(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    publisher = publishing(server.url).open().start()
    publisher.put([candle(0)])
    publisher.until_stored(1)

    here = subject_of("market", "candles", BTC)
    guessed = message_id(here, frame(candle(1), 2, writer="one", index=1), b"a key")

    async def take_the_name(client: NatsClient) -> None:
        headers = {"Nats-Msg-Id": guessed}
        await client._nats.request(here, b"mine", headers=headers, timeout=LIMIT_S)

    raw(server, take_the_name)
    publisher.put([candle(1), candle(2)], 1)
    publisher.until_stored(3)

    assert following(server.url).open().start().until_candles(3) == [candle(i) for i in range(3)]
