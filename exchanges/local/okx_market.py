"""OKX's market data: what anybody may ask."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from exchanges.local import wire_okx as wire
from exchanges.local.exchange import LocalExchange
from exchanges.local.filters import Market
from exchanges.local.refusals import Reason, Refused
from messages.values import Side

Params = dict[str, str]
_INTERVALS = {"1H": "1h", "2H": "2h", "4H": "4h", "6H": "6h", "12H": "12h", "1D": "1d"}


def market_of(exchange: LocalExchange, instrument_id: str) -> Market:
    """Find a market by OKX's name for it.

    Raises:
        Refused: it is not listed.
    """
    return exchange.engine.market(instrument_id.replace("-", "/"))


def _moment(params: Params, name: str, usual: int) -> int:
    text = params.get(name) or str(usual)
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise Refused(Reason.TOO_PRECISE, name)
    return int(text)


def _time(exchange: LocalExchange, _params: Params) -> list[Any]:
    return [{"ts": wire.ms(exchange.clock.now_ns())}]


def _instruments(exchange: LocalExchange, params: Params) -> list[Any]:
    if params.get("instType") != "SPOT":
        return []
    return [wire.instrument(one) for one in exchange.engine.markets.values() if one.is_listed]


def _ticker(exchange: LocalExchange, params: Params) -> list[Any]:
    with exchange.operation():
        market = market_of(exchange, params.get("instId", ""))
        player, book = exchange.players[market.symbol], exchange.engine.books[market.symbol]
        nothing, day = [(Decimal(0), Decimal(0))], player.bars.day()
        (bid, bid_size), *_ = book.levels(Side.BUY, 1) or nothing
        (ask, ask_size), *_ = book.levels(Side.SELL, 1) or nothing
        last = exchange.engine.last_prices[market.symbol]
        found = {
            "instType": "SPOT",
            "instId": wire.instrument_id(market),
            "last": wire.text(last),
            "bidPx": wire.text(bid),
            "bidSz": wire.text(bid_size),
            "askPx": wire.text(ask),
            "askSz": wire.text(ask_size),
            "ts": wire.ms(exchange.clock.now_ns()),
        }
        if day is not None:
            found |= {
                "open24h": wire.text(day.open),
                "high24h": wire.text(day.high),
                "low24h": wire.text(day.low),
                "vol24h": wire.text(day.volume),
                "volCcy24h": wire.text(day.quote_volume),
            }
        return [found]


def _books(exchange: LocalExchange, params: Params) -> list[Any]:
    size = params.get("sz", "1")
    limit = min(int(size), 400) if size.isascii() and size.isdigit() else 1
    with exchange.operation():
        market = market_of(exchange, params.get("instId", ""))
        book = exchange.engine.books[market.symbol]
        sides = {
            name: [
                [wire.text(price), wire.text(quantity), "0", "1"]
                for price, quantity in book.levels(side, limit)
            ]
            for side, name in ((Side.BUY, "bids"), (Side.SELL, "asks"))
        }
        return [sides | {"ts": wire.ms(exchange.clock.now_ns())}]


def _candles(exchange: LocalExchange, params: Params) -> list[Any]:
    """Newest first, as OKX gives them."""
    bar = params.get("bar", "1m")
    interval = _INTERVALS.get(bar.removesuffix("utc"), bar)
    size = params.get("limit", "100")
    before, after = _moment(params, "before", 0), _moment(params, "after", 2**63)
    with exchange.operation():
        market = market_of(exchange, params.get("instId", ""))
        try:
            bars = exchange.players[market.symbol].bars.of(interval)
        except KeyError:
            raise Refused(Reason.TOO_PRECISE, "bar") from None
    told = [
        wire.candle(one, is_closed=one is not bars[-1])
        for one in bars
        if before < one.open_ms < after
    ]
    return told[::-1][: min(int(size), 300) if size.isascii() and size.isdigit() else 100]


def _trades(exchange: LocalExchange, params: Params) -> list[Any]:
    with exchange.operation():
        market = market_of(exchange, params.get("instId", ""))
        recent = list(exchange.players[market.symbol].recent)[-100:]
    return [wire.public_trade(trade, market) for trade in reversed(recent)]


MARKET_DATA: dict[str, Callable[[LocalExchange, Params], list[Any]]] = {
    "time": _time,
    "exchange_info": _instruments,
    "ticker": _ticker,
    "depth": _books,
    "klines": _candles,
    "trades": _trades,
}
