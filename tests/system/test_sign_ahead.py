"""A request is signed while its claim is flushed, and not one byte leaves before that has returned.

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

import msgspec
import pytest

pytest.importorskip("aiohttp", reason="the extra `exchange` is not installed")
pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from actors.live_gateway import LiveGateway
from actors.send_ticket import SendTicket, TicketState
from decisions.order_keys import client_order_id
from exchanges.capabilities import Capability, capability_of
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.protocol import HOLD_MS, NewOrder
from exchanges.rate_budget import Budget, RateBudget
from exchanges.venue_loop import VenueLoop
from messages.errors import LedgerUnavailable, NotSent
from messages.ids import NS_PER_MS, NS_PER_S, ClientOrderId, Epoch, OrderKey, TimestampNs
from messages.orders import OrderReport, SubmitDone
from messages.values import OrderState, OrderType
from persistence.ledger import SqliteLedger
from tests.actors.order_path import OrderPath, key_of
from tests.exchanges.conftest import _order
from tests.exchanges.live import LIMIT_S, Desk, desk, local_config

pytestmark = pytest.mark.slow

NOW = Epoch(1)
KEY = OrderKey("k1")
LONG_MS = 600_000
"""A test that does not ask how long it waits is not to be a matter of time."""


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
        self.signed: list[str] = []
        self.gateway = self.new_gateway(LONG_MS)
        client = live.venue._client
        sign = client.sign

        def noted(path: str, api: Any, method: str = "GET", *more: Any) -> Any:
            if method == "POST":
                self.signed.append(path)
            return sign(path, api, method, *more)

        client.sign = noted

    def new_gateway(self, hold_ms: int, executor: Any = None) -> LiveGateway:
        where: Any = executor or self.executor
        gateway = LiveGateway(
            self.live.venue, self.live.loop, where, wall_ns, lambda: self.may_send(), hold_ms
        )
        gateway.take_over(NOW)
        return gateway

    def may_send(self) -> None:
        """The lease holds."""

    def submit(self, order: NewOrder, key: OrderKey = KEY, epoch: Epoch = NOW) -> None:
        self.gateway.submit(epoch, key, order, sent_at_ns=wall_ns(), good_until_ns=None)

    def ticket(self, key: OrderKey = KEY) -> SendTicket:
        return self.gateway._tickets[NOW, key]

    def until_held(self, *keys: OrderKey) -> None:
        for key in keys or (KEY,):
            ticket = self.ticket(key)
            until(lambda ticket=ticket: ticket.is_waited_for)  # type: ignore[misc]

    def placed(self) -> list[str | None]:
        """By the exchange's own log, once nothing is under way any more."""
        assert self.gateway.flush(int(LIMIT_S) * NS_PER_S)
        return [one.client_order_id for one in self.run.exchange.requests(operation="place")]


class Clock:
    """The wall's, until it is stopped."""

    def __init__(self) -> None:
        self._stands_ns = 0

    def __call__(self) -> int:
        return self._stands_ns or time.time_ns()

    def stop(self, late_ms: int = 0) -> None:
        self._stands_ns = self() + late_ms * NS_PER_MS


def wall_ns() -> TimestampNs:
    return TimestampNs(time.time_ns())


def until(is_so: Callable[[], Any]) -> None:
    pause = threading.Event()
    for _ in range(int(LIMIT_S * 1_000)):
        if is_so():
            return
        pause.wait(0.001)
    raise AssertionError("it did not come")


