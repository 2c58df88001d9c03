"""What ccxt does to who watches: each trap with ccxt alone, then with our venue.

If one half of a test fails because ccxt has mended its ways, good: read the release, then change
what we do about it.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import ccxt
import msgspec
import pytest

from exchanges.facts import StreamPhase, StreamState
from exchanges.local.faults_streams import StreamFault, StreamPlan
from exchanges.local.server import RunningExchange
from exchanges.protocol import NewOrder
from messages.ids import ClientOrderId
from messages.orders import OrderReport
from messages.values import OrderState
from tests.exchanges.ccxt_traps.bare import bare, limit
from tests.exchanges.live import BTC, LIMIT_S, Desk, submit

pytestmark = pytest.mark.slow


class Told:
    """What a watch has told so far."""

    def __init__(self, opened: Desk) -> None:
        self._told: list[OrderReport | StreamState] = []
        self._news = threading.Condition()
        self._watch = opened.loop.submit(opened.venue.watch((BTC,), self._tell))
        self.until(lambda: StreamPhase.LIVE in self.phases())

    def _tell(self, one: OrderReport | StreamState) -> None:
        with self._news:
            self._told.append(one)
            self._news.notify_all()

    def phases(self) -> list[StreamPhase]:
        return [one.phase for one in self.states()]

    def states(self) -> list[StreamState]:
        return [one for one in self._told if isinstance(one, StreamState)]

    def reports(self) -> list[OrderReport]:
        return [one for one in self._told if isinstance(one, OrderReport)]

    def reports_of(self, name: str) -> list[OrderReport]:
        return [one for one in self.reports() if one.client_order_id == name]

    def fills_of(self, name: str) -> list[str]:
        return [fill.trade_id for one in self.reports_of(name) for fill in one.fills]

    def until(self, is_so: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(is_so, LIMIT_S), self._told

    def until_filled(self) -> None:
        self.until(lambda: any(one.state is OrderState.FILLED for one in self.reports_of("wk1")))

    def stop(self) -> None:
        self._watch.cancel()
        self.until(lambda: StreamPhase.STOPPED in self.phases())


@pytest.fixture
def watch(opened: Desk) -> Iterator[Callable[[], Told]]:
    """Begin to watch with our venue: after ccxt's own part of a test is over."""
    begun: list[Told] = []

    def begin() -> Told:
        begun.append(Told(opened))
        return begun[-1]

    yield begin
    for told in begun:
        told.stop()


async def subscribed(run: RunningExchange, client: Any) -> "asyncio.Task[Any]":
    """Watch; give the task once the exchange knows of it. A lost connection is told first."""
    watching: asyncio.Task[Any] = asyncio.ensure_future(client.watch_orders(BTC))
    async with asyncio.timeout(LIMIT_S):
        while not any("user" in names for names in run.exchange.streams().values()):
            await asyncio.sleep(0.01)
            if watching.done() and isinstance(watching.exception(), ccxt.NetworkError):
                watching = asyncio.ensure_future(client.watch_orders(BTC))
    return watching


async def last_seen(client: Any, watching: "asyncio.Task[Any]", wait_s: float) -> dict[str, Any]:
    """Follow until it is quiet; give the order as ccxt has it then, or nothing."""
    while True:
        done, _ = await asyncio.wait([watching], timeout=wait_s)
        if not done:
            watching.cancel()
            return dict(client.orders[-1]) if client.orders else {}
        watching.result()
        watching = asyncio.ensure_future(client.watch_orders(BTC))


def test_trap_the_watched_order_is_whatever_came_last(
    run: RunningExchange, watch: Callable[[], Told], opened: Desk, resting: NewOrder
) -> None:
    swap = StreamPlan(fault=StreamFault.OUT_OF_ORDER, stream="user", event="executionReport")

    async def fill_twice(name: str) -> None:
        run.exchange.arm_stream(swap)
        await asyncio.to_thread(run.exchange.fill_order, name, Decimal("0.001"))
        await asyncio.to_thread(run.exchange.fill_order, name)

    async def watched(client: Any) -> dict[str, Any]:
        watching = await subscribed(run, client)
        await limit(client)
        await watching
        watching = asyncio.ensure_future(client.watch_orders(BTC))
        await fill_twice("bare")
        return await last_seen(client, watching, 0.6)

    last = bare(run, watched)
    assert (last["status"], Decimal(last["filled"])) == ("open", Decimal("0.001"))

    told = watch()
    submit(opened, resting)
    told.until(lambda: bool(told.reports_of("wk1")))
    asyncio.run(fill_twice("wk1"))
    told.until_filled()
    submit(opened, msgspec.structs.replace(resting, client_order_id=ClientOrderId("wk2")))
    told.until(lambda: bool(told.reports_of("wk2")))  # by the same stream, so behind all of that
    told.stop()
    states = [one.state for one in told.reports_of("wk1")]
    ended = states[states.index(OrderState.FILLED) :]
    assert set(ended) == {OrderState.FILLED}, "what came late takes nothing back"


