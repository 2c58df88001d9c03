"""Who is refused, and in which sentence: a second publisher, and a reader of what is not there."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Any

import msgspec
import pytest

from exchanges.feed_settings import Channel
from exchanges.nats_chain import Fenced
from exchanges.nats_feed import BusSettings
from messages.errors import Away, VenueRefused
from messages.ids import Symbol
from messages.market import FeedPhase
from tests.exchanges.bus_run import BTC, ETH, LIMIT_S, Following, Publishing, candle, head
from tests.exchanges.nats_bus.market import MARKS, configured, raw
from tests.exchanges.nats_server import NatsServer

pytestmark = MARKS


def test_a_second_publisher_is_refused_while_the_first_lives(
    server: NatsServer, publishing: Callable[..., Publishing]
) -> None:
    publishing(server.url, writer="first").open().start()

    with pytest.raises(VenueRefused, match=r"^process \d+ on .* publishes to the stream market al"):
        publishing(server.url, writer="second").open()


def test_one_that_is_refused_has_changed_nothing_of_the_firsts_stream(
    server: NatsServer, publishing: Callable[..., Publishing]
) -> None:
    """It took the first one's symbols off its stream, and what that keeps was its own."""
    market = head(clock="real")
    publishing(server.url, market, writer="first").open().start()
    before = configured(server)

    fewer = msgspec.structs.replace(market, symbols=(BTC,))
    with pytest.raises(VenueRefused):
        publishing(server.url, fewer, writer="second").open()

    assert configured(server) == before


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


def test_one_that_ends_since_another_publishes_says_no_goodbye_for_it(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    first, second = (publishing(server.url, writer=name) for name in ("first", "second"))
    second.writer._chain._key = b"a key of its own"
    first.open()
    second.open()  # each has heard nobody
    first.start().put([candle(0)])
    first.until_stored(1)
    reader = following(server.url).open().start()
    reader.until_phase(FeedPhase.LIVE)

    second.start().put([candle(0)])
    assert second.run is not None
    assert isinstance(second.run.exception(LIMIT_S), Fenced)
    first.put([candle(1)], 1)

    assert reader.until_candles(2) == [candle(0), candle(1)]
    assert FeedPhase.STALE not in reader.phases()


def test_one_whose_stream_is_another_markets_by_now_says_no_goodbye_for_that(
    server: NatsServer, publishing: Callable[..., Publishing], following: Callable[..., Following]
) -> None:
    first = publishing(server.url).open().start()
    first.put([candle(0)])
    first.until_stored(1)
    raw(server, lambda client: client._api("STREAM.DELETE.market"))
    second = publishing(server.url, head(source="demo:8"), writer="second")
    second.writer._chain._key = b"a key of its own"
    second.open().start().put([candle(0)])
    second.until_stored(1)
    reader = following(server.url).open().start()
    reader.until_phase(FeedPhase.LIVE)

    first.put([candle(1)], 1)
    assert first.run is not None
    assert isinstance(first.run.exception(LIMIT_S), VenueRefused)
    second.put([candle(1)], 1)

    assert reader.until_candles(2) == [candle(0), candle(1)]
    assert FeedPhase.STALE not in reader.phases()


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

    assert of(symbols=(ETH,)) == (
        "has no ETH/USDT: publish it too, to another stream, or take some of BTC/USDT"
    )
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


@pytest.mark.parametrize("symbols", [(BTC, ETH), (ETH, BTC), (ETH,)])
def test_of_a_recorded_market_the_stream_has_the_same_symbols_for_good(
    server: NatsServer, publishing: Callable[..., Publishing], symbols: tuple[Symbol, ...]
) -> None:
    """A place among the events of one meant another event: the first of a new symbol were lost."""
    first = publishing(server.url, head(symbols=(BTC,))).open().start()
    first.put([candle(0)])
    first.until_stored(1)
    first.die()
    before = configured(server)

    with pytest.raises(VenueRefused) as refused:
        publishing(server.url, head(symbols=symbols), writer="next").open()

    assert str(refused.value) == (
        f"the stream market at {server.url} has a recorded or generated market of BTC/USDT, and"
        f" this feed is of {', '.join(symbols)}: take another --stream, or delete this one"
    )
    assert configured(server) == before


def test_a_server_that_is_not_there_is_told_in_one_sentence(
    following: Callable[..., Following],
) -> None:
    text = refusal(following("nats://127.0.0.1:1"), is_away=True)

    assert text == (
        "the NATS server nats://127.0.0.1:1 cannot be used (connection refused): start it, or"
        " correct feed.nats.url"
    )
