"""What no well-behaved client sends, and what many do at once: refused or served, never broken."""

import asyncio
import json
import os
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges.local.binance import BinanceApi
from exchanges.local.calls import ApiError, Call, begin, serve
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults import OPERATIONS
from exchanges.local.okx import ROUTES, OkxApi
from exchanges.local.rest import parameters
from exchanges.local.server import RunningExchange
from exchanges.local.settings import Profile, Settings

BTC = "BTC/USDT"
MINUTE_NS = 60_000_000_000
EXAMPLES = 3_000 if os.environ.get("WATCHKEEPER_STRESS") else 300
LIKELY = {
    "symbol": ["BTCUSDT", "ETHUSDT", "NOPE", ""],
    "symbols": ['["BTCUSDT"]', "[", "[]"],
    "side": ["BUY", "SELL", "buy"],
    "type": ["LIMIT", "MARKET", "LIMIT_MAKER", "STOP"],
    "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    "quantity": ["0.01", "1", "1e3", "-1", "0", "NaN", "Infinity", "1e400", "٣"],
    "quoteOrderQty": ["100", "0.1", "1e-9"],
    "price": ["50000", "70000", "90000", "1e30", "x"],
    "orderId": ["1", "2", "-1", "9" * 30, "0x1"],
    "origClientOrderId": ["a", "", "é"],
    "newClientOrderId": ["a", "b", "a b", "é" * 40],
    "limit": ["1", "0", "-5", "all"],
    "startTime": ["0", "1", "now"],
    "interval": ["1m", "5m", "7m"],
    "cancelReplaceMode": ["STOP_ON_FAILURE", "ALLOW_FAILURE"],
    "instId": ["BTC-USDT", "-", "BTC-USDT-SWAP"],
    "ordId": ["1", "x", "9" * 30],
    "bar": ["1m", "1H", "8x"],
    "after": ["x", "1"],
}


def requests_like(names: dict[str, list[str]]) -> st.SearchStrategy[dict[str, str]]:
    values = {
        name: st.sampled_from(likely) | st.text(max_size=12) for name, likely in names.items()
    }
    return st.fixed_dictionaries({}, optional=values)


@pytest.fixture(scope="module")
def binance() -> LocalExchange:
    return LocalExchange(Settings(speed=0))


@pytest.fixture(scope="module")
def okx() -> LocalExchange:
    return LocalExchange(Settings(speed=0, profile=Profile.OKX))


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(operation=st.sampled_from(OPERATIONS), params=requests_like(LIKELY))
def test_no_parameters_break_binance(
    binance: LocalExchange, operation: str, params: dict[str, str]
) -> None:
    call = Call(operation=operation, params=params, payload="", headers={})
    run_and_check(binance, BinanceApi(binance), call)


OKX_ORDER = {
    "instId": ["BTC-USDT", "NO-PE"],
    "ordType": ["limit", "market", "post_only", "ioc", "fok", "rpi"],
    "side": ["buy", "sell", "hold"],
    "sz": ["0.01", "x", "-1", "1e30"],
    "px": ["50000", "90000", "0"],
    "tgtCcy": ["quote_ccy", "base_ccy"],
    "clOrdId": ["a", "b", "-", ""],
    "ordId": ["1", "x"],
}


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    operation=st.sampled_from(sorted({operation for _, _, operation in ROUTES})),
    params=requests_like(LIKELY),
    body=st.sampled_from(["", "{}", "[]", "[1]", "{", "null", '[{"instId":5}]'])
    | st.lists(requests_like(OKX_ORDER), max_size=2).map(json.dumps),
)
def test_no_parameters_break_okx(
    okx: LocalExchange, operation: str, params: dict[str, str], body: str
) -> None:
    call = Call(operation=operation, params=params | {"body": body}, payload="", headers={})
    run_and_check(okx, OkxApi(okx), call)


def run_and_check(exchange: LocalExchange, api: Any, call: Call) -> None:
    status = 200
    try:
        api.run(call, None)
    except ApiError as error:
        status = error.status
    assert 200 <= status < 500
    assert all(free >= 0 and locked >= 0 for free, locked in exchange.balances().values())


def test_unsigned_requests_never_reach_the_engine(binance: LocalExchange) -> None:
    api = BinanceApi(binance)
    for operation in ("place", "cancel", "account", "my_trades", "subscribe"):
        query = "symbol=BTCUSDT&timestamp=1&signature=0"
        call = Call(operation=operation, params=parameters(query), payload="", headers={})
        request, plan = begin(binance, api, call)
        reply = asyncio.run(serve(binance, api, call, request, plan))
        assert reply.status == 401
        assert request.ts_engine_ns is None


@pytest.mark.slow
@pytest.mark.parametrize("with_state", [False, True])
def test_many_clients_at_once_lose_and_double_nothing(
    serve: Callable[..., RunningExchange],
    connect: Callable[..., Any],
    tmp_path: Path,
    with_state: bool,
) -> None:
    run = serve(speed=60.0, state=tmp_path / "venue.db" if with_state else None)
    clients = [connect(run) for _ in range(6)]
    failures: list[BaseException] = []

    def trade(number: int) -> None:
        client = clients[number]
        client.timeout = client.options["recvWindow"] = 60_000  # whatever the machine has to do
        client.load_markets()
        try:
            for turn in range(12):
                name = {"clientOrderId": f"c{number}-{turn}"}
                if turn % 3:
                    client.create_order(BTC, "limit", "buy", 0.001, 40_000, name)
                    client.cancel_order(None, BTC, {"origClientOrderId": name["clientOrderId"]})
                else:
                    client.create_order(BTC, "market", "buy", 0.001, None, name)
        except ccxt.BaseError as error:
            failures.append(error)

    threads = [threading.Thread(target=trade, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)

    orders = run.exchange.orders()
    assert failures == []
    assert len({one.client_order_id for one in orders}) == len(orders) == 72
    assert {one.status for one in orders} == {"canceled", "filled"}
    assert run.exchange.balances()["USDT"][1] == 0
    spent = sum((one.quote for one in run.exchange.trades()), Decimal(0))
    assert run.exchange.balances()["USDT"][0] == 1_000_000 - spent


@pytest.mark.slow
def test_a_compressed_market_moves_as_fast_as_it_says(
    serve: Callable[..., RunningExchange],
) -> None:
    run = serve(speed=600.0)
    player = run.exchange.players[BTC]

    def bring_up_to_now() -> tuple[float, float, int]:
        """Give the market's minute before and after, and how much was played by then."""
        before = run.exchange.clock.market_ns() / MINUTE_NS
        run.exchange.trades()
        return before, run.exchange.clock.market_ns() / MINUTE_NS, player.played

    since, since_at_most, played_before = bring_up_to_now()
    threading.Event().wait(1.0)
    until, until_at_most, played = bring_up_to_now()

    # Beyond a speed of ten there are twelve prints in a minute; the demo leaves bars out.
    assert until_at_most - since >= 9.9
    assert (until - since_at_most) * 12 * 0.7 <= played - played_before
    assert played - played_before <= (until_at_most - since) * 12 + 20
