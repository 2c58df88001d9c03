"""What is counted of a run that no cell knows: open orders over processes, ages by symbol."""

from decimal import Decimal

from messages.ids import NS_PER_S, OrderKey, Symbol, TimestampNs
from messages.orders import PriceMark
from messages.values import OrderState
from ops.run_facts import RunFacts
from tests.ops.test_order_log import KEY, update


def test_open_orders_are_those_of_processes_before_and_of_this_one() -> None:
    facts = RunFacts(lambda: 0)
    facts.begin_with([KEY, OrderKey("1" * 32)])
    assert facts.open_orders() == 2

    facts.observe(update(OrderState.ACCEPTED))
    assert facts.open_orders() == 2, "it was there already"

    facts.observe(update(OrderState.FILLED))
    assert facts.open_orders() == 1


def test_each_symbol_has_an_age_of_its_own() -> None:
    now_s = [0.0]
    facts = RunFacts(lambda: int(now_s[0] * NS_PER_S))

    def shown(symbol: str) -> None:
        facts.observe(
            PriceMark(symbol=Symbol(symbol), price=Decimal(1), ts_event_ns=TimestampNs(1))
        )

    shown("BTC/USDT")
    now_s[0] = 40.0
    shown("ETH/USDT")
    now_s[0] = 41.0

    assert facts.market_age_s() == {"BTC/USDT": 41.0, "ETH/USDT": 1.0}
