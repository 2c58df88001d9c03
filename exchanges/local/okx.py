"""OKX as an `Api`: errors inside HTTP 200, placements that answer with an id, other keys.

It shares the engine with Binance's. What differs in effect: a post-only order that would take
is accepted and canceled, nothing ever expires, and a client id has 32 letters and digits.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from aiohttp import web

from exchanges.local import wire_okx as wire
from exchanges.local.calls import TRADING, ApiError, Call, Reply
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults import Fault, Plan
from exchanges.local.filters import Market
from exchanges.local.okx_market import MARKET_DATA, market_of
from exchanges.local.orders import Order, OrderKind, Placement
from exchanges.local.refusals import Reason, Refused
from exchanges.local.rest import Rest, parameters
from messages.ids import NS_PER_S
from messages.values import Side, TimeInForce

ROUTES = (
    ("GET", "/api/v5/public/time", "time"),
    ("GET", "/api/v5/public/instruments", "exchange_info"),
    ("GET", "/api/v5/market/ticker", "ticker"),
    ("GET", "/api/v5/market/books", "depth"),
    ("GET", "/api/v5/market/candles", "klines"),
    ("GET", "/api/v5/market/history-candles", "klines"),
    ("GET", "/api/v5/market/trades", "trades"),
    ("GET", "/api/v5/account/balance", "account"),
    ("GET", "/api/v5/account/config", "key_rights"),
    ("POST", "/api/v5/trade/order", "place"),
    ("POST", "/api/v5/trade/batch-orders", "place"),
    ("POST", "/api/v5/trade/cancel-order", "cancel"),
    ("POST", "/api/v5/trade/cancel-batch-orders", "cancel"),
    ("GET", "/api/v5/trade/order", "query"),
    ("GET", "/api/v5/trade/orders-pending", "open_orders"),
    ("GET", "/api/v5/trade/orders-history", "all_orders"),
    ("GET", "/api/v5/trade/fills", "my_trades"),
    ("GET", "/api/v5/trade/fills-history", "my_trades"),
)
_CLIENT_ID = re.compile(r"[a-zA-Z0-9]{0,32}", re.ASCII)
_WINDOW_NS = 30 * NS_PER_S
_KINDS = {
    "market": (OrderKind.MARKET, TimeInForce.GTC),
    "limit": (OrderKind.LIMIT, TimeInForce.GTC),
    "post_only": (OrderKind.POST_ONLY, TimeInForce.GTC),
    "ioc": (OrderKind.LIMIT, TimeInForce.IOC),
    "fok": (OrderKind.LIMIT, TimeInForce.FOK),
}
_SIDES = {side.value: side for side in Side}
_FINE = ("0", "")

Params = dict[str, str]
Outcome = tuple[Any, list[int]]


def add_routes(app: web.Application, exchange: LocalExchange) -> Rest:
    """Serve OKX's REST API from this application."""
    rest = Rest(exchange, OkxApi(exchange), _call)
    for method, path, operation in ROUTES:
        app.router.add_route(method, path, rest.handler(operation))
    return rest


def _call(request: web.Request, operation: str, body: str) -> Call:
    query = request.rel_url.raw_query_string
    params = parameters(query)
    if request.method == "POST":
        # The orders of a batch stay together; what a plan aims at is the first of them.
        params = {"body": body} | (_orders(body) or [{}])[0]
    return Call(
        operation=operation,
        params=params,
        payload=request.method + request.raw_path + body,
        headers=request.headers,
        method=request.method,
        path=request.path,
    )


def _orders(body: str) -> list[Params]:
    try:
        decoded = msgspec.json.decode(body or "{}")
    except msgspec.DecodeError:
        return []
    orders = decoded if isinstance(decoded, list) else [decoded]
    if not all(isinstance(order, dict) for order in orders):
        return []
    return [{name: str(value) for name, value in order.items()} for order in orders]


