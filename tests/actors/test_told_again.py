"""What a strategy hears of a decision that it takes a second time, and what still counts of it."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from decisions.order_keys import order_key
from decisions.risk import RiskLimits
from messages.orders import OrderIntent, OrderUpdate
from messages.values import OrderState as S
from tests.actors.changing import Dying
from tests.actors.order_path import OrderPath


def heard(desk: OrderPath) -> list[tuple[S, bool]]:
    """Give the states that its strategy was told since the last look, and whether they are new."""
    found, mailbox = [], desk.runtime.cell("strategy").mailbox
    assert desk.cell.life is not None
    while (envelope := mailbox.poll(desk.cell.life)) is not None:
        if isinstance(envelope.message, OrderUpdate):
            found.append((envelope.message.state, not envelope.message.late_fills))
    return found


def decided_now(desk: OrderPath, number: int) -> OrderIntent:
    """Under a key that begins with its moment, as the ledger looks for them."""
    one = desk.intent(number)
    now_ns = one.decided_at_ns
    key = order_key(one.account, one.strategy_id, one.symbol, now_ns, number)
    return msgspec.structs.replace(one, order_key=key)


def test_what_was_not_allowed_is_told_again_to_who_decides_it_again(tmp_path: Path) -> None:
    desk = OrderPath(tmp_path, limits=RiskLimits(max_order_notional=Decimal(1))).start()
    decision = desk.intent(0)
    desk.tell(decision)
    assert heard(desk) == [(S.REFUSED, True)]

    desk.tell(decision)

    assert heard(desk) == [(S.REFUSED, True)]


def test_what_was_sent_is_not(tmp_path: Path) -> None:
    desk = OrderPath(tmp_path).start()
    decision = desk.intent(0)
    desk.tell(decision)
    desk.tell(desk.submitted(0, S.ACCEPTED))
    assert heard(desk) == [(S.ACCEPTED, True)]

    desk.tell(decision)

    assert heard(desk) == []
    assert desk.sends(0) == 1


def test_the_orders_of_the_last_minute_count_after_a_restart(tmp_path: Path) -> None:
    desk = OrderPath(tmp_path, limits=RiskLimits(max_orders_per_minute=2)).start()
    desk.tell(*(decided_now(desk, number) for number in range(2)))
    desk.start()
    for asked in desk.gateway.asked:
        filled = msgspec.structs.replace(
            desk.report(0, S.FILLED, "1"), client_order_id=asked.order.client_order_id
        )
        desk.tell(desk.answer(asked, filled))

    third = decided_now(desk.after(1), 2)
    desk.tell(third)

    reason = desk.orders()[third.order_key].state_reason
    assert reason.startswith("max_orders_per_minute: 2 orders")


def test_what_the_venue_says_twice_in_one_breath_is_told_once(tmp_path: Path) -> None:
    desk = OrderPath(tmp_path).start()
    desk.tell(desk.intent(0))
    filled = desk.report(0, S.FILLED, "1")

    desk.tell(filled, filled)

    assert heard(desk) == [(S.FILLED, True)]


def test_a_refusal_that_its_executor_did_not_live_to_tell_is_told_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dying, "commits", 0)
    monkeypatch.setattr(Dying, "dies", (1, True))
    path, limits = tmp_path / "ledger.db", RiskLimits(max_order_notional=Decimal(1))
    desk = OrderPath(tmp_path, limits=limits, open_ledger=lambda: Dying(path)).start()
    desk.tell(desk.intent(0))

    desk.start()

    assert desk.order(0).state is S.REFUSED
    assert heard(desk) == [(S.REFUSED, True)]
