"""Whatever dies or is lost, no event is lost unsaid or told twice."""

import asyncio
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchanges.nats_client import NatsClient
from exchanges.nats_feed import BusSettings
from exchanges.nats_reading import BusLost
from messages.ids import NS_PER_S
from messages.market import FeedPhase
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
from tests.exchanges.nats_bus.market import MARKS, consumers, raw
from tests.exchanges.nats_server import NatsServer, nats_server

pytestmark = MARKS


def test_with_the_server_killed_the_feed_says_so_and_no_event_is_lost_or_doubled(
    tmp_path: Path,
    publishing: Callable[..., Publishing],
    following: Callable[..., Following],
) -> None:
    wanted = [candle(i) for i in range(1_000)]
    with nats_server(tmp_path) as server:
        publisher = publishing(server.url).open().start()
        reader = following(server.url).open().start()
        publisher.put(wanted[:500])
        reader.until_candles(150)  # in the middle of all
        server.kill()
        reader.until_phase(FeedPhase.BACKOFF)
        publisher.until_phase(FeedPhase.BACKOFF)
        publisher.put(wanted[500:], 500)
        server.start()

        assert reader.until_candles(1_000) == wanted
        reader.until(lambda: reader.phases()[-1] is FeedPhase.LIVE)
    assert reader.feed.stats.gaps == 0