@contextmanager
def scene_of(capability: Capability | None = None, **more: Any) -> Iterator[Scene]:
    with (
        running_exchange(speed=0) as run,
        wire_to(int(run.urls.http.rpartition(":")[2])) as wire,
        desk(local_config(wire.port), capability=capability, **more) as live,
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


def test_what_is_signed_waits_until_it_is_submitted_and_leaves_as_it_was_signed(
    buy: NewOrder,
) -> None:
    clock = Clock()
    with scene_of(utc_ns=clock) as scene:
        clock.stop()  # however long this test takes, the signature stays fresh
        with scene.gateway.prepared(NOW, [(KEY, buy)]):
            scene.until_held()
            opened_ms = wall_ns() // NS_PER_MS
            assert not scene.wire.has_order
            scene.submit(buy)
        (report,) = scene.executor.until()

        assert report.state is OrderState.FILLED
        (request,) = scene.run.exchange.requests(operation="place")
        assert int(request.params["timestamp"]) <= opened_ms
        assert scene.signed == ["order"]


@pytest.mark.parametrize("how", [LedgerUnavailable("disk full"), SystemExit(), GeneratorExit()])
def test_a_block_that_fails_lets_not_one_byte_leave_and_tells_nothing(
    how: BaseException, scene: Scene, buy: NewOrder
) -> None:
    def commit_fails() -> None:
        with scene.gateway.prepared(NOW, [(KEY, buy)]):
            scene.until_held()
            raise how

    with pytest.raises(type(how)):
        commit_fails()

    assert scene.placed() == []
    assert not scene.wire.has_order
    assert scene.executor.done == []


def test_what_was_not_submitted_when_the_block_ends_is_dropped(scene: Scene, buy: NewOrder) -> None:
    with scene.gateway.prepared(NOW, [(KEY, buy)]):
        ticket = scene.ticket()

    assert ticket.state is TicketState.VOID
    assert scene.placed() == []
    assert scene.executor.done == []


def test_a_commit_that_takes_longer_than_the_hold_is_handed_over_the_usual_way_and_once(
    scene: Scene, buy: NewOrder
) -> None:
    scene.gateway = scene.new_gateway(HOLD_MS)
    with scene.gateway.prepared(NOW, [(KEY, buy)]):
        ticket = scene.ticket()
        until(lambda: ticket.state is TicketState.VOID)
        assert not scene.wire.has_order
        scene.submit(buy)
    (report,) = scene.executor.until()

    assert report.state is OrderState.FILLED
    assert scene.placed() == ["wk1"]
    assert scene.signed == ["order", "order"]


def test_a_request_that_was_held_too_long_is_signed_anew_and_leaves_once(buy: NewOrder) -> None:
    """Its thread slept, or its machine: the exchange would refuse the old stamp, for good."""
    clock = Clock()
    with scene_of(utc_ns=clock) as scene:
        clock.stop()
        with scene.gateway.prepared(NOW, [(KEY, buy)]):
            scene.until_held()
            clock.stop(late_ms=HOLD_MS + 1)
            scene.submit(buy)
        (report,) = scene.executor.until()

        assert report.state is OrderState.FILLED
        assert scene.signed == ["order", "order"]
        assert scene.placed() == ["wk1"]


def test_the_turn_of_a_request_that_did_not_leave_is_given_back(buy: NewOrder) -> None:
    budget = Budget()
    with scene_of(budget=RateBudget(budget, monotonic_ns=lambda: 0)) as scene:  # it never fills
        level_ns = budget._level_ns
        with scene.gateway.prepared(NOW, [(KEY, buy)]):
            scene.until_held()
            assert budget._level_ns < level_ns
        assert scene.placed() == []

        assert budget._level_ns == level_ns


def test_a_replaced_executor_opens_nothing(scene: Scene, buy: NewOrder) -> None:
    with scene.gateway.prepared(NOW, [(KEY, buy)]):
        scene.until_held()
        scene.gateway.take_over(Epoch(NOW + 1))
        scene.submit(buy)

    assert scene.placed() == []
    assert {one.report.state for one in scene.executor.done} <= {OrderState.NOT_SENT}
    assert {one.epoch for one in scene.executor.done} <= {NOW}, "the present one would believe it"


def test_a_replaced_executor_prepares_nothing_for_its_successor(
    scene: Scene, buy: NewOrder
) -> None:
    with scene.gateway.prepared(NOW, [(KEY, buy)]):
        scene.until_held()
        scene.gateway.take_over(Epoch(NOW + 1))
        scene.submit(buy, epoch=Epoch(NOW + 1))
        (report,) = scene.executor.until()

    assert report.state is OrderState.FILLED
    assert scene.executor.done[0].epoch == NOW + 1
    assert scene.placed() == ["wk1"]


@pytest.mark.parametrize("why", ["halted: by hand", "lease: it is over"])
def test_what_may_not_leave_at_the_last_moment_does_not(
    why: str, scene: Scene, buy: NewOrder
) -> None:
    def may_not() -> None:
        raise NotSent(why)

    with scene.gateway.prepared(NOW, [(KEY, buy)]):
        scene.until_held()
        if why.startswith("lease"):
            scene.may_send = may_not  # type: ignore[method-assign]
        else:
            scene.gateway.barred = "by hand"
        scene.submit(buy)
    (report,) = scene.executor.until()

    assert report.state is OrderState.NOT_SENT
    assert why in report.reason
    assert scene.placed() == []


def test_what_is_submitted_is_sent_and_not_what_was_prepared(scene: Scene, buy: NewOrder) -> None:
    more = msgspec.structs.replace(buy, quantity=2 * buy.quantity)
    with scene.gateway.prepared(NOW, [(KEY, buy)]):
        scene.until_held()
        scene.submit(more)
    (report,) = scene.executor.until()

    assert report.filled_quantity == more.quantity
    assert scene.placed() == ["wk1"]


def test_of_a_group_each_leaves_or_is_refused_by_itself(scene: Scene, buy: NewOrder) -> None:
    """One cannot even be signed: that is told when it is submitted, and not before."""
    orders = {
        KEY: buy,
        OrderKey("k2"): an_order("wk2", "0.0000001"),
        OrderKey("k3"): an_order("wk3"),
    }
    with scene.gateway.prepared(NOW, orders.items()):
        scene.until_held(KEY, OrderKey("k3"))
        assert scene.executor.done == []
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


def test_where_signatures_must_arrive_in_their_order_nothing_is_signed_ahead(
    buy: NewOrder,
) -> None:
    counted = msgspec.structs.replace(capability_of("binance"), holds_signed=False)
    with scene_of(counted) as scene:
        with scene.gateway.prepared(NOW, [(KEY, buy)]):
            scene.until_held()
            assert scene.signed == []
            scene.submit(buy)
        scene.executor.until()

        assert scene.placed() == ["wk1"]


def test_a_loop_that_ends_meanwhile_sends_nothing(scene: Scene, buy: NewOrder) -> None:
    with scene.gateway.prepared(NOW, [(KEY, buy)]):
        scene.until_held()
        ticket = scene.ticket()
        scene.live.call(scene.live.venue.close())
        assert scene.live.loop.close(LIMIT_S)
        assert ticket.state is TicketState.VOID
        scene.submit(buy)
    scene.live.loop = VenueLoop("for the end of the test")
    scene.live.loop.start()

    assert not scene.wire.has_order
    assert scene.executor.done == []


def test_cancels_and_questions_do_not_wait_for_what_is_held(scene: Scene, buy: NewOrder) -> None:
    resting = msgspec.structs.replace(
        an_order("wk2"), order_type=OrderType.LIMIT, limit_price=Decimal(30_000)
    )
    scene.submit(resting, OrderKey("k2"))
    scene.executor.until()
    with scene.gateway.prepared(NOW, [(KEY, buy)]):
        scene.until_held()
        canceled = scene.live.call(scene.live.venue.cancel(ClientOrderId("wk2"), buy.symbol))
        assert canceled.state is OrderState.CANCELED
        assert scene.live.call(scene.live.venue.open_orders(buy.symbol)) == []

    assert scene.placed() == ["wk2"]


# ------------------------------------------------------------ the executor and its ledger


class SlowLedger(SqliteLedger):
    """Does something while a claim is being committed: the request is signed by then."""

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


def held(scene: Scene) -> Callable[[], None]:
    """Wait until the request is at its fence, and then until the hold is over."""

    def wait() -> None:
        (ticket,) = scene.gateway._tickets.values()
        until(lambda: ticket.is_waited_for)
        assert not scene.wire.has_order
        until(lambda: ticket.state is TicketState.VOID)
        assert not scene.wire.has_order

    return wait


def disk_full() -> None:
    raise LedgerUnavailable("database or disk is full")


@pytest.mark.parametrize("is_durable", [False, True], ids=["not durable", "durable all the same"])
def test_when_a_commit_fails_nothing_leaves_whether_or_not_it_reached_the_disk(
    is_durable: bool, scene: Scene, tmp_path: Path
) -> None:
    def fails() -> None:
        (ticket,) = scene.gateway._tickets.values()
        until(lambda: ticket.is_waited_for)
        disk_full()

    hooks = {"after": fails} if is_durable else {"before": fails}
    path = path_of(scene, tmp_path, **hooks)
    path.tell(intent_of(path))

    assert scene.placed() == []
    assert not scene.wire.has_order
    states = [entry.state for entry in path.orders().values()]
    assert states == ([OrderState.SENT] if is_durable else [])


def test_a_slow_commit_is_one_order_after_it_and_none_before(scene: Scene, tmp_path: Path) -> None:
    path = path_of(scene, tmp_path, before=held(scene))
    path.tell(intent_of(path))
    scene.wire.until_order()

    assert scene.placed() == [client_order_id(key_of(0))]
    assert path.rest().order(0).state is OrderState.FILLED


def open_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is signed leave, whatever becomes of its claim."""
    ready = SendTicket.ready

    async def eager(self: SendTicket) -> None:
        self.open(lambda: None)
        await ready(self)

    monkeypatch.setattr(SendTicket, "ready", eager)


def no_ticket_at_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign ahead, and forget that a fence stands before the wire."""

    async def passes(self: SendTicket) -> None:
        """It does not wait."""

    monkeypatch.setattr(SendTicket, "ready", passes)
    monkeypatch.setattr(SendTicket, "fence", lambda self: None)


@pytest.mark.parametrize("bug", [None, open_at_once, no_ticket_at_the_fence])
def test_a_fence_that_opens_before_the_commit_has_returned_is_seen(
    bug: Any, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early: list[bool] = []

    def look() -> None:
        (ticket,) = scene.gateway._tickets.values()
        until(lambda: scene.wire.has_order or ticket.state is TicketState.VOID)
        early.append(scene.wire.has_order)

    if bug is not None:
        bug(monkeypatch)
    path = path_of(scene, tmp_path, before=look)
    path.tell(intent_of(path))
    scene.wire.until_order()

    assert early == [bug is not None]
    assert scene.gateway.flush(int(LIMIT_S) * NS_PER_S)
