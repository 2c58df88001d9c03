"""What is read of a market: one name for a trade, and a volume that is one."""

from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges import ccxt_client
from exchanges.capabilities import CAPABILITIES, Capability
from exchanges.ccxt_config import constructor_config
from exchanges.ccxt_feed_gate import stream_of
from exchanges.ccxt_market_rows import trades_of
from exchanges.ccxt_settings import CcxtSettings
from exchanges.feed_candles import FeedCandles
from exchanges.feed_line import Line
from exchanges.feed_settings import Channel
from exchanges.source import SourceStats
from messages.errors import VenueRefused
from messages.ids import NS_PER_MS
from tests.exchanges.feed_run import LAZY, request
from tests.exchanges.test_request_shapes import BTC, asked, client_of

pytestmark = pytest.mark.slow


KUCOIN_TRADE = {
    "sequence": "1568787654360",
    "side": "buy",
    "size": "0.0053",
    "price": "9345",
    "time": 1580559434436443257,
}
KUCOIN_EVENT = KUCOIN_TRADE | {
    "symbol": "BTC-USDT",
    "time": "1580559434436443257",
    "type": "match",
    "tradeId": "5e356c4aeefabd62c62a1ece",
}
HTX_TRADE = {
    "amount": 0.0104,
    "trade-id": 102090736910,
    "ts": 1583497692182,
    "id": 10500517034273194594947,
    "price": 9096.05,
    "direction": "sell",
}
HTX_EVENT = {
    "amount": 0.0104,
    "tradeId": 102090736910,
    "ts": 1583497692182,
    "id": 10500517034273194594947,
    "price": 9096.05,
    "direction": "sell",
}
MEXC_TRADE = {
    "a": None,
    "p": "20382.7",
    "q": "0.0438",
    "T": 1678593222456,
    "m": False,
    "M": True,
}
MEXC_EVENT = {"price": "20382.70", "quantity": "0.043800", "tradeType": 1, "time": "1678593222456"}


@pytest.mark.parametrize(
    ("exchange", "by_rest", "by_stream", "parse"),
    [
        ("kucoin", KUCOIN_TRADE, KUCOIN_EVENT, "parse_trade"),
        ("htx", HTX_TRADE, HTX_EVENT, "parse_trade"),
        ("mexc", MEXC_TRADE, MEXC_EVENT, "parse_ws_trade"),
    ],
)
def test_a_trade_has_one_name_by_rest_and_by_the_stream(
    exchange: str, by_rest: dict[str, Any], by_stream: dict[str, Any], parse: str
) -> None:
    client = client_of(CAPABILITIES[exchange])
    client.options |= constructor_config(CcxtSettings(exchange=exchange), None)["options"]
    place = client.market(BTC)
    rows = [client.parse_trade(by_rest, place), getattr(client, parse)(by_stream, place)]

    first, second = trades_of(rows, BTC, SourceStats())

    assert first == second


OKX_FILL = {
    "instId": "BTC-USDT",
    "tradeId": "103",
    "px": "59000",
    "sz": "2.0",
    "side": "buy",
    "ts": "1795975980000",
}
OKX_EVENT = OKX_FILL | {"sz": "4.5", "count": "3"}
"""What one order took at one price: the fills 101, 102 and 103."""


def a_line(told: list[Any]) -> Line:
    """As while a connection lives, after history."""
    asked_for, stats = request(channels=frozenset(Channel)), SourceStats()
    minute_ns = 1_795_975_980_000 * NS_PER_MS
    candles = FeedCandles(BTC, asked_for, LAZY, stats, minute_ns, lambda: 0)
    line = Line(candles, asked_for, stats, lambda: 0)
    line.tell = told.append
    return line


def test_what_okx_streams_as_one_row_is_not_told_again_as_the_fills_that_rest_has() -> None:
    told: list[Any] = []
    line, client = a_line(told), client_of(CAPABILITIES["okx"])
    fills = [OKX_FILL | {"tradeId": name, "sz": "1.25"} for name in ("101", "102", "103", "104")]
    now_ns = 1_795_975_981_000 * NS_PER_MS

    line.stream_trades([client.parse_trade(OKX_EVENT, client.market(BTC))], now_ns)
    line.take_trades([client.parse_trade(one, client.market(BTC)) for one in fills], now_ns)

    assert [str(one.quantity) for one in told] == ["4.5", "1.25"]
    (bar,) = line.candles.builder.release(now_ns + 60_000 * NS_PER_MS)
    assert str(bar.volume) == "5.75"


@pytest.mark.parametrize("count", ["", "0", "-1", "1e9", "x", "9" * 40, None])
def test_a_row_that_says_a_senseless_number_of_trades_is_one(count: str | None) -> None:
    client = client_of(CAPABILITIES["okx"])
    row = client.parse_trade(OKX_EVENT | {"count": count}, client.market(BTC))

    (one,) = trades_of([row], BTC, SourceStats())

    assert one.folded == ()


@pytest.mark.parametrize("row", CAPABILITIES.values(), ids=lambda row: row.exchange)
def test_the_best_price_can_be_asked_for(row: Capability) -> None:
    """Before a feed is live: what ccxt refuses to ask would keep it from ever being so."""
    assert "http" in asked(row, lambda client: a_line([]).poll_tick(client, 1))


def test_gates_candles_are_streamed_with_what_was_paid_so_trades_stand_in() -> None:
    client = client_of(CAPABILITIES["gate"])
    event = {
        "t": "1606292580",
        "v": "24516.7",
        "c": "19128.1",
        "h": "19128.1",
        "l": "19128.1",
        "o": "19128.1",
        "n": "1m_BTC_USDT",
        "a": "1.281699",
    }

    assert client.parse_ohlcv(event)[5] == event["v"]
    assert stream_of(client, Channel.CANDLES) is None
    assert stream_of(client, Channel.TRADES) == "watchTrades"


def test_a_market_whose_stream_could_not_be_read_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ccxt_client, "find_spec", lambda _: None)

    ccxt_client.check_decoder("kraken")
    with pytest.raises(VenueRefused, match="mexc streams in protobuf, which is not installed"):
        ccxt_client.check_decoder("mexc")
