"""ccxt as it comes, and the two orders that the traps are shown with."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from exchanges.local.server import RunningExchange
from tests.exchanges.live import BTC

Story = Callable[[Any], Awaitable[Any]]


def bare(run: RunningExchange, story: Story, **config: Any) -> Any:
    """Play a story with ccxt.pro as it comes, but for the address."""
    from ccxt import pro

    async def play() -> Any:
        client = pro.binance(run.ccxt_config(enableRateLimit=False, number=str) | config)
        spot = client.exceptions["spot"]
        client.exceptions = client.deep_extend(client.exceptions, spot)
        client.timeout_on_exit = 0
        try:
            await client.load_markets()
            return await story(client)
        finally:
            await client.close()

    return asyncio.run(play())


async def limit(client: Any, name: str = "bare", **more: Any) -> Any:
    params = {"clientOrderId": name} | more
    return await client.create_order(BTC, "limit", "buy", "0.002", "50000", params)


async def market(client: Any, name: str = "bare") -> Any:
    return await client.create_order(BTC, "market", "buy", "0.002", None, {"clientOrderId": name})
