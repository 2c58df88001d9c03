"""Binance spot as an `Api`: keys, signatures, time windows, parameters and errors."""

import hashlib
import hmac
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from exchanges.local import wire_binance as wire
from exchanges.local.binance_failures import FAILURES, page
from exchanges.local.binance_market import MARKET_DATA, market_of
from exchanges.local.binance_params import (
    KINDS,
    SIDES,
    TIMES_IN_FORCE,
    choice,
    decimal,
    either_id,
    error,
    in_span,
    integer,
    refuse_unread,
    required,
)
from exchanges.local.calls import TRADING, ApiError, Call, Reply
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults import Fault, Plan
from exchanges.local.filters import Market
from exchanges.local.orders import Order, OrderKind, Placement, Trade
from exchanges.local.refusals import Reason, Refused
from messages.values import TimeInForce

SIGNED = frozenset(
    {
        "place", "test_order", "cancel", "query", "open_orders", "all_orders", "my_trades",
        "account", "cancel_replace", "cancel_all", "subscribe", "coins",
        "key_rights",
    }
)  # fmt: skip
_LONGEST_WINDOW_MS, _USUAL_WINDOW_MS, _AHEAD_MS = 60_000, 5_000, 1_000

Outcome = tuple[Any, list[int]]


class BinanceApi:
    """The operations of Binance spot on one local exchange."""

    def __init__(self, exchange: LocalExchange) -> None:
        self._exchange = exchange
        self._generated = 0
        self._operations: dict[str, Callable[[Call, Plan | None], Outcome]] = {
            "place": self._place,
            "test_order": self._test_order,
            "cancel": self._cancel,
            "cancel_all": self._cancel_all,
            "cancel_replace": self._cancel_replace,
            "query": self._query,
            "open_orders": self._open_orders,
            "all_orders": self._all_orders,
            "my_trades": self._my_trades,
            "account": self._account,
            "subscribe": self._subscribe,
            "key_rights": self._key_rights,
        }

    def client_order_id(self, call: Call) -> str | None:
        """Give the id that the request is about; a cancel's own id is not it."""
        names = ["origClientOrderId", "cancelOrigClientOrderId"]
        if call.operation in ("place", "test_order", "cancel_replace"):
            names.insert(0, "newClientOrderId")
        return next((call.params[name] for name in names if call.params.get(name)), None)

    def authenticate(self, call: Call) -> None:
        """Check key, signature, and `timestamp < now + 1000 and now - timestamp <= recvWindow`."""
        if call.operation not in SIGNED:
            return
        params, settings = call.params, self._exchange.settings
        key = params.get("apiKey") or call.headers.get("X-MBX-APIKEY", "")
        if not key:
            raise error(401, -2014, "API-key format invalid.")
        for name in ("timestamp", "signature"):
            required(params, name)
        expected = hmac.new(
            settings.api_secret.encode(), call.payload.encode(), hashlib.sha256
        ).hexdigest()
        may_not = self._exchange.is_key_restricted and call.operation in TRADING
        if key != settings.api_key or self._exchange.is_key_revoked or may_not:
            raise error(401, -2015, "Invalid API-key, IP, or permissions for action.")
        self._check_time(params)
        if not hmac.compare_digest(expected, params["signature"].lower()):
            raise error(400, -1022, "Signature for this request is not valid.")

    def run(self, call: Call, plan: Plan | None) -> Outcome:
        """Do what was asked."""
        try:
            operation = self._operations.get(call.operation)
            if operation is not None:
                refuse_unread(call)
                return operation(call, plan)
            return MARKET_DATA[call.operation](self._exchange, call.params), []
        except Refused as refused:
            raise self._refusal(refused, call) from refused

    def failure(self, plan: Plan) -> Reply:
        """Give the answer that a fault prescribes."""
        reply = FAILURES.get(plan.fault)
        if plan.fault in (Fault.SERVER_ERROR_BEFORE, Fault.SERVER_ERROR_AFTER):
            return page(plan.status, "Internal Server Error")
        if plan.fault in (Fault.TOO_MANY_REQUESTS, Fault.IP_BANNED) and reply is not None:
            return Reply(
                status=reply.status,
                body=reply.body,
                headers={"Retry-After": str(plan.retry_after_s)},
            )
        return reply or Reply()

    def closed(self) -> Reply:
        """Give the answer of an exchange under maintenance."""
        return FAILURES[Fault.MAINTENANCE]

    # The account's operations

    def _place(self, call: Call, plan: Plan | None) -> Outcome:
        params = call.params
        market = self._market(params)
        placement = self._placement(params, market)
        order, trades = self._exchange.place(placement, plan)
        return self._placed(order, trades, market, params), [order.order_id]

    def _test_order(self, call: Call, _plan: Plan | None) -> Outcome:
        """Hold an order against key and filters, and forget it: the engine never has it."""
        self._exchange.check(self._placement(call.params, self._market(call.params)))
        return {}, []

    def _placed(
        self, order: Order, trades: list[Trade], market: Market, params: dict[str, str]
    ) -> Any:
        usual = "ACK" if order.kind is OrderKind.POST_ONLY else "FULL"
        return wire.placed(order, trades, market, params.get("newOrderRespType") or usual)

    def _placement(self, params: dict[str, str], market: Market) -> Placement:
        kind = choice(params, "type", KINDS, -1116, "Invalid orderType.")
        tif = TimeInForce.GTC
        if kind is OrderKind.LIMIT:
            required(params, "timeInForce")
            tif = choice(params, "timeInForce", TIMES_IN_FORCE, -1115, "Invalid timeInForce.")
        elif params.get("timeInForce"):
            raise error(400, -1106, "Parameter 'timeInForce' sent when not required.")
        quantity, quote = decimal(params, "quantity"), decimal(params, "quoteOrderQty")
        price = decimal(params, "price")
        if kind is not OrderKind.MARKET:
            required(params, "price")
            required(params, "quantity")
        elif price is not None:
            raise error(400, -1106, "Parameter 'price' sent when not required.")
        elif (quantity is None) == (quote is None):
            raise error(
                400, -1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were"
                " empty/null!"
            )  # fmt: skip
        return Placement(
            symbol=market.symbol,
            client_order_id=params.get("newClientOrderId") or self._generate("web"),
            side=choice(params, "side", SIDES, -1117, "Invalid side."),
            kind=kind,
            time_in_force=tif,
            quantity=quantity,
            quote_quantity=quote,
            price=price,
        )

    def _cancel(self, call: Call, plan: Plan | None) -> Outcome:
        params = call.params
        market = self._market(params)
        order = self._exchange.cancel(
            market.symbol,
            **either_id(params),
            cancel_id=params.get("newClientOrderId") or self._generate("cancel"),
            plan=plan,
        )
        return wire.canceled(order, market), [order.order_id]

    def _cancel_all(self, call: Call, plan: Plan | None) -> Outcome:
        market = self._market(call.params)
        with self._exchange.operation():
            found = self._exchange.open_orders(market.symbol, plan)
            if not found:
                raise Refused(Reason.UNKNOWN_ORDER)
            for order in found:
                self._exchange.cancel(
                    market.symbol,
                    order_id=order.order_id,
                    client_order_id=None,
                    cancel_id=self._generate("cancel"),
                )
        return [wire.canceled(order, market) for order in found], [one.order_id for one in found]

    def _cancel_replace(self, call: Call, plan: Plan | None) -> Outcome:
        """Cancel, then place; with STOP_ON_FAILURE nothing is placed if the cancel fails."""
        params = call.params
        market = self._market(params)
        placement = self._placement(params, market)
        self._exchange.check(placement)
        cancel = {
            "symbol": params["symbol"],
            "orderId": params.get("cancelOrderId", ""),
            "origClientOrderId": params.get("cancelOrigClientOrderId", ""),
            "newClientOrderId": params.get("cancelNewClientOrderId", ""),
        }
        result: dict[str, Any] = {"cancelResult": "SUCCESS", "newOrderResult": "NOT_ATTEMPTED"}
        result |= {"cancelResponse": None, "newOrderResponse": None}
        touched: list[int] = []
        with self._exchange.operation():
            try:
                result["cancelResponse"], touched = self._cancel(
                    Call(operation="cancel", params=cancel, payload="", headers={}), plan
                )
            except Refused as refused:
                result |= {"cancelResult": "FAILURE", "cancelResponse": self._said(refused, call)}
            if touched or params.get("cancelReplaceMode") == "ALLOW_FAILURE":
                try:
                    order, trades = self._exchange.place(placement, plan)
                    result["newOrderResult"] = "SUCCESS"
                    result["newOrderResponse"] = self._placed(order, trades, market, params)
                    touched.append(order.order_id)
                except Refused as refused:
                    result["newOrderResult"] = "FAILURE"
                    result["newOrderResponse"] = self._said(refused, call)
        return self._both(result), touched

    def _both(self, result: dict[str, Any]) -> Any:
        outcomes = (result["cancelResult"], result["newOrderResult"])
        if outcomes == ("SUCCESS", "SUCCESS"):
            return result
        if "SUCCESS" in outcomes:
            body = {"code": -2021, "msg": "Order cancel-replace partially failed."}
            raise ApiError(409, body | {"data": result}, "-2021 partially failed")
        body = {"code": -2022, "msg": "Order cancel-replace failed."}
        raise ApiError(400, body | {"data": result}, "-2022 failed")

    def _query(self, call: Call, plan: Plan | None) -> Outcome:
        market = self._market(call.params)
        order = self._exchange.find(market.symbol, **either_id(call.params), plan=plan)
        return wire.queried(order, market), []

    def _open_orders(self, call: Call, plan: Plan | None) -> Outcome:
        symbol = self._market(call.params).symbol if call.params.get("symbol") else None
        markets = self._exchange.engine.markets
        found = self._exchange.open_orders(symbol, plan)
        return [wire.queried(order, markets[order.symbol]) for order in found], []

    def _all_orders(self, call: Call, plan: Plan | None) -> Outcome:
        params = call.params
        market = self._market(params)
        since = integer(params, "orderId") or 0
        found = [
            order
            for order in self._exchange.orders_of(market.symbol, plan)
            if order.order_id >= since and in_span(order.ts_created_ns, params)
        ]
        limit = min(integer(params, "limit") or 500, 1000)
        page = found[:limit] if since or params.get("startTime") else found[-limit:]
        return [wire.queried(order, market) for order in page], []

    def _my_trades(self, call: Call, plan: Plan | None) -> Outcome:
        params = call.params
        market = self._market(params)
        order_id, since = integer(params, "orderId"), integer(params, "fromId") or 0
        found = [
            trade
            for trade in self._exchange.trades(plan)
            if trade.symbol == market.symbol
            and trade.trade_id >= since
            and order_id in (None, trade.order_id)
            and in_span(trade.ts_ns, params)
        ]
        limit = min(integer(params, "limit") or 500, 1000)
        page = found[:limit] if since or params.get("startTime") else found[-limit:]
        return [wire.my_trade(trade, market) for trade in page], []

    def _account(self, call: Call, _plan: Plan | None) -> Outcome:
        balances = self._exchange.balances()
        omit = call.params.get("omitZeroBalances") == "true"
        market = next(iter(self._exchange.engine.markets.values()))
        rates = {"maker": market.maker_rate, "taker": market.taker_rate}
        return {
            "makerCommission": int(market.maker_rate * 10_000),
            "takerCommission": int(market.taker_rate * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {name: wire.text(rate) for name, rate in rates.items()}
            | {"buyer": wire.text(Decimal(0)), "seller": wire.text(Decimal(0))},
            "canTrade": True,
            "canWithdraw": True,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": wire.ms(self._exchange.clock.now_ns()),
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": wire.text(free), "locked": wire.text(locked)}
                for asset, (free, locked) in balances.items()
                if free or locked or not omit
            ],
            "permissions": ["SPOT"],
            "uid": 1,
        }, []

    def _key_rights(self, _call: Call, _plan: Plan | None) -> Outcome:
        return {
            "ipRestrict": False,
            "createTime": wire.ms(self._exchange.clock.now_ns()),
            "enableReading": True,
            "enableWithdrawals": self._exchange.may_key_withdraw,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": False,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableFixApiTrade": False,
            "enableFixReadOnly": False,
            "enableSpotAndMarginTrading": not self._exchange.is_key_restricted,
            "enablePortfolioMarginTrading": False,
        }, []

    def _subscribe(self, _call: Call, _plan: Plan | None) -> Outcome:
        """Only says that the account may; the socket does the rest."""
        return {}, []

    # Inside

    def _market(self, params: dict[str, str]) -> Market:
        required(params, "symbol")
        return market_of(self._exchange, params["symbol"])

    def _check_time(self, params: dict[str, str]) -> None:
        now_ms = wire.ms(self._exchange.clock.now_ns())
        sent_ms = integer(params, "timestamp") or 0
        window = decimal(params, "recvWindow") or _USUAL_WINDOW_MS
        if not 0 <= window <= _LONGEST_WINDOW_MS:
            raise error(400, -1131, "recvWindow must be less than 60000.")
        if sent_ms >= now_ms + _AHEAD_MS:
            message = "Timestamp for this request was 1000ms ahead of the server's time."
            raise error(400, -1021, message)
        if now_ms - sent_ms > window:
            raise error(400, -1021, "Timestamp for this request is outside of the recvWindow.")

    def _generate(self, prefix: str) -> str:
        self._generated += 1
        raw = f"{self._exchange.settings.seed}:{prefix}:{self._exchange.clock.now_ns()}"
        digest = hashlib.sha256(f"{raw}:{self._generated}".encode()).hexdigest()
        return f"{prefix}_{digest[:20]}"

    def _refusal(self, refused: Refused, call: Call) -> ApiError:
        said = self._said(refused, call)
        return ApiError(400, said, f"{said['code']} {said['msg']}")

    def _said(self, refused: Refused, call: Call) -> dict[str, Any]:
        code, message = wire.REFUSALS[refused.reason]
        if refused.reason is Reason.UNKNOWN_ORDER and call.operation == "query":
            code, message = -2013, "Order does not exist."
        names = {"quote_quantity": "quoteOrderQty"}
        parameter = names.get(refused.parameter, refused.parameter)
        return {"code": code, "msg": message.replace("{}", parameter)}
