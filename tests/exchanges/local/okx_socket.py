"""A raw socket of OKX's private stream."""

import base64
import hashlib
import hmac
import time
from typing import Any

import aiohttp

from exchanges.local.server import RunningExchange

ORDERS = {"channel": "orders", "instType": "SPOT"}


def login(run: RunningExchange, secret: str = "", **changes: str) -> Any:
    settings = run.exchange.settings
    now = changes.get("timestamp", str(time.time_ns() // 1_000_000_000))
    key = (secret or settings.api_secret).encode()
    digest = hmac.new(key, f"{now}GET/users/self/verify".encode(), hashlib.sha256).digest()
    login = {
        "apiKey": settings.api_key,
        "passphrase": settings.api_password,
        "timestamp": now,
        "sign": base64.b64encode(digest).decode(),
    }
    return {"op": "login", "args": [login | changes]}


class okx_socket:  # noqa: N801 - it reads like the function that it stands for
    """A raw socket that has logged in, and subscribed to this."""

    def __init__(self, run: RunningExchange, *asked: dict[str, str]) -> None:
        self._run = run
        self._asked = list(asked)

    async def __aenter__(self) -> aiohttp.ClientWebSocketResponse:
        self._session = aiohttp.ClientSession()
        ws = await self._session.ws_connect(self._run.urls.ws + "/ws/v5/private")
        await ws.send_json(login(self._run))
        assert (await ws.receive_json(timeout=60))["event"] == "login"
        if self._asked:
            await ws.send_json({"op": "subscribe", "args": self._asked})
        for asked in self._asked:
            told = await ws.receive_json(timeout=60)
            assert (told["event"], told["arg"]) == ("subscribe", asked)
        self._ws = ws
        return ws

    async def __aexit__(self, *_: object) -> None:
        await self._ws.close()
        await self._session.close()
