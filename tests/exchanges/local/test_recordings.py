"""Frames and replies have the keys and kinds of those that were recorded at Binance."""

import gzip
import json
import lzma
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchanges.local import stream_binance as stream
from exchanges.local.candles import flat_bar
from exchanges.local.depth import Diff
from exchanges.local.filters import Market
from exchanges.local.orders import PublicTrade
from exchanges.local.server import RunningExchange

MARKET = Market(symbol="BTC/USDT")
ONE, TWO = Decimal(1), Decimal(2)
TRADE = PublicTrade(
    trade_id=7, symbol="BTC/USDT", price=ONE, quantity=TWO, is_buyer_maker=True, ts_ns=0
)


def recorded_json(folder: Path, name: str, marker: str) -> Any:
    """Give the first payload with `marker` of a recording, whichever way it is packed."""
    path = folder / "l2" / name
    unpack: Any = lzma.open if path.suffix == ".xz" else gzip.open
    with unpack(path, "rt") as lines:
        line = next(line for line in lines if marker in line)
    found = json.loads(line[line.index("{") :])
    return found.get("data", found)


def outline(value: Any) -> Any:
    """A value without what it says: its keys, and of what kind each is."""
    if isinstance(value, dict):
        return {key: outline(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [outline(value[0])] if value else []
    return type(value).__name__


RECORDED = [
    (
        "cryptofeed/BINANCE.ws.1.0.xz",
        '"aggTrade"',
        lambda: stream.agg_trade(TRADE, MARKET),
    ),
    (
        "cryptofeed/BINANCE.ws.1.0.xz",
        '"kline"',
        lambda: stream.kline(flat_bar(0, Decimal(1)), MARKET, "1m", 0, is_closed=True),
    ),
    (
        "cryptofeed/BINANCE.ws.1.0.xz",
        '"b":[["0.35170000","4265.00000000"]],"a":[["0.35290000"',
        lambda: stream.depth(Diff(1, 2, {ONE: TWO}, {TWO: ONE}), MARKET, 0),
    ),
    (
        "hftbacktest/spot_btcusdt_20240808.gz",
        '"e":"trade"',
        lambda: stream.trade(TRADE, MARKET),
    ),
]


@pytest.mark.parametrize(("name", "marker", "make"), RECORDED, ids=[one[1] for one in RECORDED])
def test_frames_are_as_recorded(
    recorded: Path, name: str, marker: str, make: Callable[[], Any]
) -> None:
    assert outline(make()) == outline(recorded_json(recorded, name, marker))


def test_the_best_prices_and_the_snapshot_are_as_recorded(
    recorded: Path, run: RunningExchange, ask: Callable[..., Any]
) -> None:
    theirs = recorded_json(recorded, "cryptofeed/BINANCE.http.0.0.xz", "lastUpdateId")
    ours = ask("GET", "depth", symbol="BTCUSDT", limit=1000)[1]
    best = recorded_json(recorded, "hftbacktest/spot_btcusdt_20240808.gz", "bookTicker")

    assert outline(ours) == outline(theirs)
    assert outline(best) == dict.fromkeys("sbBaA", "str") | {"u": "int"}


def test_the_listing_has_what_the_recorded_one_has(
    recorded: Path, run: RunningExchange, ask: Callable[..., Any]
) -> None:
    theirs = recorded_json(recorded, "cryptofeed/BINANCE.0.xz", "exchangeInfo")
    ours = ask("GET", "exchangeInfo")[1]
    symbol, recorded_symbol = ours["symbols"][0], theirs["symbols"][0]

    assert set(ours) == set(theirs)
    assert set(recorded_symbol) <= set(symbol)
    for one in symbol["filters"]:
        same = [f for f in recorded_symbol["filters"] if f["filterType"] == one["filterType"]]
        assert all(outline(one) == outline(other) for other in same), one
    assert {one["filterType"] for one in symbol["filters"]} >= {
        "PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL", "PERCENT_PRICE_BY_SIDE",
        "MAX_NUM_ORDERS",
    }  # fmt: skip
