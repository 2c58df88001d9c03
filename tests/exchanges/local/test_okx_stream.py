"""OKX's private stream: what the unmodified ccxt.pro is told, and the frames themselves."""

import asyncio
from decimal import Decimal
from typing import Any

import aiohttp
import ccxt
import pytest

from exchanges.local.faults_streams import StreamFault
from exchanges.local.server import RunningExchange
from exchanges.local.settings import Profile
from tests.exchanges.local.okx_socket import ORDERS, login, okx_socket
from tests.exchanges.local.streaming import BTC, Live, place_now, watching

ETH = "ETH/USDT"


@pytest.fixture
def profile() -> Profile:
    return Profile.OKX


async def data_of(ws: aiohttp.ClientWebSocketResponse, number: int) -> list[Any]:
    frames = [await ws.receive_json(timeout=60) for _ in range(number)]
    return [one for frame in frames for one in frame["data"]]


@pytest.mark.slow
def test_ccxts_pings_are_answered_until_the_stream_stalls(run: RunningExchange, live: Live) -> None:
    async def story(client: Any) -> Any:
        task = await watching(run, "user", client.watch_orders(BTC))
        await asyncio.sleep(4)  # eight pings; of three that nobody answers ccxt makes an error
        assert not task.done()
        run.exchange.strike_streams(StreamFault.STALL)
        with pytest.raises(ccxt.RequestTimeout):
            await task

    live(story, streaming={"keepAlive": 500})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"apiKey": "other"}, "60005"),
        ({"secret": "other"}, "60007"),
        ({"password": "other"}, "60024"),
    ],
)
def test_ccxt_is_told_what_is_wrong_with_a_login(
    live: Live, changes: dict[str, str], code: str
) -> None:
    async def story(client: Any) -> Any:
        with pytest.raises(ccxt.AuthenticationError, match=code):
            await client.watch_orders(BTC)

    live(story, **changes)


def refused(run: RunningExchange, **changes: str) -> str:
    """Give the code with which a login is refused, once the connection has been closed."""

    async def story() -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(run.urls.ws + "/ws/v5/private") as ws,
        ):
            await ws.send_json(login(run, **changes))
            told = await ws.receive_json(timeout=60)
            return told, (await ws.receive(timeout=60)).type

    told, then = asyncio.run(story())
    assert (told["event"], then) == ("error", aiohttp.WSMsgType.CLOSE)
    return str(told["code"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"apiKey": "other"}, "60005"),
        ({"passphrase": "other"}, "60024"),
        ({"timestamp": "1e9"}, "60004"),
        ({"timestamp": "1600000000"}, "60006"),
        ({"secret": "other"}, "60007"),
        ({"sign": "ß"}, "60007"),
    ],
)
def test_who_is_not_the_account_is_told_so_and_closed(
    run: RunningExchange, changes: dict[str, str], code: str
) -> None:
    assert refused(run, **changes) == code


def test_nobody_logs_in_with_a_revoked_key_or_under_maintenance(run: RunningExchange) -> None:
    run.exchange.revoke_key()
    assert refused(run) == "60005"

    run.exchange.revoke_key(is_revoked=False)
    run.exchange.set_maintenance(is_on=True)
    assert refused(run) == "50001"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"op":"subscribe","args":[{"channel":"orders","instType":"SPOT"}]}', "60011"),
        ('{"op":"order","id":"1","args":[{"instId":"BTC-USDT"}]}', "60012"),
        ('{"op":"subscribe","args":["orders"]}', "60012"),
        ('{"op":["subscribe"],"args":7}', "60012"),
        ("[1]", "60012"),
        ("nothing", "60012"),
    ],
)
def test_what_is_no_request_is_an_error_and_the_socket_stays(
    run: RunningExchange, text: str, code: str
) -> None:
    async def story() -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(run.urls.ws + "/ws/v5/private") as ws,
        ):
            await ws.send_str(text)
            told = await ws.receive_json(timeout=60)
            await ws.send_str("ping")
            return told, await ws.receive_str(timeout=60)

    told, pong = asyncio.run(story())

    assert (told["event"], told["code"], pong) == ("error", code, "pong")


