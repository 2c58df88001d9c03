"""What Binance's parameters may look like, and what it says when they do not."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from exchanges.local import wire_binance as wire
from exchanges.local.calls import ApiError, Call
from exchanges.local.orders import OrderKind
from messages.ids import NS_PER_MS
from messages.values import Side, TimeInForce

_SIGNATURE = re.compile(r"(?:^|&)signature=[^&]*")
_INTEGER = re.compile(r"\d{1,19}", re.ASCII)
_ALWAYS_READ = {"symbol", "recvWindow", "timestamp", "signature", "apiKey", "returnRateLimits"}
_PLACE = {
    "side", "type", "timeInForce", "quantity", "quoteOrderQty", "price", "newClientOrderId",
    "newOrderRespType", "strategyId", "strategyType", "selfTradePreventionMode",
}  # fmt: skip
_CANCEL_REPLACE = {
    "cancelReplaceMode", "cancelOrderId", "cancelOrigClientOrderId", "cancelNewClientOrderId",
}  # fmt: skip
_READ = {
    # ccxt sends clientOrderId beside newClientOrderId over the WebSocket API.
    "place": _PLACE | {"clientOrderId"},
    "test_order": _PLACE | {"clientOrderId"},
    "cancel": {"orderId", "origClientOrderId", "newClientOrderId"},
    "cancel_replace": _PLACE | _CANCEL_REPLACE,
}
KINDS: dict[str, OrderKind] = {word: kind for kind, word in wire.TYPES.items()}
SIDES: dict[str, Side] = {side.upper(): side for side in Side}
TIMES_IN_FORCE: dict[str, TimeInForce] = {tif.upper(): tif for tif in TimeInForce}

Params = dict[str, str]


def signed_text(query: str, body: str) -> str:
    """Give what a signature covers: query and body as sent, without the signature."""
    return _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)


def error(status: int, code: int, message: str) -> ApiError:
    """Make an error in Binance's words."""
    return ApiError(status, {"code": code, "msg": message}, f"{code} {message}")


def refuse_unread(call: Call) -> None:
    """Refuse what is not played here, rather than place another order than was asked for."""
    read = _READ.get(call.operation)
    if read is None or set(call.params) <= read | _ALWAYS_READ:
        return
    known = len(set(call.params) & (read | _ALWAYS_READ))
    message = (
        f"Not all sent parameters were read; read '{known}' parameter(s)"
        f" but was sent '{len(call.params)}'."
    )
    raise error(400, -1104, message)


def required(params: dict[str, str], name: str) -> None:
    """Refuse a request without this parameter, or with an empty one (-1102)."""
    if not params.get(name):
        message = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        raise error(400, -1102, message)


def choice(
    params: dict[str, str], name: str, values: dict[str, Any], code: int, message: str
) -> Any:
    """Give what a word stands for, or refuse the word with this code."""
    required(params, name)
    if params[name] not in values:
        raise error(400, code, message)
    return values[params[name]]


def decimal(params: dict[str, str], name: str) -> Decimal | None:
    """Give a number above 0, None where none is sent; anything else is refused (-1100)."""
    if not params.get(name):
        return None
    try:
        number = Decimal(params[name])
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        legal = "^([0-9]{1,20})(\\.[0-9]{1,20})?$"
        message = f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
        raise error(400, -1100, message)
    return number


def integer(params: dict[str, str], name: str) -> int | None:
    """Give a whole number, None where none is sent; anything else is refused (-1100)."""
    if not params.get(name):
        return None
    if not _INTEGER.fullmatch(params[name]):
        message = (
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
        )
        raise error(400, -1100, message)
    return int(params[name])


def either_id(params: dict[str, str]) -> dict[str, Any]:
    """Give both ids of an order, of which one must be sent (-1102)."""
    order_id, client_order_id = integer(params, "orderId"), params.get("origClientOrderId")
    if order_id is None and not client_order_id:
        message = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise error(400, -1102, message)
    return {"order_id": order_id, "client_order_id": client_order_id}


def in_span(ts_ns: int, params: dict[str, str]) -> bool:
    """Whether a moment is within startTime and endTime, as far as they are sent."""
    start, end = integer(params, "startTime"), integer(params, "endTime")
    ts_ms = ts_ns // NS_PER_MS
    return (start is None or ts_ms >= start) and (end is None or ts_ms <= end)
