"""The unmodified async ccxt client."""

import asyncio
from typing import Any

import ccxt.async_support as ccxt_async
import pytest

from exchanges.local.ccxt_config import restore_errors
from exchanges.local.server import RunningExchange

BTC = "BTC/USDT"


def test_the_async_client_trades_too(run: RunningExchange) -> None:
    async def story() -> Any:
        client = ccxt_async.binance(run.ccxt_config(enableRateLimit=False))
        restore_errors(client)
        try:
            await client.load_markets()
            orders = [
                client.create_order(BTC, "limit", "buy", 0.01, 50_000, {"clientOrderId": f"a{n}"})
                for n in range(20)
            ]
            await asyncio.gather(*orders)
            with pytest.raises(ccxt_async.InvalidOrder, match="Duplicate"):
                await client.create_order(
                    BTC, "limit", "buy", 0.01, 50_000, {"clientOrderId": "a0"}
                )
            await client.create_order(BTC, "market", "sell", 0.01)
            await client.cancel_order(None, BTC, {"origClientOrderId": "a3"})
            return await client.fetch_balance(), await client.fetch_open_orders(BTC)
        finally:
            await client.close()

    balance, still_open = asyncio.run(story())

    assert balance["USDT"]["used"] == 19 * 500
    assert sorted(one["clientOrderId"] for one in still_open) == sorted(
        f"a{n}" for n in range(20) if n != 3
    )