def test_there_is_no_other_channel_and_no_other_socket(run: RunningExchange) -> None:
    async def story() -> Any:
        async with okx_socket(run) as ws:
            asked = {"channel": "tickers", "instId": "BTC-USDT"}
            await ws.send_json({"op": "subscribe", "args": [asked]})
            told = await ws.receive_json(timeout=60)
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(run.urls.ws + "/ws/v5/public")
        return told["code"], caught.value.status

    assert asyncio.run(story()) == ("60018", 404)


def test_each_step_and_each_execution_is_one_event(run: RunningExchange, client: Any) -> None:
    async def story() -> Any:
        async with okx_socket(run, ORDERS) as ws:
            place_now(client, "a")
            run.exchange.fill_order("a", Decimal("0.004"))
            run.exchange.fill_order("a", Decimal("0.001"))
            client.cancel_order(None, BTC, {"clientOrderId": "a"})
            return await data_of(ws, 4)

    events = asyncio.run(story())
    one, other = run.exchange.trades()

    assert {(event["clOrdId"], event["ordId"]) for event in events} == {("a", str(one.order_id))}
    fields = ("state", "accFillSz", "tradeId", "fillSz", "fillFee", "fillFeeCcy", "execType", "fee")
    assert [tuple(event[name] for name in fields) for event in events] == [
        ("live", "0", "", "0", "0", "", "", "0"),
        (
            "partially_filled", "0.004", str(one.trade_id), "0.004", "-0.000004", "BTC", "M",
            "-0.000004",
        ),
        (
            "partially_filled", "0.005", str(other.trade_id), "0.001", "-0.000001", "BTC", "M",
            "-0.000005",
        ),
        ("canceled", "0.005", "", "0", "0", "", "", "-0.000005"),
    ]  # fmt: skip
    assert [event["avgPx"] for event in events] == ["", "50000", "50000", "50000"]
    assert events[1]["fillTime"] == events[1]["uTime"] == str(one.ts_ns // 1_000_000)
    assert [int(event["uTime"]) for event in events] == sorted(int(one["uTime"]) for one in events)


def test_one_order_that_meets_several_is_told_in_steps(run: RunningExchange, client: Any) -> None:
    """All happened before the first is told: each step shows the order as it stood then."""

    async def story() -> Any:
        async with okx_socket(run, ORDERS) as ws:
            client.create_order(BTC, "market", "sell", 5)
            return await data_of(ws, len(run.exchange.trades()) + 1)

    events = asyncio.run(story())
    sums = [Decimal(one["accFillSz"]) for one in events]
    fees = [Decimal(one["fee"]) for one in events]
    parts = [Decimal(one["fillFee"]) for one in events]

    assert len(events) > 2
    assert [one["state"] for one in events[-2:]] == ["partially_filled", "filled"]
    assert sums == sorted(set(sums))
    assert fees == [sum(parts[: at + 1]) for at in range(len(parts))]
    assert {one["execType"] for one in events[1:]} == {"T"}


def test_who_asks_for_one_market_hears_of_no_other(run: RunningExchange, client: Any) -> None:
    async def story() -> Any:
        eth = ORDERS | {"instId": "ETH-USDT"}
        async with okx_socket(run, ORDERS | {"instType": "SWAP"}, eth) as ws:
            place_now(client, "b")
            order = (ETH, "limit", "buy", 1, 2_000, {"clientOrderId": "e"})
            client.create_order(*order)
            told = await ws.receive_json(timeout=60)
            await ws.send_json({"op": "unsubscribe", "args": [eth, ORDERS | {"instType": "SWAP"}]})
            left = [(await ws.receive_json(timeout=60))["event"] for _ in range(2)]
            return told, left, run.exchange.streams()

    told, left, streams = asyncio.run(story())

    assert (told["arg"]["instId"], told["data"][0]["clOrdId"]) == ("ETH-USDT", "e")
    assert left == ["unsubscribe", "unsubscribe"]
    assert list(streams.values()) == [[]]
