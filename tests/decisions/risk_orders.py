"""Orders, fills and verdicts in a few words, for the tests of the risk gate."""

from decimal import Decimal
from typing import Any

from decisions.risk import RiskLimits, RiskState, accept, follow_order, refusal, release
from messages.ids import NS_PER_S, AccountId, OrderKey, StrategyId, Symbol, TimestampNs, TradeId
from messages.orders import Fill, OrderIntent
from messages.values import Liquidity, OrderType, Side, TimeInForce

BTC = Symbol("BTC/USDT")
ETH = Symbol("ETH/USDT")
CROSS = Symbol("ETH/BTC")
BUY, SELL = Side.BUY, Side.SELL
FREE = RiskLimits()
DAY_S = 86_400


def at(second: float) -> TimestampNs:
    return TimestampNs(int(second * NS_PER_S))


def intent(
    quantity: str = "1",
    side: Side = Side.BUY,
    price: str = "100",
    limit_price: str | None = None,
    second: float = 0,
    symbol: Symbol = BTC,
    key: str = "k",
) -> OrderIntent:
    return OrderIntent(
        order_key=OrderKey(key),
        account=AccountId("main"),
        strategy_id=StrategyId("one"),
        symbol=symbol,
        side=side,
        order_type=OrderType.MARKET if limit_price is None else OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(quantity),
        limit_price=None if limit_price is None else Decimal(limit_price),
        reference_price=Decimal(price),
        decided_at_ns=at(second),
        ts_created_ns=TimestampNs(0),
        reason="",
    )


def code(
    order: OrderIntent,
    limits: RiskLimits = FREE,
    state: RiskState | None = None,
    mark: str | None = None,
) -> str | None:
    mark_price = None if mark is None else Decimal(mark)
    against = refusal(order, limits, state or RiskState(), mark_price)
    return None if against is None else against.code


def text(
    order: OrderIntent,
    limits: RiskLimits,
    state: RiskState | None = None,
    mark: str | None = None,
) -> str:
    mark_price = None if mark is None else Decimal(mark)
    against = refusal(order, limits, state or RiskState(), mark_price)
    assert against is not None
    return against.text


def holding(quantity: str, symbol: Symbol = BTC) -> RiskState:
    return RiskState(exposure={symbol: Decimal(quantity)}, open_orders={})


def opened(*orders: OrderIntent, state: RiskState | None = None) -> RiskState:
    """A state that has let these orders through and seen nothing of them since."""
    state = state or RiskState(open_orders={})
    for order in orders:
        accept(order, state)
    return state


def filled_by(order: OrderIntent, quantity: str, state: RiskState) -> None:
    """The order fills up to this quantity, as its ledger row would say."""
    unfilled = order.quantity - Decimal(quantity)
    key, owner = order.order_key, order.strategy_id
    follow_order(key, order.symbol, order.side, unfilled, state, owner)


def canceled(order: OrderIntent, state: RiskState, filled: str = "0") -> None:
    release(order.symbol, order.side, order.quantity - Decimal(filled), state)
    follow_order(order.order_key, order.symbol, order.side, Decimal(0), state)


def fill(
    quantity: str, price: str, second: float = 0, fee: str = "0", currency: str = "USDT"
) -> Fill:
    return Fill(
        trade_id=TradeId("t"),
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_currency=currency,
        liquidity=Liquidity.TAKER,
        ts_event_ns=at(second),
    )


def only(name: str, value: Any) -> RiskLimits:
    """This one limit."""
    return RiskLimits(**{name: value})