def error(status: int, code: str, message: str) -> ApiError:
    """Make an error of the whole request in OKX's words."""
    return ApiError(status, wire.envelope([], code, message), f"{code} {message}")


class OkxApi:
    """The operations of OKX on one local exchange."""

    def __init__(self, exchange: LocalExchange) -> None:
        self._exchange = exchange
        exchange.engine.cancels_post_only = True
        self._operations: dict[str, Callable[[Call, Plan | None], Outcome]] = {
            "place": self._place,
            "cancel": self._cancel,
            "query": self._query,
            "open_orders": self._open_orders,
            "all_orders": self._all_orders,
            "my_trades": self._my_trades,
            "account": self._account,
            "key_rights": self._key_rights,
        }

    def client_order_id(self, call: Call) -> str | None:
        """Give the id that the request is about; of a batch, the first."""
        return call.params.get("clOrdId") or None

    def authenticate(self, call: Call) -> None:
        """Check key, passphrase, time, and the signature over time, method, path and body."""
        if call.operation not in self._operations:
            return
        settings, headers = self._exchange.settings, call.headers
        sent = headers.get("OK-ACCESS-TIMESTAMP", "")
        if headers.get("OK-ACCESS-KEY") != settings.api_key or self._exchange.is_key_revoked:
            raise error(401, "50111", "Invalid OK-ACCESS-KEY.")
        if headers.get("OK-ACCESS-PASSPHRASE") != settings.api_password:
            raise error(401, "50105", "OK-ACCESS-PASSPHRASE incorrect.")
        if abs(self._exchange.clock.now_ns() - _parsed(sent)) > _WINDOW_NS:
            raise error(401, "50102", "Timestamp request expired.")
        digest = hmac.new(
            settings.api_secret.encode(), (sent + call.payload).encode(), hashlib.sha256
        ).digest()
        expected = base64.b64encode(digest).decode()
        if not hmac.compare_digest(expected, headers.get("OK-ACCESS-SIGN", "")):
            raise error(401, "50113", "Invalid Sign.")
        if self._exchange.is_key_restricted and call.operation in TRADING:
            raise error(403, "50120", "This API key doesn't have permission to use this function.")

    def run(self, call: Call, plan: Plan | None) -> Outcome:
        """Do what was asked."""
        try:
            operation = self._operations.get(call.operation)
            if operation is not None:
                return operation(call, plan)
            return wire.envelope(MARKET_DATA[call.operation](self._exchange, call.params)), []
        except Refused as refused:
            raise error(200, *_said(refused)) from refused

    def failure(self, plan: Plan) -> Reply:
        """Give the answer that a fault prescribes."""
        if plan.fault in (Fault.SERVER_ERROR_BEFORE, Fault.SERVER_ERROR_AFTER):
            return _page(plan.status)
        return _FAILURES.get(plan.fault, Reply())

    def closed(self) -> Reply:
        """Give the answer of an exchange under maintenance."""
        return _FAILURES[Fault.MAINTENANCE]

    # The account's operations

    def _place(self, call: Call, plan: Plan | None) -> Outcome:
        return self._each(call, lambda order: self._place_one(order, plan))

    def _cancel(self, call: Call, plan: Plan | None) -> Outcome:
        return self._each(call, lambda order: self._cancel_one(order, plan))

    def _each(self, call: Call, do: Callable[[Params], Order]) -> Outcome:
        """Do each of a batch; the envelope says whether all, some or none were refused."""
        answers, touched = [], []
        for params in _orders(call.params.get("body", "")):
            try:
                order = do(params)
                said, order_id, name = _FINE, str(order.order_id), order.client_order_id
                touched.append(order.order_id)
            except Refused as refused:
                said, order_id, name = _said(refused), "", params.get("clOrdId", "")
            now_ns = self._exchange.clock.now_ns()
            answers.append(wire.acknowledged(order_id, name, now_ns, said))
        if not answers:
            raise error(400, "50002", "JSON syntax error.")
        if not touched:
            why = f"{answers[0]['sCode']} {answers[0]['sMsg']}"
            raise ApiError(200, wire.envelope(answers, "1", "All operations failed"), why)
        return wire.envelope(answers, "0" if len(touched) == len(answers) else "2"), touched

    def _place_one(self, params: Params, plan: Plan | None) -> Order:
        market = market_of(self._exchange, params.get("instId", ""))
        order, _ = self._exchange.place(self._placement(params, market), plan)
        return order

    def _placement(self, params: Params, market: Market) -> Placement:
        name = params.get("clOrdId", "")
        if not _CLIENT_ID.fullmatch(name):
            raise Refused(Reason.BAD_CLIENT_ID)
        if params.get("ordType") not in _KINDS or params.get("side") not in _SIDES:
            raise Refused(Reason.TOO_PRECISE, "ordType or side")
        kind, tif = _KINDS[params["ordType"]]
        size, side = _decimal(params, "sz"), _SIDES[params["side"]]
        usual = "quote_ccy" if side is Side.BUY else "base_ccy"
        is_quote = kind is OrderKind.MARKET and params.get("tgtCcy", usual) == "quote_ccy"
        return Placement(
            symbol=market.symbol,
            client_order_id=name or f"o{self._exchange.engine.orders.last_id + 1}",
            side=side,
            kind=kind,
            time_in_force=tif,
            quantity=None if is_quote else size,
            quote_quantity=size if is_quote else None,
            price=None if kind is OrderKind.MARKET else _decimal(params, "px"),
        )

    def _cancel_one(self, params: Params, plan: Plan | None) -> Order:
        market = market_of(self._exchange, params.get("instId", ""))
        try:
            return self._exchange.cancel(
                market.symbol, **_either_id(params), cancel_id="user", plan=plan
            )
        except Refused as refused:
            if refused.reason is Reason.UNKNOWN_ORDER:
                raise Refused(Reason.NOT_OPEN) from refused
            raise

    def _query(self, call: Call, plan: Plan | None) -> Outcome:
        market = market_of(self._exchange, call.params.get("instId", ""))
        order = self._exchange.find(market.symbol, **_either_id(call.params), plan=plan)
        return wire.envelope([self._told(order)]), []

    def _open_orders(self, call: Call, plan: Plan | None) -> Outcome:
        name = call.params.get("instId")
        symbol = market_of(self._exchange, name).symbol if name else None
        found = self._exchange.open_orders(symbol, plan)
        return wire.envelope([self._told(order) for order in reversed(found)]), []

    def _all_orders(self, call: Call, plan: Plan | None) -> Outcome:
        symbol = market_of(self._exchange, call.params.get("instId", "")).symbol
        found = [one for one in self._exchange.orders_of(symbol, plan) if not one.is_open]
        return wire.envelope([self._told(order) for order in reversed(found[-100:])]), []

    def _my_trades(self, call: Call, plan: Plan | None) -> Outcome:
        engine, params = self._exchange.engine, call.params
        name, order_id = params.get("instId"), params.get("ordId")
        symbol = market_of(self._exchange, name).symbol if name else None
        found = [
            wire.fill(trade, engine.orders.by_id[trade.order_id], engine.markets[trade.symbol])
            for trade in self._exchange.trades(plan)
            if symbol in (None, trade.symbol) and order_id in (None, str(trade.order_id))
        ]
        return wire.envelope(found[::-1][:100]), []

    def _account(self, _call: Call, _plan: Plan | None) -> Outcome:
        now = wire.ms(self._exchange.clock.now_ns())
        details = [
            {
                "ccy": asset,
                "eq": wire.text(free + locked),
                "cashBal": wire.text(free + locked),
                "availBal": wire.text(free),
                "frozenBal": wire.text(locked),
                "ordFrozen": wire.text(locked),
                "uTime": now,
            }
            for asset, (free, locked) in self._exchange.balances().items()
        ]
        return wire.envelope([{"details": details, "totalEq": "", "uTime": now}]), []

    def _key_rights(self, _call: Call, _plan: Plan | None) -> Outcome:
        may = self._exchange
        rights = {"read_only": True, "withdraw": may.may_key_withdraw}
        rights["trade"] = not may.is_key_restricted
        return wire.envelope(
            [
                {
                    "uid": "1",
                    "mainUid": "1",
                    "acctLv": "1",
                    "posMode": "net_mode",
                    "autoLoan": False,
                    "label": "local",
                    "ip": "",
                    "perm": ",".join(name for name, has_it in rights.items() if has_it),
                }
            ]
        ), []

    def _told(self, order: Order) -> wire.Json:
        trades = self._exchange.trades_behind(order)
        return wire.queried(order, trades, self._exchange.engine.markets[order.symbol])


