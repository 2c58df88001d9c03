"""The paths of Binance spot's REST API."""

from aiohttp import web

from exchanges.local.binance import BinanceApi
from exchanges.local.binance_params import signed_text
from exchanges.local.calls import Call
from exchanges.local.exchange import LocalExchange
from exchanges.local.rest import Rest, parameters

ROUTES = (
    ("GET", "/api/v3/ping", "ping"),
    ("GET", "/api/v3/time", "time"),
    ("GET", "/api/v3/exchangeInfo", "exchange_info"),
    ("GET", "/api/v3/klines", "klines"),
    ("GET", "/api/v3/depth", "depth"),
    ("GET", "/api/v3/trades", "trades"),
    ("GET", "/api/v3/aggTrades", "agg_trades"),
    ("GET", "/api/v3/ticker/24hr", "ticker"),
    ("GET", "/api/v3/ticker/bookTicker", "book_ticker"),
    ("GET", "/api/v3/ticker/price", "price"),
    ("GET", "/api/v3/account", "account"),
    ("POST", "/api/v3/order", "place"),
    ("POST", "/api/v3/order/test", "test_order"),
    ("DELETE", "/api/v3/order", "cancel"),
    ("GET", "/api/v3/order", "query"),
    ("POST", "/api/v3/order/cancelReplace", "cancel_replace"),
    ("GET", "/api/v3/openOrders", "open_orders"),
    ("DELETE", "/api/v3/openOrders", "cancel_all"),
    ("GET", "/api/v3/allOrders", "all_orders"),
    ("GET", "/api/v3/myTrades", "my_trades"),
    ("GET", "/sapi/v1/account/apiRestrictions", "key_rights"),
    # What ccxt asks besides when it loads the markets with a key and its own settings.
    ("GET", "/sapi/v1/capital/config/getall", "coins"),
    ("GET", "/sapi/v1/margin/allPairs", "margin_pairs"),
    ("GET", "/sapi/v1/margin/isolated/allPairs", "isolated_pairs"),
    ("GET", "/fapi/v1/exchangeInfo", "futures"),
    ("GET", "/dapi/v1/exchangeInfo", "futures"),
)


def add_routes(app: web.Application, exchange: LocalExchange, api: BinanceApi) -> Rest:
    """Serve Binance's REST API from this application."""
    rest = Rest(exchange, api, _call)
    for method, path, operation in ROUTES:
        app.router.add_route(method, path, rest.handler(operation))
    return rest


def _call(request: web.Request, operation: str, body: str) -> Call:
    query = request.rel_url.raw_query_string
    return Call(
        operation=operation,
        params=parameters(body) | parameters(query),
        payload=signed_text(query, body),
        headers=request.headers,
        method=request.method,
        path=request.path,
    )
