"""Exits of a spot account that takes fees, in a few words, for the tests of how they fit."""

from decimal import Decimal

import msgspec

from decisions.account import Flows
from decisions.risk import (
    RiskLimits,
    RiskState,
    accept,
    fit_exit,
    saw_fill,
    write_off,
)
from decisions.risk_exit import fees_in
from messages.ids import AccountId, OrderKey, StrategyId, Symbol, TimestampNs, TradeId
from messages.orders import Fill, OrderIntent
from messages.values import Instrument, Liquidity, OrderType, Side, TimeInForce

BTC = Symbol("BTC/USDT")
SPOT = RiskLimits(allow_short=False)
GRID = Instrument(
    symbol=BTC,
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    min_notional=Decimal(5),
)


def order(side: Side, quantity: Decimal | str, number: int = 0) -> OrderIntent:
    return OrderIntent(
        order_key=OrderKey(f"{number:032x}"),
        account=AccountId("a"),
        strategy_id=StrategyId("s"),
        symbol=BTC,
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(quantity),
        limit_price=None,
        reference_price=Decimal(60_000),
        decided_at_ns=TimestampNs(number),
        ts_created_ns=TimestampNs(number),
        reason="out",
    )


def traded(
    state: RiskState, side: Side, quantity: Decimal, fee: Decimal, currency: str, who: str = "s"
) -> None:
    """An order is claimed and fills at once."""
    number = state.flows.fills if state.flows else 0
    one = msgspec.structs.replace(order(side, quantity, number), strategy_id=StrategyId(who))
    accept(one, state)
    assert state.open_orders is not None
    state.open_orders.pop(one.order_key)
    fill = Fill(
        trade_id=TradeId(f"t{number}"),
        price=Decimal(60_000),
        quantity=quantity,
        fee=fee,
        fee_currency=currency,
        liquidity=Liquidity.TAKER,
        ts_event_ns=TimestampNs(number),
    )
    saw_fill(BTC, side, fill, state, one.strategy_id)


def left(state: RiskState, quantity: str, fee: str = "0.5") -> OrderIntent:
    """An exit of that, made to fit, filled, and written off as the executor does it."""
    out = fit_exit(order(Side.SELL, quantity), SPOT, state)
    traded(state, Side.SELL, out.quantity, Decimal(fee), "USDT")
    write_off(out.strategy_id, BTC, fees_in(out.reason), state)
    return out


def account() -> RiskState:
    return RiskState(open_orders={}, flows=Flows(), instruments={BTC: GRID})


def leaving(quantity: str, leaves: str, side: Side = Side.SELL) -> OrderIntent:
    return msgspec.structs.replace(order(side, quantity), leaves=Decimal(leaves))
