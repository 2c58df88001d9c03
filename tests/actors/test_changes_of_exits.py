"""An exit that is replaced where the venue took its fee in the coins that were bought."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors.account_desk import AccountSettings, AccountView
from decisions.managed_orders import ManagedOrders
from decisions.risk import RiskLimits
from messages.ids import NS_PER_S
from messages.orders import Fill, MarketRules, OrderIntent, OrderUpdate
from messages.values import Instrument, OrderType, Side
from messages.values import OrderState as S
from tests.actors.changing import AGE_NS, canceled
from tests.actors.order_path import BTC, ONE, OrderPath, fill, key_of

LEFT = Decimal("0.999")


@pytest.fixture
def desk(tmp_path: Path) -> OrderPath:
    """Of 1 BTC that was bought, 0.999 are there, and offered."""
    limits = RiskLimits(allow_short=False)
    compared = AccountSettings(symbols=(BTC,), interval_ns=60 * NS_PER_S, halts=False)
    desk = OrderPath(
        tmp_path, limits=limits, max_decision_age_ns=AGE_NS, account=(compared, AccountView())
    ).start()
    desk.tell(MarketRules(instrument=Instrument(symbol=BTC, quantity_step=Decimal("0.001"))))
    desk.tell(desk.intent(1)).tell(desk.submitted(1, S.ACCEPTED))
    desk.tell(desk.report(1, S.FILLED, "1", (in_coins(fill("a")),)))
    desk.tell(offer(desk, 2)).tell(desk.submitted(2, S.ACCEPTED))
    assert desk.order(2).quantity == LEFT
    return desk


def in_coins(one: Fill) -> Fill:
    return msgspec.structs.replace(one, fee=Decimal("0.001"), fee_currency="BTC")


def offer(desk: OrderPath, number: int, first: int | None = None) -> OrderIntent:
    return desk.intent(
        number,
        Side.SELL,
        order_type=OrderType.LIMIT,
        limit_price=Decimal(110),
        leaves=ONE,
        replaces=None if first is None else key_of(first),
    )


def position(desk: OrderPath) -> Decimal:
    """What a strategy that has decided 1, then 2 and perhaps 3, counts after all it was told."""
    managed, held = ManagedOrders(), Decimal(0)
    mailbox = desk.runtime.cell("strategy").mailbox
    managed.decided([desk.intent(1), offer(desk, 2)])
    assert desk.cell.life is not None
    while (envelope := mailbox.poll(desk.cell.life)) is not None:
        if isinstance(envelope.message, OrderUpdate):
            held += managed.updated(envelope.message)
    assert not managed.open
    return held  # 1 and 2 together were to hold nothing


def test_one_that_filled_has_left_all_and_its_strategy_holds_nothing(desk: OrderPath) -> None:
    """What fees took would stand in its position for ever, and be sold from its owner's coins."""
    desk.tell(desk.report(2, S.FILLED, "0.999", (fill("b", "0.999"),)))

    assert position(desk) == 0


def test_one_that_was_ended_has_left_nothing(desk: OrderPath) -> None:
    desk.tell(desk.report(2, S.CANCELED))

    assert position(desk) == 1


def test_what_fees_took_is_not_left_to_the_one_that_takes_its_place(desk: OrderPath) -> None:
    desk.tell(offer(desk, 3, first=2))

    canceled(desk, desk.report(2, S.FILLED, "0.999", (fill("b", "0.999"),)))

    assert (desk.order(3).state, desk.sends(3)) == (S.REFUSED, 0)
    assert desk.order(3).state_reason.startswith("not_replaced: ")


def test_the_one_in_its_place_is_of_what_is_there_too(desk: OrderPath) -> None:
    desk.tell(offer(desk, 3, first=2))

    canceled(desk, desk.report(2, S.CANCELED, "0.5", (fill("b", "0.5"),)))

    assert desk.gateway.sent[-1].order.quantity == Decimal("0.499")
