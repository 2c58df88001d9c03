"""A stream's socket that is connected only when nobody wants it any more: neither used nor left."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges.ccxt_client import close_client, open_client
from exchanges.ccxt_settings import CcxtSettings
from exchanges.rate_budget import RateBudget

URL = "wss://127.0.0.1:1/ws"


class Line:
    """What stands for aiohttp's socket."""

    _conn = None

    def __init__(self) -> None:
        self._over = asyncio.Event()

    @property
    def closed(self) -> bool:
        return self._over.is_set()

    async def send_str(self, text: str) -> None:
        assert not self.closed, text

    async def receive(self) -> None:
        await self._over.wait()
        raise ConnectionError("closed")

    async def close(self) -> None:
        self._over.set()

    def exception(self) -> None:
        return None


class Story:
    """A client that lets go of its streams while one is being connected, and what comes of it."""

    def __init__(self, turns: int) -> None:
        self.lines: list[Line] = []
        self.complaints: list[str] = []
        self.left: list[str] = []
        asyncio.run(self._play(turns))

    async def _play(self, turns: int) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, what: self.complaints.append(str(what)))
        client = open_client(CcxtSettings(exchange="binance"), None, RateBudget())
        self._reached = asyncio.Event()
        socket = client.client(URL)
        socket.create_connection = self._connect
        waiting = client.watch(URL, "news", {"method": "SUBSCRIBE"}, "news")
        await self._turns(5)
        if turns:
            self._reached.set()
            await self._turns(turns)

        await client.close_ws_clients()
        self._reached.set()
        await self._turns(20)

        self.left = [str(one) for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        assert waiting.cancelled()
        del socket, waiting
        await close_client(client)

    async def _connect(self, _session: Any) -> Line:
        await self._reached.wait()
        self.lines.append(Line())
        return self.lines[-1]

    @staticmethod
    async def _turns(count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(9))
def test_a_socket_that_is_connected_as_its_client_lets_go_is_not_left_open(turns: int) -> None:
    story = Story(turns)

    assert all(line.closed for line in story.lines)
    assert story.left == []
    assert story.complaints == []
