"""Where the time of one live order goes: a stamp at each hand-off, from the tick to the exchange.

Orders are sent one by one by a bot that does nothing else, at an exchange in a process of its
own. It has all that a live run has, see `benchmarks.safety`. Beside them, in the same run, the
bare parts: the wake-up of a queue's reader and of a loop, a flush, a commit, and a bare
`create_order` of ccxt with the stamps that it has too.

*Write* is the moment before the system call that gives the request to the kernel; *received* is
by the exchange's own log, whose process has to wake up first.
"""

import _socket
import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar

from actors.context import Context
from actors.executor import ExecutorActor
from actors.judgement import Judge
from actors.live_gateway import LiveGateway
from benchmarks.common import (
    STANDS_S,
    Options,
    Result,
    fdatasync_us,
    median,
    percentile,
    say,
    scratch,
)
from benchmarks.common import wait_for as waits
from benchmarks.exchange import Exchange, exchange
from benchmarks.live import EveryOther, tick
from benchmarks.live_ccxt import LIMIT_S, Bare, LiveCcxt
from benchmarks.live_orders import commit_us
from benchmarks.safety import WHOLE
from messages.ids import OrderKey
from messages.orders import OrderIntent
from persistence.ledger import SqliteLedger

PAUSE_S = 0.008
"""Before each tick and each order: threads sleep and caches cool, as in a real run."""
WARM_UP = 30

LEGS = {
    "strategy": "tick told -> the strategy has it (a wake-up)",
    "intent": "shown -> its intent is told",
    "executor": "told -> the executor has it (a wake-up)",
    "judged": "looked up and judged",
    "claim": "judged -> the statement begins",
    "durable": "the statement, flushed",
    "handed over": "durable -> the gateway is called",
    "on the loop": "called -> running on the venue's loop (a wake-up)",
    "create_order": "running -> ccxt is called",
    "signed": "ccxt: checks, parameters, its turn, signature",
    "fence": "signed -> the connection is there, the fence has let it pass",
    "write": "fence -> aiohttp writes to the socket",
    "received": "written -> the exchange has read it",
}
BARE_LEGS = ("signed", "write")

Stamps = dict[str, int]


class Road:
    """The stamps of the order that is on its way; each is taken once."""

    def __init__(self) -> None:
        self.stamps: Stamps = {}

    def mark(self, name: str) -> None:
        self.stamps.setdefault(name, time.monotonic_ns())

    def begin(self, name: str) -> Stamps:
        """Begin anew, with a first stamp."""
        self.stamps = {name: time.monotonic_ns()}
        return self.stamps


ROAD = Road()


@contextmanager
def _marked_writes() -> Iterator[None]:
    """Mark the moment before a request with an order in it is given to the kernel."""

    def send(self: socket.socket, data: Any, *more: Any) -> int:
        if b"newClientOrderId" in bytes(data):
            ROAD.mark("write")
        return _socket.socket.send(self, data, *more)

    def sendmsg(self: socket.socket, buffers: Any, *more: Any) -> int:
        buffers = list(buffers)
        if any(b"newClientOrderId" in bytes(data) for data in buffers):
            ROAD.mark("write")
        return _socket.socket.sendmsg(self, buffers, *more)

    kind: Any = socket.socket
    kind.send, kind.sendmsg = send, sendmsg
    try:
        yield
    finally:
        del kind.send, kind.sendmsg