def test_a_next_publisher_goes_on_where_the_one_before_was_killed(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    wanted = [candle(i, symbol) for i in range(400) for symbol in (BTC, ETH)]
    reader_of_both = {"symbols": (BTC, ETH)}
    first = publishing(server.url, writer="first").open().start()
    first.put(wanted[:500])
    reader = following(server.url, **reader_of_both).open().start()
    reader.until_candles(200)
    first.die()

    second = publishing(server.url, writer="second").open()
    resumed = second.writer.next_index
    second.start()
    second.put(wanted)  # a recording is shown from its beginning

    assert 0 < resumed <= 500
    assert reader.until_candles(800) == wanted
    second.until_stored(800)
    assert second.writer.state.repeated == resumed
    stats = reader.feed.stats
    assert (stats.duplicate, stats.out_of_order, stats.gaps, stats.usable) == (0, 0, 0, 800)


def test_a_silent_publisher_makes_the_market_stale_and_the_next_one_live(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    first = publishing(server.url).open().start()
    quick = BusSettings(clock="market", quiet_ms=300, backoff_ms=20)
    reader = following(server.url, quick).open().start()
    reader.until_phase(FeedPhase.LIVE)

    first.die()
    silence = re.compile(r"no publisher was heard for \d+\.\d s")
    reader.until(lambda: any(silence.search(state.reason) for state in reader.states()))
    publishing(server.url, writer="next").open().start()
    reader.until_phase(FeedPhase.LIVE, 2)

    assert FeedPhase.STALE in reader.phases()


LESS: list[dict[str, Any]] = [{"symbols": (BTC,)}, {"channels": ("trades",)}]


@pytest.mark.parametrize("less", LESS, ids=["symbols", "channels"])
def test_a_next_publisher_that_has_less_is_not_followed_and_one_that_has_it_again_is(
    server: NatsServer,
    publishing: Callable[..., Publishing],
    following: Callable[..., Following],
    less: dict[str, Any],
) -> None:
    """The market was live, and nothing came."""
    first = publishing(server.url, head(clock="real"), writer="first").open().start()
    quick = BusSettings(quiet_ms=5_000, backoff_ms=20)
    reader = following(server.url, quick, symbols=(ETH,)).open().start()
    reader.until_phase(FeedPhase.LIVE)
    first.die()

    second = publishing(server.url, head(clock="real", **less), writer="second").open().start()
    missing = "ETH/USDT" if "symbols" in less else "candles"
    reader.until(lambda: any(f"has no {missing}: publ" in s.reason for s in reader.states()))
    second.die()
    third = publishing(server.url, head(clock="real"), writer="third").open().start()
    reader.until(lambda: reader.phases()[-1] is FeedPhase.LIVE)
    now_ns = time.time_ns() // MINUTE_NS * MINUTE_NS
    third.put([candle(-1, ETH, now_ns, volume=Decimal(1))])

    assert len(reader.until_candles(1)) == 1


def test_what_the_publisher_says_of_its_own_feed_is_what_the_reader_says(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    publisher = publishing(server.url).open().start()
    reader = following(server.url).open().start()
    reader.until_phase(FeedPhase.LIVE)

    publisher.loop.call(lambda: publisher.writer.feed_is(FeedPhase.STALE, "REST had more", 3))
    reader.until_phase(FeedPhase.STALE)
    publisher.loop.call(lambda: publisher.writer.feed_is(FeedPhase.LIVE, "", 3))
    reader.until_phase(FeedPhase.LIVE, 2)

    stale = next(s for s in reader.states() if s.phase is FeedPhase.STALE)
    assert stale.reason == "the publisher: REST had more"
    assert reader.phases().count(FeedPhase.CONNECTING) == 1


def test_a_clock_that_is_set_back_makes_the_market_stale_until_it_is_right_again(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    """No candle can be believed then: all that happens is in the future."""
    real, behind_s = BusSettings(quiet_ms=5_000, backoff_ms=20), 0
    publishing(server.url, head(clock="real")).open().start()
    reader = following(server.url, real, lambda: time.time_ns() - behind_s * NS_PER_S).open()
    reader.start()
    reader.until_phase(FeedPhase.LIVE)

    behind_s = 120
    reader.until_phase(FeedPhase.STALE)
    behind_s = 0
    reader.until_phase(FeedPhase.LIVE, 2)

    (stale,) = [state for state in reader.states() if state.phase is FeedPhase.STALE]
    assert stale.reason.startswith("this machine's clock is more than 60 s behind the publisher's")
    assert reader.phases().count(FeedPhase.CONNECTING) == 1


def test_what_the_stream_keeps_no_more_is_told_as_a_gap(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    publisher = publishing(server.url).open().start()
    publisher.put([candle(i) for i in range(100)])
    publisher.until_stored(100)
    raw(server, lambda client: client._api("STREAM.PURGE.market", {"seq": 81}))  # 81 is the first

    reader = following(server.url).open().start({BTC: BEGIN_NS + 50 * MINUTE_NS}, place=50)

    assert reader.until_candles(20) == [candle(i) for i in range(80, 100)]
    (gap,) = reader.gaps()
    assert (gap.missing, gap.ts_from_ns) == (30, BEGIN_NS + 50 * MINUTE_NS)


def test_what_the_stream_lets_go_of_while_a_reader_has_no_room_is_not_waited_for(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    """It counted with a hundred; all that is left of them is told, and so the market is live."""
    publisher = publishing(server.url).open().start()
    publisher.put([candle(i) for i in range(100)])
    publisher.until_stored(100)
    reader = following(server.url, BusSettings(clock="market", window=2)).open()
    reader.takes = False
    reader.start()
    reader.until(lambda: consumers(server) == 1)
    raw(server, lambda client: client._api("STREAM.PURGE.market", {"seq": 81}))

    reader.take_all()

    assert reader.until_candles(20) == [candle(i) for i in range(80, 100)]
    reader.until_phase(FeedPhase.LIVE)


def test_where_the_server_lost_what_it_had_stored_all_is_read_again_and_nothing_told_twice(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    publisher = publishing(server.url).open().start()
    publisher.put([candle(i) for i in range(6)])
    publisher.until_stored(6)
    reader = following(server.url).open()
    reader.feed._last = b"what was at this place before"

    reader.start({BTC: BEGIN_NS + 2 * MINUTE_NS}, place=4)

    assert reader.until_candles(4) == [candle(i) for i in range(2, 6)]
    stats = reader.feed.stats
    assert (stats.gaps, stats.duplicate, stats.out_of_order) == (0, 0, 0)


@pytest.mark.parametrize("asked", ["connect", "request"])
def test_an_end_that_the_library_swallows_is_an_end_all_the_same(
    server: NatsServer,
    publishing: Callable[..., Publishing],
    asked: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As `asyncio.wait_for` does before Python 3.12, where the answer comes at that moment.

    One that lived on published beside its successor, in the same name.
    """
    from nats.aio.client import Client

    as_it_is, is_asked = getattr(Client, asked), threading.Event()

    async def swallowing(self: Any, *words: Any, **more: Any) -> Any:
        answer = await as_it_is(self, *words, **more)
        if not is_asked.is_set():
            is_asked.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(LIMIT_S)
        return answer

    monkeypatch.setattr(Client, asked, swallowing)
    publisher = publishing(server.url).start()
    assert is_asked.wait(LIMIT_S)

    assert publisher.loop.close(10.0)


ASKED: dict[str, Callable[[NatsClient], Any]] = {
    "to listen": lambda client: client.listen("market.pulse", lambda *_: None),
    "for answers": lambda client: client.open_acks(lambda *_: None),
    "to publish": lambda client: client.publish("market.pulse", b"x"),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=list(ASKED))
def test_a_connection_that_ends_before_it_says_so_is_a_lost_bus_whatever_is_asked(
    server: NatsServer, ask: Callable[[NatsClient], Any]
) -> None:
    """Any other error ended the publisher for good, with exit code 70."""

    async def ask_one_that_ends(client: NatsClient) -> None:
        client._nats._status = client._nats.CLOSED  # its first step; `closed_cb` is its last
        try:
            await ask(client)
        finally:
            client._nats._status = client._nats.CONNECTED

    with pytest.raises(BusLost):
        raw(server, ask_one_that_ends)


def test_who_lets_go_of_a_client_that_is_ending_itself_closes_its_socket(
    server: NatsServer,
) -> None:
    """nats-py counts as closed from its first step on, and a loop that ends cuts the others off."""

    async def ask(client: NatsClient) -> Any:
        connection = client._nats
        connection._status = connection.CLOSED
        writer = connection._transport._io_writer
        await client.close()
        return writer.transport.get_extra_info("socket").fileno()

    assert raw(server, ask) == -1


def test_a_publisher_whose_stream_was_gone_for_a_while_publishes_again(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    """What the server had said of that connection was held against each one after it, for good."""
    wanted = [candle(minute) for minute in range(3)]
    publisher = publishing(server.url).open().start()
    publisher.put(wanted[:2])
    publisher.until_stored(2)
    reader = following(server.url).open().start()
    reader.until_candles(2)
    raw(server, lambda client: client._api("STREAM.DELETE.market"))

    publisher.put(wanted[2:], 2)

    publisher.until_stored(3)
    assert reader.until_candles(3) == wanted