def _said(refused: Refused) -> tuple[str, str]:
    code, message = wire.REFUSALS[refused.reason]
    names = {"quantity": "sz", "quote_quantity": "sz", "price": "px"}
    return code, message.replace("{}", names.get(refused.parameter, refused.parameter))


def _decimal(params: Params, name: str) -> Decimal:
    try:
        number = Decimal(params.get(name, ""))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        raise Refused(Reason.TOO_PRECISE, name)
    return number


def _either_id(params: Params) -> dict[str, Any]:
    order_id = params.get("ordId", "")
    return {
        "order_id": int(order_id) if order_id.isascii() and order_id.isdigit() else None,
        "client_order_id": params.get("clOrdId"),
    }


def _parsed(moment: str) -> int:
    try:
        return int(datetime.fromisoformat(moment).timestamp() * NS_PER_S)
    except ValueError:
        return 0


def _page(status: int) -> Reply:
    return Reply(
        status=status, body=f"<html>{status}</html>", headers={"Content-Type": "text/html"}
    )


def _failed(status: int, code: str, message: str) -> Reply:
    return Reply(status=status, body=wire.envelope([], code, message))


_TIMEOUT = _failed(
    400,
    "50004",
    "Endpoint request timeout (does not mean that the request was successful or failed,"
    " please check the request result).",
)
_SYSTEM = _failed(500, "50026", "System error. Try again later.")
_BUSY = _failed(200, "50013", "Systems are busy. Please try again later.")
_FREQUENT = _failed(429, "50011", "Too Many Requests.")
_FAILURES: dict[Fault, Reply] = {
    Fault.GATEWAY_TIMEOUT_BEFORE: _page(504),
    Fault.GATEWAY_TIMEOUT_AFTER: _page(504),
    Fault.TIMEOUT_CODE_BEFORE: _TIMEOUT,
    Fault.TIMEOUT_CODE_AFTER: _TIMEOUT,
    Fault.UNEXPECTED_RESPONSE_BEFORE: _SYSTEM,
    Fault.UNEXPECTED_RESPONSE_AFTER: _SYSTEM,
    Fault.DISCONNECTED_BEFORE: _SYSTEM,
    Fault.DISCONNECTED_AFTER: _SYSTEM,
    Fault.UNKNOWN_CODE_AFTER: _failed(200, "59999", "An undocumented thing happened."),
    Fault.SERVER_BUSY: _BUSY,
    Fault.TOO_MANY_REQUESTS: _FREQUENT,
    Fault.TOO_MANY_ORDERS: _failed(200, "50061", "Too many orders."),
    Fault.IP_BANNED: _FREQUENT,
    Fault.FIREWALL: _page(403),
    Fault.KEY_REVOKED: _failed(401, "50111", "Invalid OK-ACCESS-KEY."),
    Fault.MAINTENANCE: _failed(503, "50001", "Service temporarily unavailable. Try again later."),
    Fault.CLOCK_REFUSED: _failed(401, "50102", "Timestamp request expired."),
}
