"""The control port: what can be done to a `LocalExchange` in process, done over HTTP.

Reading is GET with a query, doing is POST with a JSON object; the names and arguments are
those of the methods. A browser cannot be tricked into it: only loopback names are answered,
and a body that is not declared as JSON is refused.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

import msgspec
from aiohttp import web

from exchanges.local.exchange import LocalExchange
from exchanges.local.refusals import Refused

READS = (
    "armed", "balances", "catalogue", "doubled", "orders", "orders_with", "requests", "streams",
    "trades",
)  # fmt: skip
COMMANDS = (
    "advance", "arm", "arm_stream", "delist", "deposit", "disarm", "expire_order", "fill_order",
    "halt", "let_key_withdraw", "release_price", "restrict_key", "revoke_key", "set_liquidity",
    "set_maintenance", "set_max_orders", "set_minimum", "set_page", "set_price", "set_tick",
    "skew_clock", "strike_streams",
)  # fmt: skip
_LOOPBACK_NAMES = {"127.0.0.1", "localhost"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def control_app(exchange: LocalExchange) -> web.Application:
    """Make the application of the control port."""
    app = web.Application(middlewares=[_loopback_only])
    for name in READS:
        app.router.add_get(f"/{name}", _reader(exchange, name))
    for name in COMMANDS:
        app.router.add_post(f"/{name}", _doer(exchange, name))
    return app


@web.middleware
async def _loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.url.host not in _LOOPBACK_NAMES:
        return _answer({"error": "only loopback names are answered"}, 403)
    return await handler(request)


def _reader(exchange: LocalExchange, name: str) -> Handler:
    method, arguments = getattr(exchange, name), _arguments(getattr(exchange, name))

    async def handle(request: web.Request) -> web.StreamResponse:
        return _done(method, arguments, dict(request.query), is_strict=False)

    return handle


def _doer(exchange: LocalExchange, name: str) -> Handler:
    method, arguments = getattr(exchange, name), _arguments(getattr(exchange, name))

    async def handle(request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        if raw and request.content_type != "application/json":
            return _answer({"error": "the Content-Type must be application/json"}, 415)
        try:
            values = msgspec.json.decode(raw or b"{}")
        except msgspec.DecodeError as error:
            return _answer({"error": f"the body is not JSON: {error}"}, 400)
        return _done(method, arguments, values, is_strict=True)

    return handle


def _arguments(method: Callable[..., Any]) -> type[msgspec.Struct]:
    """Make a struct of a method's parameters, which then checks what comes."""
    hints = get_type_hints(method)
    fields: list[Any] = [
        (name, hints[name])
        if parameter.default is parameter.empty
        else (name, hints[name], parameter.default)
        for name, parameter in inspect.signature(method).parameters.items()
    ]
    return msgspec.defstruct(method.__name__, fields, kw_only=True, forbid_unknown_fields=True)


def _done(
    method: Callable[..., Any], arguments: type[msgspec.Struct], values: Any, *, is_strict: bool
) -> web.Response:
    try:
        checked = msgspec.convert(values, arguments, strict=is_strict)
        result = method(**msgspec.structs.asdict(checked))
    except (msgspec.ValidationError, Refused) as error:
        return _answer({"error": str(error)}, 400)
    return _answer({"result": result}, 200)


def _answer(body: Any, status: int) -> web.Response:
    text = msgspec.json.encode(body).decode()
    return web.Response(text=text, status=status, content_type="application/json")
