"""Buys of an account that could not pay for one: which of them are tried, and when."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from exchanges.ccxt_call import Call
from exchanges.ccxt_conditions import MONEY_S, ConditionKeeper
from exchanges.conditions import Standing
from exchanges.outcomes import Evidence, Knowledge, Verdict
from exchanges.protocol import NewOrder
from exchanges.rate_budget import Urgency
from messages.errors import Rejected
from messages.ids import NS_PER_S, ClientOrderId, Symbol, TimestampNs
from messages.values import OrderType, Side, TimeInForce

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")


@dataclass
class Watch:
    now_ns: int = 0

    def __call__(self) -> int:
        return self.now_ns


class Short(Call):
    """What failed because the account has too little."""

    def evidence(self, error: BaseException) -> Evidence:
        return Evidence(error="InsufficientFunds", http_status=400, code="-2010")


def order(symbol: Symbol, side: Side = Side.BUY) -> NewOrder:
    return NewOrder(
        client_order_id=ClientOrderId("c"),
        symbol=symbol,
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(1),
        limit_price=None,
        decided_at_ns=TimestampNs(1),
    )


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def keeper(watch: Watch) -> ConditionKeeper:
    """After a buy of BTC that could not be paid for."""
    made = ConditionKeeper(None, "binance", {}, Standing(), watch, lambda _: None, lambda: None)
    proved = Verdict(
        knowledge=Knowledge.REJECTED, reason="", http_status=400, code=None, retry_after_ms=None
    )
    made.refused(order(BTC), Short(Urgency.ORDER), Exception(), proved)
    return made


def test_a_buy_of_the_same_is_tried_once_a_minute(keeper: ConditionKeeper, watch: Watch) -> None:
    for _ in range(2):
        with pytest.raises(Rejected, match="insufficient_funds"):
            keeper.check(order(BTC))
        watch.now_ns += int(MONEY_S * NS_PER_S)
        keeper.check(order(BTC))


def test_one_that_is_too_large_each_time_keeps_no_other_symbol_waiting(
    keeper: ConditionKeeper,
) -> None:
    """Two that decide at the same candle: the first would be the one that is tried, for ever."""
    keeper.check(order(ETH))
    with pytest.raises(Rejected, match="insufficient_funds"):
        keeper.check(order(ETH))


def test_after_a_sale_there_may_be_money(keeper: ConditionKeeper) -> None:
    keeper.answered(order(ETH, Side.SELL), Call(Urgency.ORDER), accepted=True)

    keeper.check(order(BTC))
    with pytest.raises(Rejected, match="insufficient_funds"):
        keeper.check(order(BTC))
