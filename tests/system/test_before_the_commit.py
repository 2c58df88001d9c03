"""Not one byte of an order leaves before its claim is durable, or where it may not leave.

Real are the executor, its ledger, the gateway, ccxt and a socket; what has left is read from the
bytes on their way to the exchange, and from the exchange's own log.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from actors.live_gateway import LiveGateway
from actors.order_desk import OrderDesk
from decisions.order_keys import client_order_id
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.protocol import SEND_WITHIN_MS, NewOrder
from exchanges.rate_budget import Budget, RateBudget
from exchanges.venue_loop import VenueLoop
from messages.errors import LedgerUnavailable, NotSent
from messages.ids import NS_PER_MS, NS_PER_S, Epoch, OrderKey, TimestampNs
from messages.orders import OrderReport, SubmitDone
from messages.values import OrderState
from persistence.entries import claimed_entry
from persistence.ledger import SqliteLedger
from tests.actors.order_path import OrderPath, key_of
from tests.exchanges.conftest import _order
from tests.exchanges.live import LIMIT_S, Desk, desk, local_config

pytestmark = pytest.mark.slow

NOW = Epoch(1)
KEY = OrderKey("k1")


class Wire:
    """Leads a client to the exchange; `bytes_out` is all that the client has sent."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._writers: list[asyncio.StreamWriter] = []
        self.bytes_out = b""
        self._news = threading.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._writers += [writer, back]
        answers = asyncio.create_task(self._lead(there, writer))
        await self._lead(reader, back, is_out=True)
        await answers

    async def start(self) -> None:
        self._server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(w.wait_closed() for w in self._writers), return_exceptions=True)

    async def _lead(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_out: bool = False
    ) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65_536):
                if is_out:
                    with self._news:
                        self.bytes_out += piece
                        self._news.notify_all()
                writer.write(piece)
        writer.close()

    @property
    def has_order(self) -> bool:
        """Whether the first byte of an order has left."""
        return b"POST /api/v3/order" in self.bytes_out

    def until_order(self) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self.has_order, LIMIT_S)


@contextmanager
def wire_to(port: int) -> Iterator[Wire]:
    loop = VenueLoop("wire")
    loop.start()
    wire = Wire(port)
    loop.submit(wire.start()).result(LIMIT_S)
    try:
        yield wire
    finally:
        loop.submit(wire.stop()).result(LIMIT_S)
        loop.close(LIMIT_S)


class Executor:
    """Stands where the executor's address does."""

    def __init__(self) -> None:
        self.done: list[SubmitDone] = []
        self._news = threading.Condition()

    def tell(self, message: Any) -> None:
        if isinstance(message, SubmitDone):
            with self._news:
                self.done.append(message)
                self._news.notify_all()

    def until(self, count: int = 1) -> list[OrderReport]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.done) >= count, LIMIT_S), self.done
        return [one.report for one in self.done]


class Scene:
    """A gateway at an exchange, and what its venue has signed."""

    def __init__(self, run: RunningExchange, wire: Wire, live: Desk) -> None:
        self.run, self.wire, self.live = run, wire, live
        self.executor = Executor()
        self.on_signed: Callable[[], object] = lambda: None
        where: Any = self.executor
        self.gateway = LiveGateway(live.venue, live.loop, where, wall_ns, lambda: self.may_send())
        self.gateway.take_over(NOW)
        client = live.venue._client
        sign = client.sign

        def noted(path: str, api: Any, method: str = "GET", *more: Any) -> Any:
            if path == "order":
                self.on_signed()
            return sign(path, api, method, *more)

        client.sign = noted

    def may_send(self) -> None:
        """The lease holds."""

    def submit(self, order: NewOrder, key: OrderKey = KEY, epoch: Epoch = NOW) -> None:
        self.gateway.submit(epoch, key, order, sent_at_ns=wall_ns(), good_until_ns=None)

    def stopped(self, why: str, barred: str = "", **when: Any) -> None:
        """Submit another order, and see it stopped for that reason."""
        number = len(self.executor.done)
        self.gateway.barred = barred
        times = {"sent_at_ns": wall_ns(), "good_until_ns": None} | when
        self.gateway.submit(NOW, OrderKey(f"s{number}"), an_order(f"ws{number}"), **times)
        report = self.executor.until(number + 1)[-1]
        self.gateway.barred = ""
        assert report.state is OrderState.NOT_SENT
        assert why in report.reason

    def placed(self) -> list[str | None]:
        """By the exchange's own log, once nothing is under way any more."""
        assert self.gateway.flush(int(LIMIT_S) * NS_PER_S)
        return [one.client_order_id for one in self.run.exchange.requests(operation="place")]


def wall_ns() -> TimestampNs:
    return TimestampNs(time.time_ns())


@contextmanager
def scene_of(**more: Any) -> Iterator[Scene]:
    with (
        running_exchange(speed=0) as run,
        wire_to(int(run.urls.http.rpartition(":")[2])) as wire,
        desk(local_config(wire.port), **more) as live,
    ):
        live.call(live.venue.open())
        yield Scene(run, wire, live)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with scene_of() as scene:
        yield scene


@pytest.fixture
def buy() -> NewOrder:
    return an_order("wk1")


def an_order(name: str, quantity: str = "0.001") -> NewOrder:
    return _order(name, quantity=quantity)


# ------------------------------------------------------------ the gateway


def test_of_a_replaced_executor_nothing_leaves(scene: Scene, buy: NewOrder) -> None:
    scene.gateway.take_over(Epoch(NOW + 1))
    scene.submit(buy)

    assert scene.placed() == []
    assert scene.executor.done == []


