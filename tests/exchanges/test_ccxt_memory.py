"""What a live client holds on to does not grow with its orders, its trades and its connections."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_config import KEPT_BARS
from exchanges.facts import StreamPhase
from exchanges.feed_candles import PAGE, FeedCandles
from exchanges.feed_line import KEPT_IDS, Line
from exchanges.feed_settings import FeedItem
from exchanges.local.faults import Fault, Plan
from exchanges.local.faults_streams import StreamFault
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.protocol import NewOrder
from exchanges.source import SourceStats
from messages.errors import OutcomeUnknown
from messages.ids import ClientOrderId
from messages.market import FeedPhase
from messages.values import OrderState
from tests.exchanges.feed_run import ALL_CHANNELS, Following, following, public_config, request
from tests.exchanges.feed_run import LAZY as LAZY_FEED
from tests.exchanges.live import BTC, LIMIT_S, desk, free
from tests.exchanges.test_ccxt_watch import LAZY, Watcher

RECONNECTS = 3


@pytest.fixture
def run() -> Iterator[RunningExchange]:
    with running_exchange(seed=5, speed=0) as run:
        yield run


@pytest.fixture
def uncollected() -> Iterator[None]:
    """What is freed is freed by itself: a pass of the collector is hours away in a long run."""
    gc.disable()
    yield
    gc.enable()


async def ends_of(client: Any) -> list[threading.Event]:
    """Give what is set when ccxt's socket of a stream is freed, and aiohttp's under it.

    The latter has the buffers.
    """
    found = []
    for socket in client.clients.values():
        for one in (socket, socket.connection):
            found.append(threading.Event())
            weakref.finalize(one, found[-1].set)
    return found


async def complaints_of_a_lost_socket(client: Any) -> list[str]:
    """Give what the loop says where a socket is lost; one waits for it, and one was forgotten."""
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what["message"]))
    socket = client.client("wss://127.0.0.1:1/ws")
    socket.future("nobody waits for it")
    awaited = socket.future("somebody does")

    socket.reject(ConnectionError("it is gone"))

    with pytest.raises(ConnectionError, match="it is gone"):
        await awaited
    gc.collect()
    return told


def test_what_ccxt_forgets_to_await_is_no_error_of_the_loop(run: RunningExchange) -> None:
    with desk(run.ccxt_config()) as opened:
        opened.call(opened.venue.open())
        assert opened.call(complaints_of_a_lost_socket(opened.venue._client)) == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", [StreamFault.DROP, StreamFault.CLOSE])
def test_an_accounts_connection_that_was_replaced_is_let_go(
    fault: StreamFault, run: RunningExchange, uncollected: None
) -> None:
    with desk(run.ccxt_config(), stream=LAZY) as opened:
        opened.call(opened.venue.open())
        watcher = Watcher(opened)
        for times in range(1, RECONNECTS + 1):
            watcher.until_phase(StreamPhase.LIVE, times)
            ends = opened.call(ends_of(opened.venue._client))
            run.exchange.strike_streams(fault)
            watcher.until_phase(StreamPhase.LIVE, times + 1)

            assert ends
            assert all(end.wait(LIMIT_S) for end in ends)
        watcher.stop()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [StreamFault.DROP, StreamFault.CLOSE])
def test_a_markets_connections_that_were_replaced_are_let_go(
    fault: StreamFault, run: RunningExchange, uncollected: None
) -> None:
    with following(public_config(run), channels=ALL_CHANNELS) as feed:
        feed.start().until_phase(FeedPhase.LIVE)
        ends = feed.loop.submit(ends_of(feed.feed._client)).result(LIMIT_S)
        run.exchange.strike_streams(fault)
        feed.until_phase(FeedPhase.LIVE, times=2)

        assert ends
        assert all(end.wait(LIMIT_S) for end in ends)


def has_fills(watcher: Watcher, name: str) -> bool:
    return bool(watcher.fills(name))


def has_trades(feed: Following, at_least: int) -> bool:
    return len(feed.trades()) >= at_least


@pytest.mark.slow
def test_ccxt_remembers_some_orders_and_trades_and_all_are_told(
    run: RunningExchange, order: Callable[..., NewOrder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchanges.ccxt_config.KEPT_ORDERS", 3)
    monkeypatch.setattr("exchanges.ccxt_config.KEPT_TRADES", 2)
    names = [f"wk{number}" for number in range(8)]
    with desk(run.ccxt_config(), stream=LAZY) as opened:
        opened.call(opened.venue.open())
        watcher = Watcher(opened)
        watcher.until_phase(StreamPhase.LIVE)
        for name in names:
            opened.call(opened.venue.submit(order(name), free))
            watcher.until_state(name, OrderState.FILLED)
            watcher.until(partial(has_fills, watcher, name))

        client = opened.venue._client
        assert (len(client.orders), len(client.myTrades)) == (3, 2)
        watcher.stop()


@pytest.mark.slow
def test_trades_of_the_market_are_not_kept_once_they_are_told(run: RunningExchange) -> None:
    with following(public_config(run), channels=ALL_CHANNELS) as feed:
        feed.start().until_phase(FeedPhase.LIVE)
        for at_least in (5, 15, 25):
            run.exchange.advance(10)
            feed.until(partial(has_trades, feed, at_least))
        client = feed.feed._client
        feed.until(lambda: BTC in client.ohlcvs)

        async def kept() -> int:
            return len(client.trades[BTC])

        assert feed.loop.submit(kept()).result(LIMIT_S) < len(feed.trades())
        assert client.ohlcvs[BTC]["1m"].max_size == KEPT_BARS


@pytest.mark.slow
def test_when_orders_were_signed_is_not_remembered_for_ever(
    run: RunningExchange, order: Callable[..., NewOrder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchanges.absence.SIGNED_MAX", 2)
    run.exchange.arm(Plan(fault=Fault.RESET_AFTER, times=4))
    with desk(run.ccxt_config()) as opened:
        opened.call(opened.venue.open())
        for number in range(4):
            with pytest.raises(OutcomeUnknown):
                opened.call(opened.venue.submit(order(f"wk{number}"), free))

        assert list(opened.venue._absence._signed_at_ns) == ["wk2", "wk3"]
        for number in range(4):
            found = opened.call(opened.venue.find(ClientOrderId(f"wk{number}"), BTC, sent_at_ns=1))
            assert found is not None
        assert not opened.venue._absence._signed_at_ns


def test_a_page_of_old_trades_is_known_again_and_no_more_are_remembered() -> None:
    told: list[FeedItem] = []
    stats = SourceStats()
    asked = request(channels=ALL_CHANNELS)
    candles = FeedCandles(BTC, asked, LAZY_FEED, stats, None, lambda: 0)
    line = Line(candles, asked, stats, lambda: 0)
    line.tell = told.append
    rows = [
        {"id": f"{number}", "timestamp": 1_000 + number, "price": "60000", "amount": "1"}
        for number in range(6 * PAGE)
    ]

    for row in rows:
        line.take_trades([row], 0)
    line.take_trades(rows[-PAGE:], 0)

    assert len(told) == len(rows)
    assert stats.duplicate == PAGE
    assert len(line._trade_ids) == KEPT_IDS