def _mark_client(client: Any) -> None:
    """Mark where a ccxt client has signed an order."""
    fetch = client.fetch

    async def marked(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        if method == "POST":
            ROAD.mark("signed")
        return await fetch(url, method, headers, body)

    client.fetch = marked


class MarkedLive(LiveCcxt):
    """The live system, and a mark where ccxt is called."""

    def __init__(self, folder: Path, venue: Exchange) -> None:
        super().__init__(folder, venue, 8192, WHOLE, wide=True)
        leaving = self.gateway.leaving

        def left(key: OrderKey) -> None:
            leaving(key)
            ROAD.mark("fence")

        self.gateway.leaving = left
        client = self.venue._client
        create = client.create_order

        async def marked(*order: Any, **more: Any) -> Any:
            ROAD.mark("create_order")
            return await create(*order, **more)

        client.create_order = marked
        _mark_client(client)


class _Marks:
    """Wraps methods of the real classes while a block runs."""

    before: ClassVar = {
        (EveryOther, "on_tick"): "strategy",
        (ExecutorActor, "_group"): "executor",
        (SqliteLedger, "_commit"): "claim",
        (LiveGateway, "submit"): "handed over",
        (LiveGateway, "_submit"): "on the loop",
    }
    after: ClassVar = {(Judge, "judge"): "judged", (SqliteLedger, "_commit"): "durable"}


@contextmanager
def _marked() -> Iterator[None]:
    places = [*_Marks.before, *_Marks.after, (Context, "tell")]
    real = {place: getattr(*place) for place in places}
    for (owner, name), method in real.items():
        setattr(owner, name, _wrapped((owner, name), method))
    try:
        yield
    finally:
        for (owner, name), method in real.items():
            setattr(owner, name, method)


def _wrapped(place: Any, method: Any) -> Any:
    before, after = _Marks.before.get(place), _Marks.after.get(place)

    def call(self: Any, *given: Any, **named: Any) -> Any:
        if before is not None:
            ROAD.mark(before)
        answer = method(self, *given, **named)
        if after is not None:
            ROAD.mark(after)
        return answer

    async def run(self: Any, *given: Any) -> Any:
        ROAD.mark("on the loop")
        await method(self, *given)

    def tell(self: Any, address: Any, message: Any) -> bool:
        if type(message) is OrderIntent:
            ROAD.mark("intent")
        return bool(method(self, address, message))

    return {"_submit": run, "tell": tell}.get(place[1], call)


# ---------------------------------------------------------------- the measurements


def run(options: Options) -> list[Result]:
    """Give the median of each leg over all orders, and those of the bare parts."""
    if find_spec("ccxt") is None or find_spec("aiohttp") is None:
        return [Result(name="order road", note="skipped: the extra `exchange` is not installed")]
    orders = options.pick(100, 600)
    with scratch(options) as folder, exchange(speed=1) as venue, _marked_writes():
        bare = asyncio.run(_bare(venue, orders // 2))[WARM_UP:]
        ours = _ours(folder, venue, orders)[WARM_UP:]
        parts = {
            "wake-up of a thread at a queue": _queue_wakes(orders // 2),
            "wake-up of a loop by call_soon_threadsafe": _loop_wakes(orders // 2),
            "fdatasync of 4 kB": fdatasync_us(folder, orders // 2),
            "INSERT and commit by sqlite3": commit_us(folder, orders // 2),
        }
    results = [_leg(name, text, ours) for name, text in LEGS.items()]
    results += [_leg(name, f"bare: -> {name}", bare) for name in BARE_LEGS]
    results += [
        _result("tick told -> write", [(one["write"] - one["told"]) / 1_000 for one in ours]),
        _result("intent told -> write", [(one["write"] - one["intent"]) / 1_000 for one in ours]),
        _result("bare create_order -> write", [(o["write"] - o["told"]) / 1_000 for o in bare]),
    ]
    return results + [_result(f"bare: {name}", spans) for name, spans in parts.items()]


def _ours(folder: Path, venue: Exchange, orders: int) -> list[Stamps]:
    found: dict[int, Stamps] = {}
    with _marked():
        system = MarkedLive(folder, venue)
        time.sleep(STANDS_S)
        try:
            for number in range(orders):
                shown = ROAD.begin("told")
                system.show(tick(2 * number))
                waits(lambda shown=shown: "strategy" in shown)  # type: ignore[misc]  # bound in each round
                time.sleep(PAUSE_S)
                event, ended = tick(2 * number + 1), system.ended()
                found[event.ts_event_ns] = ROAD.begin("told")
                system.show(event)
                waits(lambda ended=ended: system.ended() > ended)  # type: ignore[misc]  # bound in each round
                time.sleep(PAUSE_S)
        finally:
            system.stop()
    offset_ns = time.time_ns() - time.monotonic_ns()
    at = {name: decided for decided, name in system.names.items()}
    for request in venue.read("requests"):
        stamps = found.get(at.get(request["client_order_id"], 0))
        if stamps is not None and request["operation"] == "place":
            stamps["received"] = request["ts_received_ns"] - offset_ns
    say(f"order_road: {len(found)} orders")
    return list(found.values())


async def _bare(venue: Exchange, orders: int) -> list[Stamps]:
    found = []
    async with Bare(venue) as bare:
        _mark_client(bare.client)
        for _ in range(orders):
            await asyncio.sleep(2 * PAUSE_S)
            found.append(ROAD.begin("told"))
            await bare.order()
    return found


def _queue_wakes(count: int) -> list[float]:
    queue: SimpleQueue[int] = SimpleQueue()
    spans: list[float] = []

    def read() -> None:
        for _ in range(count):
            put_ns = queue.get()
            spans.append((time.monotonic_ns() - put_ns) / 1_000)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(count):
        time.sleep(PAUSE_S)
        queue.put(time.monotonic_ns())
    reader.join(LIMIT_S)
    return spans


def _loop_wakes(count: int) -> list[float]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    spans: list[float] = []

    def noted(called_ns: int) -> None:
        spans.append((time.monotonic_ns() - called_ns) / 1_000)

    for _ in range(count):
        time.sleep(PAUSE_S)
        loop.call_soon_threadsafe(partial(noted, time.monotonic_ns()))
    loop.call_soon_threadsafe(loop.stop)
    thread.join(LIMIT_S)
    loop.close()
    return spans


# ---------------------------------------------------------------- lines of the table


def _leg(name: str, text: str, all_stamps: list[Stamps]) -> Result:
    """Give the time from the stamp before this one, whichever that is."""
    return _result(text, [_span(stamps, name) for stamps in all_stamps if name in stamps])


def _span(stamps: Stamps, name: str) -> float:
    here = stamps[name]
    latest = max((at for at in stamps.values() if at < here), default=here)
    return (here - latest) / 1_000


def _result(name: str, spans: list[float]) -> Result:
    note = f"p10 {percentile(spans, 10):,.0f} us, p90 {percentile(spans, 90):,.0f} us"
    return Result(name=name, value=median(spans), unit="us", note=note)
