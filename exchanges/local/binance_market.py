"""Binance's market data: what anybody may ask."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from exchanges.local import wire_binance as wire
from exchanges.local.binance_params import error, integer, required
from exchanges.local.candles import INTERVALS
from exchanges.local.exchange import LocalExchange
from exchanges.local.filters import Market
from exchanges.local.refusals import Reason, Refused
from messages.values import Side

Params = dict[str, str]


def listed(exchange: LocalExchange, params: Params) -> list[Market]:
    """Give the markets that `symbol` or `symbols` name, or all of them.

    Raises:
        Refused: one is not listed.
    """
    markets = {one.venue_id: one for one in exchange.engine.markets.values() if one.is_listed}
    names = [params["symbol"]] if params.get("symbol") else []
    if params.get("symbols"):
        names = [name.strip(' "') for name in params["symbols"].strip("[]").split(",")]
    if not set(names) <= set(markets):
        raise Refused(Reason.BAD_SYMBOL)
    return [markets[name] for name in names] if names else list(markets.values())


def market_of(exchange: LocalExchange, venue_id: str) -> Market:
    """Find a market by Binance's name for it.

    Raises:
        Refused: it is not listed.
    """
    for market in exchange.engine.markets.values():
        if market.venue_id == venue_id and market.is_listed:
            return market
    raise Refused(Reason.BAD_SYMBOL)


def _one(exchange: LocalExchange, params: Params) -> Market:
    required(params, "symbol")
    return listed(exchange, params)[0]


def _limit(params: Params, usual: int, most: int) -> int:
    text = params.get("limit") or str(usual)
    return min(int(text), most) if text.isascii() and text.isdigit() and int(text) else usual


def _each(
    exchange: LocalExchange, params: Params, make: Callable[[LocalExchange, Market], Any]
) -> Any:
    made = [make(exchange, market) for market in listed(exchange, params)]
    return made[0] if params.get("symbol") else made


def _ping(_exchange: LocalExchange, _params: Params) -> Any:
    return {}


def _time(exchange: LocalExchange, _params: Params) -> Any:
    return {"serverTime": wire.ms(exchange.clock.now_ns())}


def _exchange_info(exchange: LocalExchange, params: Params) -> Any:
    return {
        "timezone": "UTC",
        "serverTime": wire.ms(exchange.clock.now_ns()),
        "rateLimits": wire.RATE_LIMITS,
        "exchangeFilters": [],
        "symbols": [wire.symbol_info(market) for market in listed(exchange, params)],
    }


def _klines(exchange: LocalExchange, params: Params) -> Any:
    market = _one(exchange, params)
    interval = params.get("interval", "")
    if interval not in INTERVALS:
        raise error(400, -1120, "Invalid interval.")
    since, until = integer(params, "startTime") or 0, integer(params, "endTime") or 2**63
    limit = _limit(params, 500, 1000)
    with exchange.operation():
        bars = exchange.players[market.symbol].bars.of(interval)
    found = [bar for bar in bars if since <= bar.open_ms <= until]
    return [wire.kline(bar) for bar in (found[:limit] if since else found[-limit:])]


def depth_snapshot(exchange: LocalExchange, market: Market, limit: int) -> Any:
    """Give the book; `lastUpdateId` is that of the newest depth event it holds."""
    with exchange.operation():
        book = exchange.engine.books[market.symbol]
        return {
            "lastUpdateId": exchange.depth_update_id(market.symbol),
            "bids": wire.levels(book.levels(Side.BUY, limit)),
            "asks": wire.levels(book.levels(Side.SELL, limit)),
        }


def _depth(exchange: LocalExchange, params: Params) -> Any:
    return depth_snapshot(exchange, _one(exchange, params), _limit(params, 100, 5000))


def _trades(exchange: LocalExchange, params: Params) -> Any:
    market, limit = _one(exchange, params), _limit(params, 500, 1000)
    with exchange.operation():
        recent = list(exchange.players[market.symbol].recent)[-limit:]
    return [wire.public_trade(trade) for trade in recent]


def _agg_trades(exchange: LocalExchange, params: Params) -> Any:
    market, limit = _one(exchange, params), _limit(params, 500, 1000)
    with exchange.operation():
        recent = list(exchange.players[market.symbol].recent)[-limit:]
    return [wire.agg_trade(trade) for trade in recent]


def _best(exchange: LocalExchange, market: Market) -> dict[str, str]:
    best: dict[str, str] = {}
    for side, name in ((Side.BUY, "bid"), (Side.SELL, "ask")):
        levels = exchange.engine.books[market.symbol].levels(side, 1)
        price, quantity = levels[0] if levels else (Decimal(0), Decimal(0))
        best |= {f"{name}Price": wire.text(price), f"{name}Qty": wire.text(quantity)}
    return best


def _book_ticker(exchange: LocalExchange, params: Params) -> Any:
    def make(exchange: LocalExchange, market: Market) -> Any:
        return {"symbol": market.venue_id} | _best(exchange, market)

    with exchange.operation():
        return _each(exchange, params, make)


def _price(exchange: LocalExchange, params: Params) -> Any:
    def make(exchange: LocalExchange, market: Market) -> Any:
        price = exchange.engine.last_prices[market.symbol]
        return {"symbol": market.venue_id, "price": wire.text(price)}

    with exchange.operation():
        return _each(exchange, params, make)


def _day(exchange: LocalExchange, market: Market) -> Any:
    player = exchange.players[market.symbol]
    day = player.bars.day()
    last = exchange.engine.last_prices[market.symbol]
    zero = Decimal(0)
    opened, volume, quote = (day.open, day.volume, day.quote_volume) if day else (last, zero, zero)
    return {
        "symbol": market.venue_id,
        "priceChange": wire.text(last - opened),
        "priceChangePercent": f"{(last - opened) / opened * 100:.3f}",
        "weightedAvgPrice": wire.text(quote / volume if volume else last),
        "prevClosePrice": wire.text(opened),
        "lastPrice": wire.text(last),
        "lastQty": wire.text(player.recent[-1].quantity if player.recent else zero),
        **_best(exchange, market),
        "openPrice": wire.text(opened),
        "highPrice": wire.text(day.high if day else last),
        "lowPrice": wire.text(day.low if day else last),
        "volume": wire.text(volume),
        "quoteVolume": wire.text(quote),
        "openTime": day.open_ms if day else 0,
        "closeTime": day.close_ms if day else 0,
        "firstId": day.first_trade_id if day else -1,
        "lastId": day.last_trade_id if day else -1,
        "count": day.count if day else 0,
    }


def _ticker(exchange: LocalExchange, params: Params) -> Any:
    with exchange.operation():
        return _each(exchange, params, _day)


def _none_listed(_exchange: LocalExchange, _params: Params) -> Any:
    """There is no margin here, and a wallet of no coins that could be moved."""
    return []


def _futures(exchange: LocalExchange, _params: Params) -> Any:
    return {"timezone": "UTC", "serverTime": wire.ms(exchange.clock.now_ns()), "symbols": []}


MARKET_DATA: dict[str, Callable[[LocalExchange, Params], Any]] = {
    "ping": _ping,
    "time": _time,
    "exchange_info": _exchange_info,
    "klines": _klines,
    "depth": _depth,
    "trades": _trades,
    "agg_trades": _agg_trades,
    "ticker": _ticker,
    "book_ticker": _book_ticker,
    "price": _price,
    "coins": _none_listed,
    "margin_pairs": _none_listed,
    "isolated_pairs": _none_listed,
    "futures": _futures,
}
