"""What is watched with ccxt.pro, and a raw socket of the account's own stream."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from exchanges.local.server import RunningExchange

BTC = "BTC/USDT"
Live = Callable[..., Any]


async def place(client: Any, name: str, price: float = 50_000, **params: Any) -> Any:
    return await client.create_order(
        BTC, "limit", "buy", 0.01, price, {"clientOrderId": name} | params
    )


def place_now(client: Any, name: str, amount: float = 0.01) -> Any:
    """The same with a client that is not of a loop."""
    return client.create_order(BTC, "limit", "buy", amount, 50_000, {"clientOrderId": name})


async def subscribed(run: RunningExchange, stream: str) -> None:
    """Wait until the exchange knows of a subscription."""
    async with asyncio.timeout(5):
        while not any(stream in names for names in run.exchange.streams().values()):  # noqa: ASYNC110 - another thread's state
            await asyncio.sleep(0.01)


async def watching(run: RunningExchange, stream: str, watch: Any) -> "asyncio.Task[Any]":
    task = asyncio.create_task(watch)
    await subscribed(run, stream)
    return task


def subscription(run: RunningExchange) -> Any:
    settings = run.exchange.settings
    params = {"apiKey": settings.api_key, "timestamp": time.time_ns() // 1_000_000}
    text = "&".join(f"{name}={value}" for name, value in sorted(params.items()))
    signature = hmac.new(settings.api_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    method = "userDataStream.subscribe.signature"
    return {"id": "1", "method": method, "params": params | {"signature": signature}}


class user_socket:  # noqa: N801 - it reads like the function that it stands for
    """A raw socket that has subscribed to the account's own stream."""

    def __init__(self, run: RunningExchange) -> None:
        self._run = run

    async def __aenter__(self) -> aiohttp.ClientWebSocketResponse:
        self._session = aiohttp.ClientSession()
        ws = await self._session.ws_connect(self._run.urls.ws + "/ws-api/v3", autoping=False)
        await ws.send_json(subscription(self._run))
        assert (await ws.receive_json(timeout=60))["result"] == {"subscriptionId": 0}
        self._ws = ws
        return ws

    async def __aexit__(self, *_: object) -> None:
        await self._ws.close()
        await self._session.close()
