"""Whether the key may trade, found out without an order: an exchange checks one and places none.

The question cannot become an order. It leaves only to the path that the exchange's row names,
which is looked at where the request is handed over and once more before its first byte; and what
it asks about would, were it ever taken for real, buy nothing: it is far from the market and may
not rest.
"""

import asyncio
from decimal import ROUND_CEILING, Decimal
from typing import Any

from exchanges.capabilities import Capability
from exchanges.ccxt_call import Call, recorded
from exchanges.ccxt_gate import check_answer
from exchanges.ccxt_guard import Misrouted
from exchanges.ccxt_numbers import Unclear, number
from exchanges.ccxt_parse import off_grid, request_of
from exchanges.conditions import told_by
from exchanges.facts import MarketFacts, RightState, TradingRight
from exchanges.outcomes import Knowledge, judge_placement, refuses_the_key
from exchanges.protocol import NewOrder
from messages.errors import VenueRefused
from messages.ids import ClientOrderId, TimestampNs
from messages.values import OrderType, Side, TimeInForce

RIGHT_LIMIT_S = 5.0
"""How long an answer is waited for; then a start, or a takeover, goes on without it."""
_OF_THE_MARKET = Decimal("0.9")
"""How much of the price is bid: below the market, and within what exchanges accept as a price."""


async def ask_right(client: Any, capability: Capability, market: MarketFacts) -> TradingRight:
    """Ask once, with an order on this market that is not placed.

    Raises:
        VenueRefused: the key may not trade; the sentence says what to do.
    """
    name = capability.exchange
    if not capability.checks_orders_at:
        return TradingRight(
            RightState.NOT_ASKED,
            f"{name} is not known to check an order without placing it: the first order shows"
            " whether the key may trade",
        )
    try:
        async with asyncio.timeout(RIGHT_LIMIT_S):
            unknown = await _asked(client, capability, market)
    except TimeoutError:
        unknown = f"no answer within {RIGHT_LIMIT_S:g} s"
    if unknown:
        text = f"{name} did not tell whether the key may trade: {unknown}"
        return TradingRight(RightState.UNANSWERED, text)
    return TradingRight(
        RightState.PROVED, f"the key may trade at {name}: an order was checked, and not placed"
    )


def order_to_check(capability: Capability, market: MarketFacts, last: Decimal) -> NewOrder | None:
    """Make the smallest buy below the market that may not rest; None where there is none."""
    grid = market.instrument
    price = last * _OF_THE_MARKET // grid.price_tick * grid.price_tick
    if price <= 0:
        return None
    least = max(grid.min_quantity, grid.min_notional / price)
    order = NewOrder(
        client_order_id=ClientOrderId(f"{capability.id_prefix}right"),
        symbol=grid.symbol,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.IOC,
        quantity=(least / grid.quantity_step).to_integral_value(ROUND_CEILING) * grid.quantity_step,
        limit_price=price,
        decided_at_ns=TimestampNs(0),
    )
    return None if off_grid(order, market) else order


async def _asked(client: Any, capability: Capability, market: MarketFacts) -> str:
    """Give why it is not known; empty where the key may trade."""
    try:
        last = await _last_price(client, market)
    except Exception as error:  # noqa: BLE001 - whatever it is, the question is not put
        return f"it gave no price of {market.instrument.symbol} ({type(error).__name__})"
    order = order_to_check(capability, market, last)
    if order is None:
        return f"no small order on {market.instrument.symbol} can be made of its rules"
    *what, params = request_of(order)
    with recorded(only_to=capability.checks_orders_at) as call:
        try:
            await client.create_order(*what, params | {"test": True})
        except Exception as error:  # noqa: BLE001 - judged by its name
            return _judged(capability.exchange, call, error)
        return "" if _is_yes(call) else "its reply is not the one it documents"


async def _last_price(client: Any, market: MarketFacts) -> Decimal:
    with recorded() as call:
        ticker = await client.fetch_ticker(market.instrument.symbol)
        check_answer(call)
    last = number(ticker.get("last"))
    if last is None:
        raise Unclear("there is no last price")
    return last


def _is_yes(call: Call) -> bool:
    seen = call.response
    return seen is not None and seen.http_status == 200 and seen.is_empty_object


def _judged(name: str, call: Call, error: Exception) -> str:
    if _is_yes(call):
        return ""  # only ccxt made nothing of it: there is no order in it
    if isinstance(error, Misrouted):
        return f"this ccxt would send the question elsewhere ({error}), so it was not sent"
    evidence = call.evidence(error)
    verdict = judge_placement(evidence)
    if refuses_the_key(verdict):
        raise VenueRefused(
            f"the key may read at {name} and not trade ({told_by(evidence)}): enable spot trading"
            " for it, and only that, and see which addresses it is allowed from",
            http_status=evidence.http_status,
            code=evidence.code,
            retry_after_ms=evidence.retry_after_ms,
        ) from error
    if verdict.knowledge is Knowledge.REJECTED:
        return f"it refused the order for another reason ({verdict.reason})"
    return verdict.reason
