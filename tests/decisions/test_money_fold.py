"""What earlier processes executed and what this one is told are two parts of one sum."""

from collections.abc import Callable
from decimal import Decimal
from itertools import permutations

import msgspec
import pytest

from decisions.money_fold import ENDED_KEPT, Earlier, MoneyFold, earlier_of
from messages.ids import OrderKey, Symbol, TradeId
from messages.orders import Fill
from messages.values import OrderState, Side
from tests.decisions.test_metrics import fill, update

BTC = Symbol("BTC/USDT")
OLD = OrderKey("old")


def execution(trade: str, price: str, quantity: str = "1", **more: str) -> Fill:
    changes = {name: Decimal(v) if name == "fee" else v for name, v in more.items()}
    made = msgspec.structs.replace(fill(price), trade_id=TradeId(trade), **changes)
    return msgspec.structs.replace(made, quantity=Decimal(quantity))


def earlier(*fills: Fill, told_again: bool = False) -> Earlier:
    walked = ((OLD, BTC, Side.BUY, one) for one in fills)
    return earlier_of(walked, {OLD} if told_again else set())


@pytest.mark.parametrize("arrives", range(3))
def test_an_old_position_that_is_sold_is_flat_whenever_it_becomes_known(arrives: int) -> None:
    money = MoneyFold()
    money.expect()
    sold = execution("t2", "110", fee="0.2")
    steps: list[Callable[[], None]] = [
        lambda: money.order(update(OrderState.FILLED, "new", side=Side.SELL, fills=(sold,))),
        lambda: money.mark(BTC, Decimal(120)),
    ]
    steps.insert(arrives, lambda: money.offer(earlier(execution("t1", "100", fee="0.1"))))
    for step in steps:
        assert not (money.is_pending and money.portfolio.holdings)
        step()
    money.take_up()

    held = money.portfolio.holdings[BTC]
    assert not held.quantity
    assert (held.fees, held.profit) == (Decimal("0.3"), Decimal("9.7"))
    assert money.portfolio.equity("USDT") == Decimal("9.7")
    assert money.since_start("USDT") == Decimal("9.8")
    assert money.is_whole


@pytest.mark.parametrize("is_expected", [False, True])
def test_a_price_that_was_told_before_the_first_execution_values_it(*, is_expected: bool) -> None:
    """So does a batch of a recording: its last price is told, and then what was filled in it."""
    money = MoneyFold()
    if is_expected:
        money.expect()
        money.offer(earlier())

    money.mark(BTC, Decimal(150))
    money.order(update(OrderState.FILLED, "new", fills=(execution("t1", "100", fee="0.1"),)))

    assert money.portfolio.holdings[BTC].mark_price == 150
    assert money.portfolio.equity("USDT") == money.since_start("USDT") == Decimal("49.9")


def test_a_fee_in_base_currency_is_out_of_the_position_before_and_after() -> None:
    bought = execution("t1", "100", "1", fee="0.001", fee_currency="BTC")
    money = MoneyFold()
    money.offer(earlier(bought))
    sold = execution("t2", "100", "0.999", fee="0.05")

    money.order(update(OrderState.FILLED, "new", side=Side.SELL, fills=(sold,)))

    held = money.portfolio.holdings[BTC]
    assert not held.quantity
    assert held.realized == Decimal("-0.15")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_execution_that_is_told_again_counts_once(order: tuple[int, ...]) -> None:
    """An order that was open at the restart: its lookup tells of all of its executions."""
    first, second = execution("t1", "100"), execution("t2", "101")
    money = MoneyFold()
    money.expect()
    told: list[Callable[[], None]] = [
        lambda: money.offer(earlier(first, told_again=True)),
        lambda: money.order(update(OrderState.FILLED, "old", fills=(first, second))),
        lambda: money.order(update(OrderState.FILLED, "old", fills=(second,))),
    ]
    for one in order:
        told[one]()
    money.take_up()

    assert money.portfolio.holdings[BTC].quantity == 2
    assert money.executions == 1


def test_the_same_trade_id_of_another_order_is_another_execution() -> None:
    money = MoneyFold()
    money.offer(earlier(execution("t1", "100"), told_again=True))

    money.order(update(OrderState.FILLED, "new", fills=(execution("t1", "100"),)))

    assert money.portfolio.holdings[BTC].quantity == 2


def test_a_fall_before_this_process_is_none_of_its_own() -> None:
    money = MoneyFold()
    money.offer(earlier(execution("t1", "100"), execution("t2", "60")))
    money.take_up()

    assert money.portfolio.equity("USDT") == -40
    assert money.portfolio.drawdown("USDT") == money.portfolio.max_drawdown("USDT") == 0
    money.mark(BTC, Decimal(55))
    assert money.portfolio.max_drawdown("USDT") == 10
    assert money.since_start("USDT") == -10


def test_what_cannot_be_read_is_said_and_this_process_counts_on() -> None:
    money = MoneyFold()
    money.expect()
    money.order(update(OrderState.FILLED, "new", fills=(execution("t1", "100"),)))
    money.offer(Earlier(problem="the disk is gone"))
    money.take_up()

    assert money.portfolio.holdings[BTC].quantity == 1
    assert (money.is_whole, money.problem) == (False, "the disk is gone")


@pytest.mark.slow
def test_what_is_remembered_of_ended_orders_is_bounded() -> None:
    money = MoneyFold()
    for number in range(ENDED_KEPT + 5):
        one = execution(f"t{number}", "100")
        money.order(update(OrderState.FILLED, f"k{number}", fills=(one,)))

    assert len(money._ended) == ENDED_KEPT


def test_what_is_offered_while_it_is_looked_for_is_taken_up_the_next_time() -> None:
    """The worker offers it just after Metrics has looked and found nothing."""

    class Raced(MoneyFold):
        coming: list[Earlier]
        there: Earlier | None

        def __init__(self) -> None:
            self.coming = []
            super().__init__()

        @property
        def _offered(self) -> Earlier | None:
            found = self.there
            if self.coming:
                self.there = self.coming.pop()
            return found

        @_offered.setter
        def _offered(self, earlier: Earlier | None) -> None:
            self.there = earlier

    money = Raced()
    money.expect()
    money.coming = [earlier(execution("t1", "100"))]
    money.take_up()
    assert money.is_pending
    money.take_up()

    assert money.is_whole
    assert money.portfolio.holdings[BTC].quantity == 1
