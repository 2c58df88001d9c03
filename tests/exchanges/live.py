"""A venue on its own loop, and servers on loopback that say whatever a test wants said."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from random import Random
from typing import Any, TypeVar

import msgspec

from exchanges.ccxt_settings import CcxtSettings
from exchanges.ccxt_venue import CcxtVenue
from exchanges.local.faults import Fault
from exchanges.protocol import NewOrder
from exchanges.venue_loop import VenueLoop
from messages.ids import NS_PER_MS, Symbol
from messages.orders import OrderReport

T = TypeVar("T")

BTC = Symbol("BTC/USDT")
LIMIT_S = 60.0
HASTE_MS = 700
HANGS = (Fault.HANG_BEFORE, Fault.HANG_AFTER)


def free(_: Any = None) -> None:
    """Stop nothing: the fence of a test that is not about fences."""


class Desk:
    """One venue and the loop it lives on; `call` waits for one coroutine."""

    def __init__(self, make: Callable[[], CcxtVenue]) -> None:
        self.problems: list[str] = []
        self.loop = VenueLoop("venue-of-a-test", self.problems.append)
        self.loop.start()
        self.venue = make()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.submit(coroutine).result(LIMIT_S)

    @contextmanager
    def within(self, limit_ms: int) -> Iterator[None]:
        """Give up each request after so long, for the time being.

        All else has the usual limit: a busy machine answers late, and that is no failure.
        """
        client = self.venue._client
        usual_ms, client.timeout = client.timeout, limit_ms
        try:
            yield
        finally:
            client.timeout = usual_ms

    def facing(self, fault: Fault) -> AbstractContextManager[None]:
        """Give up soon if the fault is that no answer ever comes, and wait as usual if not."""
        return self.within(HASTE_MS) if fault in HANGS else nullcontext()

    def close(self) -> None:
        self.call(self.venue.close())
        assert self.loop.close(LIMIT_S)


def submit(desk: Desk, order: NewOrder) -> OrderReport:
    return desk.call(desk.venue.submit(order, free))


def find(desk: Desk, order: NewOrder, sent_at_ns: int | None = None) -> OrderReport | None:
    """Ask for an order that was sent at that moment, or just now."""
    sent_ns = time.time_ns() if sent_at_ns is None else sent_at_ns
    name, ours = order.client_order_id, order.venue_order_id
    asking = desk.venue.find(name, order.symbol, sent_at_ns=sent_ns, venue_order_id=ours)
    return desk.call(asking)


@contextmanager
def desk(
    config: dict[str, Any], symbols: tuple[Symbol, ...] = (BTC,), **more: Any
) -> Iterator[Desk]:
    """Give a desk at the server that `config` leads to; it is not open yet."""
    settings: dict[str, Any] = {
        "exchange": "binance",
        "api_key": "local-key",
        "secret": "local-secret",
        "config": {k: v for k, v in config.items() if k not in ("apiKey", "secret", "timeout")},
    } | {name: more.pop(name) for name in list(more) if name in CcxtSettings.__struct_fields__}
    made = Desk(lambda: CcxtVenue(CcxtSettings(**settings), symbols, rng=Random(5), **more))
    try:
        yield made
    finally:
        made.close()


def local_config(port: int, host: str = "127.0.0.1") -> dict[str, Any]:
    """Lead ccxt's Binance to a port of this machine."""
    http, ws = f"http://{host}:{port}", f"ws://{host}:{port}"
    urls = {
        "public": f"{http}/api/v3",
        "private": f"{http}/api/v3",
        "v1": f"{http}/api/v1",
        "ws": {"spot": f"{ws}/stream/ws", "ws-api": {"spot": f"{ws}/ws-api/v3"}},
    }
    return {"sandbox": True, "urls": {"test": urls}}


# ------------------------------------------------------------------ a scripted Binance


class Asked(msgspec.Struct, frozen=True):
    """One request that arrived."""

    method: str
    path: str
    query: str


Answer = bytes | str
"""Raw bytes of a whole response, or one of the words below."""
HANG, RESET, CLOSE = "hang", "reset", "close"


def reply(status: int, body: str | bytes, headers: str = "", length: int | None = None) -> bytes:
    """Make a response; with a `length` that is not the body's, one that lies."""
    raw = body.encode() if isinstance(body, str) else body
    size = len(raw) if length is None else length
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n"
    return f"{head}{headers}\r\n".encode() + raw


MARKET = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "baseAssetPrecision": 8,
    "quoteAssetPrecision": 8,
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
    "isSpotTradingAllowed": True,
    "permissionSets": [["SPOT"]],
    "permissions": [],
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01",
            "maxPrice": "1000000",
            "tickSize": "0.01",
        },
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True},
    ],
}


def _json(value: Any) -> bytes:
    return reply(200, msgspec.json.encode(value))


def usual_answers() -> dict[str, Callable[[], Answer]]:
    """Give what opens the gate, by the last part of the path."""
    account = {"canTrade": True, "accountType": "SPOT", "balances": [], "uid": 1}
    return {
        "exchangeInfo": lambda: _json({"symbols": [MARKET], "timezone": "UTC"}),
        "time": lambda: _json({"serverTime": time.time_ns() // NS_PER_MS}),
        "account": lambda: _json(account),
        "openOrders": lambda: _json([]),
        "allOrders": lambda: _json([]),
    }


class Script:
    """Answers by the last part of the path, once given answers first; logs what arrived."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[], Answer]] = usual_answers()
        self.asked: list[Asked] = []
        self.port = 0

    def say(self, path: str, answer: Answer) -> None:
        self.answers[path] = lambda: answer

    def requests(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path.endswith("/" + path)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length")]
        body = await reader.readexactly(int(lengths[0].split(":")[1])) if lengths else b""
        path, _, query = target.partition("?")
        self.asked.append(Asked(method, path, query or body.decode()))
        answer = self.answers.get(path.rpartition("/")[2], lambda: reply(404, "{}"))()
        if answer == HANG:
            await asyncio.sleep(3600)
        if answer == RESET:
            writer.transport.abort()
        if isinstance(answer, str):
            return False
        writer.write(answer)
        await writer.drain()
        return True


@contextmanager
def scripted() -> Iterator[Script]:
    """Serve a script on a port of this machine."""
    script = Script()
    loop = VenueLoop("scripted-server")
    loop.start()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(script.serve, "127.0.0.1", 0)

    server = loop.submit(start()).result(LIMIT_S)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        loop.submit(_end(server)).result(LIMIT_S)
        loop.close(LIMIT_S)


async def _end(server: asyncio.Server) -> None:
    server.close()
    await asyncio.sleep(0)