def test_what_may_not_leave_at_the_last_moment_does_not(scene: Scene) -> None:
    """Each is looked at once the request is signed; the last executor is replaced only then."""

    def lease_over() -> None:
        raise NotSent("lease: it is over")

    def free() -> None:
        """The lease holds."""

    past_ns = wall_ns() - (SEND_WITHIN_MS + 1) * NS_PER_MS
    scene.stopped("halted: by hand", barred="by hand")
    scene.stopped("stale: it was marked as sent too long ago", sent_at_ns=past_ns)
    scene.stopped("stale: its turn to be sent came too late", good_until_ns=past_ns)
    scene.may_send = lease_over  # type: ignore[method-assign]  # planted
    scene.stopped("lease: it is over")
    scene.may_send = free  # type: ignore[method-assign]  # planted
    scene.on_signed = lambda: scene.gateway.take_over(Epoch(NOW + 1))
    scene.stopped("executor 1 was replaced by 2")

    assert scene.placed() == []


def test_the_turn_of_a_request_that_did_not_leave_is_given_back(buy: NewOrder) -> None:
    budget = Budget()
    with scene_of(budget=RateBudget(budget, monotonic_ns=lambda: 0)) as scene:  # it never fills
        level_ns = budget._level_ns
        levels: list[int] = []
        scene.on_signed = lambda: levels.append(budget._level_ns)
        scene.gateway.barred = "by hand"
        scene.submit(buy)
        assert scene.placed() == []

        assert levels[0] < level_ns
        assert budget._level_ns == level_ns


def test_of_a_group_each_leaves_or_is_refused_by_itself(scene: Scene, buy: NewOrder) -> None:
    """One cannot even be signed."""
    orders = {
        KEY: buy,
        OrderKey("k2"): an_order("wk2", "0.0000001"),
        OrderKey("k3"): an_order("wk3"),
    }
    for key, order in orders.items():
        scene.submit(order, key)
    scene.executor.until(3)

    states = {one.order_key: one.report.state for one in scene.executor.done}
    assert states == {
        KEY: OrderState.FILLED,
        OrderKey("k2"): OrderState.REJECTED,
        OrderKey("k3"): OrderState.FILLED,
    }
    assert sorted(map(str, scene.placed())) == ["wk1", "wk3"]


def test_a_loop_that_has_ended_sends_nothing(scene: Scene, buy: NewOrder) -> None:
    scene.live.call(scene.live.venue.close())
    assert scene.live.loop.close(LIMIT_S)
    scene.submit(buy)
    scene.live.loop = VenueLoop("for the end of the test")
    scene.live.loop.start()

    assert not scene.wire.has_order
    assert scene.executor.done == []


# ------------------------------------------------------------ the executor and its ledger


class SlowLedger(SqliteLedger):
    """Does something just before a claim is committed, and just after."""

    def __init__(
        self, path: Path, before: Callable[[], object], after: Callable[[], object]
    ) -> None:
        self._before, self._after = before, after
        super().__init__(path)

    def _commit(self, writes: Sequence[Any]) -> None:
        claims = any("orders" in statement and "INSERT" in statement for statement, _ in writes)
        if claims:
            self._before()
        super()._commit(writes)
        if claims:
            self._after()


def path_of(
    scene: Scene,
    folder: Path,
    before: Callable[[], object] = lambda: None,
    after: Callable[[], object] = lambda: None,
) -> OrderPath:
    """A real executor in front of the scene's exchange."""

    def gateway(executor: Any, utc_ns: Callable[[], TimestampNs]) -> LiveGateway:
        scene.gateway = LiveGateway(scene.live.venue, scene.live.loop, executor, utc_ns)
        return scene.gateway

    path = OrderPath(
        folder,
        open_ledger=lambda: SlowLedger(folder / "ledger.db", before, after),
        make_gateway=gateway,
        start_ns=time.time_ns(),
    )
    return path.start()


def intent_of(path: OrderPath) -> Any:
    return path.intent(quantity=Decimal("0.001"), reference_price=Decimal(60_000))


def disk_full() -> None:
    raise LedgerUnavailable("database or disk is full")


@pytest.mark.parametrize("is_durable", [False, True], ids=["not durable", "durable all the same"])
def test_when_a_commit_fails_nothing_leaves_whether_or_not_it_reached_the_disk(
    is_durable: bool, scene: Scene, tmp_path: Path
) -> None:
    hooks: Any = {"after": disk_full} if is_durable else {"before": disk_full}
    path = path_of(scene, tmp_path, **hooks)
    path.tell(intent_of(path))

    assert scene.placed() == []
    assert not scene.wire.has_order
    states = [entry.state for entry in path.orders().values()]
    assert states == ([OrderState.SENT] if is_durable else [])


def hand_over_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it leave, and write it down meanwhile."""
    write = OrderDesk._write

    def hasty(self: OrderDesk, steps: Any, claims: Any, notes: Any) -> Any:
        for claim in claims:
            self._submit(claimed_entry(claim, self._ctx.utc_ns()), claim.intent.ts_created_ns)
        return write(self, steps, claims, notes)

    monkeypatch.setattr(OrderDesk, "_write", hasty)
    monkeypatch.setattr(OrderDesk, "_hand_over", lambda self, claims: None)


@pytest.mark.parametrize("bug", [None, hand_over_first])
def test_a_slow_commit_is_one_order_after_it_and_none_before(
    bug: Any, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early: list[bool] = []

    def look() -> None:
        scene.gateway.flush(int(LIMIT_S) * NS_PER_S)  # what has been handed over is answered
        early.append(scene.wire.has_order)

    if bug is not None:
        bug(monkeypatch)
    path = path_of(scene, tmp_path, before=look)
    path.tell(intent_of(path))

    assert scene.placed() == [client_order_id(key_of(0))]
    assert early == [bug is not None]
    assert path.rest().order(0).state is OrderState.FILLED
