"""What is read of a market: one name for a trade, and a volume that is one."""

from typing import Any

import pytest

pytest.importorskip("ccxt", reason="the extra `exchange` is not installed")

from exchanges import ccxt_client
from exchanges.capabilities import CAPABILITIES
from exchanges.ccxt_config import constructor_config
from exchanges.ccxt_feed_gate import stream_of
from exchanges.ccxt_market_rows import trades_of
from exchanges.ccxt_settings import CcxtSettings
from exchanges.feed_settings import Channel
from exchanges.source import SourceStats
from messages.errors import VenueRefused
from tests.exchanges.test_request_shapes import BTC, client_of

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
