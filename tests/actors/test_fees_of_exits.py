"""What fees took of an exit is held by nobody once it has filled: limits have room for it."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors.account_desk import AccountSettings, AccountView
from decisions.risk import RiskLimits
from messages.ids import NS_PER_S, StrategyId
from messages.values import Instrument, OrderState, Side
from tests.actors.order_path import BTC, OrderPath, fill

LIMITS = RiskLimits(
    max_order_notional=Decimal(1_000), max_position_notional=Decimal(200), allow_short=False
)
GRID = Instrument(symbol=BTC, quantity_step=Decimal("0.1"))


def process(folder: Path) -> OrderPath:
    settings = AccountSettings(symbols=(BTC,), interval_ns=60 * NS_PER_S, halts=False)
    desk = OrderPath(
        folder, limits=LIMITS, max_decision_age_ns=10**18, account=(settings, AccountView())
    )
    desk.kept.instruments[BTC] = GRID
    return desk.start()


def filled(desk: OrderPath, number: int, quantity: str, fee: str, currency: str) -> None:
    execution = msgspec.structs.replace(
        fill(f"t{number}", quantity), fee=Decimal(fee), fee_currency=currency
    )
    desk.tell(desk.submitted(number, OrderState.ACCEPTED))
    desk.tell(desk.report(number, OrderState.FILLED, quantity, (execution,)))


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_round_trip_leaves_nothing_before_the_position_limit(
    tmp_path: Path, is_restarted: bool
) -> None:
    desk = process(tmp_path)
    desk.tell(desk.intent(1))
    filled(desk, 1, "1", "0.01", "BTC")
    desk.tell(desk.intent(2, Side.SELL))
    assert desk.order(2).quantity == Decimal("0.9")
    filled(desk, 2, "0.9", "0.1", "USDT")
    desk = process(tmp_path) if is_restarted else desk

    desk.tell(desk.intent(3, quantity=Decimal(2)))  # at a price of a hundred: all that may be held

    order = desk.order(3)
    assert (order.state, order.state_reason) == (OrderState.SENT, "")


def test_an_entry_that_rests_pays_no_fee_for_an_exit(tmp_path: Path) -> None:
    """The exit took the coins of another strategy for it, which then could not leave its own."""
    desk, two = process(tmp_path), StrategyId("two")
    for number, who in ((1, StrategyId("one")), (2, two)):
        desk.tell(desk.intent(number, strategy_id=who, quantity=Decimal("0.5")))
        filled(desk, number, "0.5", "0.05", "BTC")
    desk.tell(desk.intent(3, quantity=Decimal("0.2")))

    for number, who in ((4, StrategyId("one")), (5, two)):
        out = desk.intent(number, Side.SELL, strategy_id=who, quantity=Decimal("0.5"))
        desk.tell(msgspec.structs.replace(out, leaves=Decimal("0.5")))

    assert [desk.order(number).quantity for number in (4, 5)] == [Decimal("0.4")] * 2