def test_trap_a_repeated_trade_is_paid_for_twice(
    run: RunningExchange, watch: Callable[[], Told], opened: Desk, resting: NewOrder
) -> None:
    twice = StreamPlan(fault=StreamFault.DUPLICATE_EVENT, stream="user", event="executionReport")

    async def watched(client: Any) -> float:
        watching = await subscribed(run, client)
        await limit(client)
        await watching
        watching = asyncio.ensure_future(client.watch_orders(BTC))
        run.exchange.arm_stream(twice)
        await asyncio.to_thread(run.exchange.fill_order, "bare")
        return float((await last_seen(client, watching, 0.6))["fee"]["cost"])

    paid = bare(run, watched, number=float)
    fee = float(run.exchange.trades()[0].fee)
    assert paid == pytest.approx(2 * fee)

    told = watch()
    submit(opened, resting)
    told.until(lambda: bool(told.reports_of("wk1")))
    run.exchange.arm_stream(twice)
    run.exchange.fill_order("wk1")
    told.until_filled()
    told.until(lambda: bool(told.fills_of("wk1")))
    assert len(told.fills_of("wk1")) == 1


@pytest.mark.parametrize(
    "fault", [StreamFault.STREAM_TERMINATED, StreamFault.STALL, StreamFault.STALL_WITH_PONGS]
)
def test_trap_a_silent_stream_never_wakes_who_waits(
    fault: StreamFault,
    run: RunningExchange,
    watch: Callable[[], Told],
    opened: Desk,
    resting: NewOrder,
) -> None:
    async def watched(client: Any) -> bool:
        watching = await subscribed(run, client)
        run.exchange.strike_streams(fault, stream="user")
        await limit(client)
        done, _ = await asyncio.wait([watching], timeout=1.0)
        watching.cancel()
        return bool(done)

    assert bare(run, watched) is False

    told = watch()
    submit(opened, resting)
    run.exchange.strike_streams(fault, stream="user")
    run.exchange.fill_order("wk1")
    told.until_filled()
    told.until(lambda: StreamPhase.STALE in told.phases())


def test_trap_nothing_is_replayed_after_a_reconnect(
    run: RunningExchange, watch: Callable[[], Told], opened: Desk, resting: NewOrder
) -> None:
    async def watched(client: Any) -> dict[str, Any]:
        watching = await subscribed(run, client)
        await limit(client)
        await watching
        run.exchange.strike_streams(StreamFault.DROP, stream="user")
        async with asyncio.timeout(LIMIT_S):
            while run.exchange.streams():  # noqa: ASYNC110 - another thread's state
                await asyncio.sleep(0.01)
        await asyncio.to_thread(run.exchange.fill_order, "bare")
        return await last_seen(client, await subscribed(run, client), 0.6)

    assert bare(run, watched)["status"] == "open"
    assert not run.exchange.orders_with("bare")[0].is_open

    told = watch()
    submit(opened, resting)
    told.until(lambda: bool(told.reports_of("wk1")))
    run.exchange.arm_stream(StreamPlan(fault=StreamFault.SUBSCRIBE_REFUSED, stream="user"))
    run.exchange.strike_streams(StreamFault.DROP, stream="user")
    told.until(lambda: StreamPhase.BACKOFF in told.phases())
    run.exchange.fill_order("wk1")
    told.until_filled()


def test_trap_one_message_that_breaks_its_handler_silences_the_stream(
    run: RunningExchange, watch: Callable[[], Told], opened: Desk, resting: NewOrder
) -> None:
    """For instance a fee in a currency without a market; ours is told and connects anew."""

    async def watched(client: Any) -> bool:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        watching = await subscribed(run, client)
        client.handle_order_update = break_down
        await limit(client)
        done, _ = await asyncio.wait([watching], timeout=1.0)
        watching.cancel()
        return bool(done)

    assert bare(run, watched) is False

    told = watch()
    opened.venue._client.handle_order_update = break_down
    submit(opened, resting)
    told.until(lambda: StreamPhase.BACKOFF in told.phases())
    reasons = [one.reason for one in told.states() if one.phase is StreamPhase.BACKOFF]
    assert "a stream message broke its handler: KeyError" in reasons[0]
    told.until(lambda: bool(told.reports_of("wk1")))


def break_down(*_: Any) -> None:
    raise KeyError("BNB")
